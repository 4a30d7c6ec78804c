"""Views: images as squares of one size, ready for training, with their labels and facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from unlearnable import hashing
from unlearnable.budget import UInt8Array


@dataclass(frozen=True)
class View:
    """Images as squares of one size, ready for training.

    Args:
        ids: N ids.
        pixels: uint8 (N, 3, S, S).
        labels: int64 (N,), indices into ``classes``.
        classes: Class names, in code-point order.
        grey: bool (N,): whether the photo is grey, so that its noise must be equal in the three channels.
        own: bool (N,): False for context images, which the surrogate trains on and which never get noise.
        frame: Median (height, width) in pixels of the own photos at their own size.
        digests: Content hash of each image.
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
        """Hash of all ids, classes and contents."""
        return hashing.of_rows([self.ids, [self.classes[label] for label in self.labels], self.digests])
