"""Noise added to the photos of a source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from unlearnable.assignment import Assignment
from unlearnable.budget import Budget, UInt8Array
from unlearnable.data.photo import Photo
from unlearnable.noise import Form


class NoiseLike(Protocol):
    """The part of ``Noise`` that is needed to add it. Slots are its own business, and can be compared."""

    def slot(self, id: str, class_name: str, digest: str | None = None) -> Any:
        """Return the slot of an image, or None if it gets no noise."""

    def add(self, pixels: UInt8Array, slot: Any) -> UInt8Array:
        """Return the image with the noise of a slot."""


class Publishable(NoiseLike, Protocol):
    """Noise that files can be published with: ``Noise``, or noise on the faces of photos."""

    @property
    def budget(self) -> Budget:
        """The budget, which holds at every pixel."""

    @property
    def form(self) -> Form:
        """The form of the noise."""

    @property
    def assignment(self) -> Assignment:
        """The assignment of patterns to images."""

    def found_for(self, id: str, digest: str) -> str:
        """Return the class that the noise of an image was found for; empty if there is none."""

    def is_zero(self, slot: Any) -> bool:
        """Return whether a slot changes nothing."""

    def slot_hash(self, slot: Any) -> str:
        """Return a hash of everything that ``add`` takes from a slot."""

    def usual_change(self, slot: Any, size: tuple[int, int]) -> float:
        """Return the mean change, in levels, of a colour photo of a size by a slot, before clipping."""

    def save(self, path: Path) -> None:
        """Write the noise to a file, completely or not at all."""

    @classmethod
    def load(cls, path: Path) -> Publishable:
        """Read a noise file."""

    @staticmethod
    def files(path: Path) -> tuple[Path, ...]:
        """Return the files that ``load`` reads for a noise file."""


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
