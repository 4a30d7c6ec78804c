"""Squares of one size, ready for training, with everything that a search has to know of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from unlearnable import hashing
from unlearnable.budget import UInt8Array


@dataclass(frozen=True)
class View:
    """Squares of one size, ready for training.

    Args:
        ids: N ids.
        pixels: uint8 (N, 3, S, S).
        labels: int64 (N,), indices into ``classes``.
        classes: Class names, in code-point order.
        grey: bool (N,): the photo is grey, so its noise must be the same in the three channels.
        own: bool (N,): False for context images, which are trained on and never given noise.
        frame: Median (height, width) of the own photos themselves, in pixels.
        digests: Hash of each image's content.
    """

    ids: tuple[str, ...]
    pixels: UInt8Array
    labels: np.ndarray[Any, np.dtype[np.int64]]
    classes: tuple[str, ...]
    grey: np.ndarray[Any, np.dtype[np.bool_]]
    own: np.ndarray[Any, np.dtype[np.bool_]]
    frame: tuple[int, int]
    digests: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """A hash over ids, classes and contents."""
        return hashing.digest(self.ids, [self.classes[label] for label in self.labels], self.digests)
