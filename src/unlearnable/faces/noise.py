"""Noise of aligned crops as noise of full photos: the same questions as ``Noise``, answered for faces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from unlearnable import hashing, lifting
from unlearnable.assignment import Assignment
from unlearnable.budget import Budget, UInt8Array
from unlearnable.faces.crops import crop_digest, crop_id
from unlearnable.faces.face import Alignment
from unlearnable.faces.face_list import FACES, places_of, read, sizes_of
from unlearnable.faces.placement import covered, on_photo
from unlearnable.noise import CHUNK_ROWS, Form, Noise, Slot, clipped

# the alignment of a face, or None for a photo without a face, which gets its noise over the whole frame
Place = Alignment | None


@dataclass(frozen=True)
class FaceSlot:
    """The noise of one photo: for each of its faces a slot of the bank, and the place.

    Args:
        parts: A slot and a place for each face.
        size: (height, width) of the photo that the places belong to; None for that of the pixels.
    """

    parts: tuple[tuple[Slot, Place], ...]
    size: tuple[int, int] | None = None

    def at(self, size: tuple[int, int]) -> FaceSlot:
        """Return the slot for the photo at another (height, width), because photos may be resized first."""
        if self.size in (None, size):
            return self
        before = self.size or size
        moved = ((one, None if place is None else place.resized(before, size)) for one, place in self.parts)
        return FaceSlot(tuple(moved), size)


@dataclass(frozen=True)
class FaceNoise:
    """Noise of crops, and the places of the crops in the photos.

    Args:
        crops: The noise; its keys are ids of crops, or class names.
        places: The places of a photo's crops, by the photo's id.
        sizes: (height, width) of the photos that the places belong to; where it is absent, that of the pixels
            that get noise.
    """

    crops: Noise
    places: Mapping[str, tuple[Place, ...]]
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def budget(self) -> Budget:
        """The budget, which holds at every pixel of a photo, however many faces overlap there."""
        return self.crops.budget

    @property
    def form(self) -> Form:
        """The form of the noise."""
        return self.crops.form

    @property
    def assignment(self) -> Assignment:
        """The assignment of patterns to crops."""
        return self.crops.assignment

    def save(self, path: Path) -> None:
        """Write the noise of the crops. The places are those of the list of faces beside it."""
        self.crops.save(path)

    @staticmethod
    def files(path: Path) -> tuple[Path, ...]:
        """Return the files that ``load`` reads: the noise, and the list of faces beside it."""
        return path, path.with_name(FACES)

    @classmethod
    def load(cls, path: Path) -> FaceNoise:
        """Read the noise of a run, and the list of faces beside it."""
        records = read(path.with_name(FACES))
        return cls(Noise.load(path), places_of(records), sizes_of(records))

    def found_for(self, id: str, digest: str) -> str:
        """Return the class that the noise of a photo was found for; see ``Noise.found_for``."""
        first = next(iter(self.places.get(id, ())), None)
        return self.crops.found_for(id, crop_digest(digest, first))

    def slot(self, id: str, class_name: str, digest: str | None = None) -> FaceSlot | None:
        """Return the slot of a photo, or None if one of its faces has no noise.

        Args:
            id: Id of the photo.
            class_name: Its class.
            digest: Its content hash.
        """
        parts = []
        for number, place in enumerate(self.places.get(id, ())):
            content = None if digest is None else crop_digest(digest, place)
            slot = self.crops.slot(crop_id(id, number), class_name, content)
            if slot is None:
                return None
            parts.append((slot, place))
        return FaceSlot(tuple(parts), self.sizes.get(id)) if parts else None

    def is_zero(self, slot: FaceSlot) -> bool:
        """Return whether a slot changes nothing."""
        return all(self.crops.is_zero(one) for one, _ in slot.parts)

    def slot_hash(self, slot: FaceSlot) -> str:
        """Return a hash of everything that ``add`` takes from a slot."""
        parts = [
            [self.crops.slot_hash(one), None if place is None else [place.a, place.b, place.x, place.y]]
            for one, place in slot.parts
        ]
        return hashing.digest("faces", parts)

    def usual_change(self, slot: FaceSlot, size: tuple[int, int]) -> float:
        """Return the mean change of a photo by a slot, in levels, before clipping.

        Args:
            slot: The slot.
            size: (height, width) of the photo.
        """
        return sum(
            self.crops.usual_change(one, size)
            if place is None
            else lifting.usual(self.crops.pattern(one).astype(np.float32)) * covered(place, size)
            for one, place in slot.at(size).parts
        )

    def add(self, pixels: UInt8Array, slot: FaceSlot) -> UInt8Array:
        """Return a photo with noise on its faces: one sum over all faces, rounded and clipped once.

        Args:
            pixels: As for ``Noise.add``.
            slot: The slot of the photo.
        """
        slot = slot.at((pixels.shape[0], pixels.shape[1]))
        whole = [one for one, place in slot.parts if place is None]
        if whole:
            return self.crops.add(pixels, whole[0])
        out = pixels.copy()
        colours = out[..., None] if pixels.ndim == 2 else out[..., : 1 if pixels.shape[2] == 2 else 3]
        channels = colours.shape[2]
        patterns = [(self.crops.levels(one, channels), place) for one, place in slot.parts if place]
        height, width = pixels.shape[:2]
        for top in range(0, height, CHUNK_ROWS):
            rows = slice(top, min(height, top + CHUNK_ROWS))
            noise = self.budget.round(on_photo(patterns, (height, width), rows))
            colours[rows] = clipped(colours[rows], noise.transpose(1, 2, 0))
        return out
