"""What is known of images, cheapest first: where they come from, facts, squares ready for training."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from unlearnable.budget import UInt8Array
from unlearnable.data.photo import Photo


def hashed(value: Sequence[Any]) -> str:
    """Return a hash over anything that JSON can write."""
    return hashlib.sha256(json.dumps(value, ensure_ascii=False).encode()).hexdigest()


class Source(Protocol):
    """Where pixels come from."""

    def load(self, id: str) -> tuple[Photo, str]:
        """Return a photo and the SHA-256 of its content."""

    def stamp(self, id: str) -> str:
        """Return what changes when the content does, without reading it."""

    def origin(self, id: str) -> Path | Photo:
        """Return what a worker in another process reads the photo from."""


@dataclass(frozen=True)
class Facts:
    """What is worth knowing of a photo without its pixels.

    Args:
        size: (height, width).
        see_through: Whether it has an alpha channel.
        digest: SHA-256 of its content.
    """

    size: tuple[int, int]
    see_through: bool
    digest: str

    @classmethod
    def of(cls, photo: Photo, digest: str) -> Facts:
        """Return the facts of a photo."""
        return cls(photo.size, photo.alpha is not None, digest)


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
        frame: Median (height, width) of the photos themselves, in pixels.
        digests: SHA-256 of each image's content.
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
        return hashed([self.ids, [self.classes[label] for label in self.labels], self.digests])
