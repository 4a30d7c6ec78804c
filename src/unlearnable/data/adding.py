"""Noise added to the photos of a source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from unlearnable.budget import UInt8Array
from unlearnable.data.photo import Photo
from unlearnable.noise import Slot


class NoiseLike(Protocol):
    """The part of ``Noise`` that is needed to add it."""

    def slot(self, id: str, class_name: str, digest: str | None = None) -> Slot | None:
        """Return the slot of an image, or None if it gets no noise."""

    def add(self, pixels: UInt8Array, slot: Slot) -> UInt8Array:
        """Return the image with the noise of a slot."""


@dataclass(frozen=True)
class Adding:
    """A change of photos: ``adding(id, photo, digest)`` is the photo with its noise, at its own size.

    Args:
        noise: The noise.
        class_of: Class name of every id.
    """

    noise: NoiseLike
    class_of: Mapping[str, str]

    def __call__(self, id: str, photo: Photo, digest: str) -> Photo:
        """Return a photo with its noise; unchanged if it gets none."""
        slot = self.noise.slot(id, self.class_of[id], digest)
        return photo if slot is None else replace(photo, pixels=self.noise.add(photo.pixels, slot))
