"""Noise: a bank of int8 patterns, and the assignment of images to them.

The assignment (``assignment.py``) depends on an image's id and the *name* of its class, never on a position
in a loader or a class index. Shuffling, filtering or adding images cannot put noise on the wrong image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from unlearnable import arguments, hashing, lifting, noise_file
from unlearnable.arguments import instance, shown
from unlearnable.assignment import Assignment
from unlearnable.budget import Budget, FloatArray, Int8Array, UInt8Array
from unlearnable.errors import UnlearnableError, UsageError
from unlearnable.lifting import Grey, Interpolation, lift

Form = Literal["samplewise", "classwise"]
# rows of a photo that noise is added to at a time, so that large photos need little extra memory
CHUNK_ROWS = 256


class Slot(NamedTuple):
    """The noise of one image: a row of the bank, and where its pattern is placed.

    Args:
        row: Row of the bank.
        top_left: (top, left) of the pattern on the grid; None if the pattern is repeated over the grid.
    """

    row: int
    top_left: tuple[int, int] | None = None


@dataclass(frozen=True)
class Noise:
    """Patterns, and the assignment of images to them.

    Args:
        bank: int8 (rows, C, h, w), in levels of 1/255, signed; C is 3 (or 1 for grey data).
        keys: One per row, all different: image ids (sample-wise) or the class names of ``assignment.keys``
            (class-wise).
        form: Whether the keys are image ids or class names.
        budget: The budget; no value of the bank exceeds it.
        grid: (height, width) of the grid over the frame; the assignment places a pattern smaller than it.
        interpolation: How the grid is lifted to a photo's own size.
        digests: Sample-wise: content hash of each key's image, or empty. An image with other content gets no
            noise, even under a known id.
        classes: Sample-wise: the class that each key's noise was found for, or empty; an empty name is an
            unknown class. An image of another class gets no noise, even under a known id: noise that lowers
            the loss of a wrong label does not protect the right one.
        grey: Noise of grey photos: the ``mean`` over the channels of the pattern, or the mean scaled to the
            strength of the pattern (``full``; ``lifting.grey_factor``).
        provenance: Origin of the noise: method, configuration, fingerprint, version.
        assignment: The images that get noise, the pattern each gets, and the position of a small pattern. By
            default every image gets noise, there is one pattern per key, and it is repeated over the grid.

    Raises:
        UnlearnableError: If shapes, keys or hashes do not fit together, or the bank exceeds its budget.
    """

    bank: Int8Array
    keys: tuple[str, ...]
    form: Form
    budget: Budget
    grid: tuple[int, int]
    interpolation: Interpolation = "bilinear"
    digests: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    assignment: Assignment = field(default_factory=Assignment)
    classes: tuple[str, ...] = ()
    grey: Grey = "mean"

    def __post_init__(self) -> None:
        if self.bank.dtype != np.int8 or self.bank.ndim != 4:
            raise UnlearnableError(
                f"The bank is {self.bank.dtype} {self.bank.shape}, but must be int8 (rows, C, h, w)."
            )
        if len(self.keys) != len(self.bank) or len(set(self.keys)) != len(self.keys):
            raise UnlearnableError(
                f"{len(self.bank)} patterns need {len(self.bank)} different keys, not {len(set(self.keys))}."
            )
        if self.digests and len(self.digests) != len(self.keys):
            raise UnlearnableError(
                f"{len(self.keys)} keys need {len(self.keys)} content hashes, not {len(self.digests)}."
            )
        if self.classes and len(self.classes) != len(self.keys):
            raise UnlearnableError(
                f"{len(self.keys)} keys need {len(self.keys)} classes, not {len(self.classes)}."
            )
        if self.assignment.patterns_per_class > 1 and self.form == "samplewise":
            raise UnlearnableError("Sample-wise noise has one pattern per image, not several per class.")
        if self.assignment.offset != "tile" and (
            self.bank.shape[2] > self.grid[0] or self.bank.shape[3] > self.grid[1]
        ):
            raise UnlearnableError(
                f"A pattern of {self.bank.shape[2:]} does not fit on a grid of {self.grid}."
            )
        # A bank in a file may be large, so it is not read here; every published pixel is checked anyway.
        mapped = isinstance(self.bank, np.memmap)
        if (
            not mapped
            and self.bank.size
            and max(int(self.bank.max()), -int(self.bank.min())) > self.budget.epsilon
        ):
            raise UnlearnableError(f"The bank exceeds its budget {self.budget}.")

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {key: row for row, key in enumerate(self.keys)}

    def row(self, id: str, class_name: str, digest: str | None = None) -> int | None:
        """Return the row of the bank with an image's noise, or None if it has no noise."""
        if not self.assignment.covers(id, class_name):
            return None
        row = self._rows.get(id if self.form == "samplewise" else self.assignment.key(id, class_name))
        if row is None:
            return None
        if digest is not None and self.digests and self.digests[row] != digest:
            return None
        return row if self.class_at(row) in ("", class_name) else None

    def class_at(self, row: int) -> str:
        """Return the class that a row was found for; an empty name if it is unknown or does not matter."""
        return self.classes[row] if self.classes else ""

    def found_for(self, id: str, digest: str) -> str:
        """Return the class that the noise of an image was found for; an empty name if there is none."""
        row = self._rows.get(id) if self.form == "samplewise" else None
        known = row is not None and (not self.digests or self.digests[row] == digest)
        return self.class_at(row) if known and row is not None else ""

    def with_classes(self, known: Mapping[str, str]) -> Noise:
        """Return sample-wise noise that knows the class of its rows, for files of earlier versions.

        Args:
            known: Class by image id. Rows that know their class already, and class-wise noise, stay.
        """
        if self.form == "classwise":
            return self
        rows = enumerate(self.keys)
        return replace(self, classes=tuple(self.class_at(row) or known.get(key, "") for row, key in rows))

    def slot(self, id: str, class_name: str, digest: str | None = None) -> Slot | None:
        """Return an image's row of the bank and the position of its pattern, or None if it has no noise.

        Args:
            id: Id of the image.
            class_name: Name of its class.
            digest: Its content hash; None if it is known to be the image that the noise was made for.
        """
        row = self.row(id, class_name, digest)
        height, width = self.bank.shape[2:]
        return None if row is None else Slot(row, self.assignment.top_left(id, (height, width), self.grid))

    def is_zero(self, slot: Slot) -> bool:
        """Return whether a slot's pattern changes nothing."""
        return not self.bank[slot.row].any()

    def slot_hash(self, slot: Slot) -> str:
        """Return a hash of everything that ``add`` takes from a slot: pattern, position, grid, lifting."""
        pattern = hashing.of_bytes(self.bank[slot.row].tobytes())
        # noise of earlier versions has the rule "mean", and published files are recognised by its hash
        rule = () if self.grey == "mean" else (self.grey,)
        return hashing.digest(
            pattern, list(self.bank.shape[1:]), slot.top_left, list(self.grid), self.interpolation, *rule
        )

    def pattern(self, slot: Slot) -> Int8Array:
        """Return a pattern on the grid, repeated or placed among zeros: int8 (C, grid height, grid width)."""
        pattern = self.bank[slot.row]
        height, width = self.grid
        if slot.top_left is not None:
            (top, left), (down, across) = slot.top_left, pattern.shape[1:]
            placed = np.zeros((len(pattern), height, width), np.int8)
            placed[:, top : top + down, left : left + across] = pattern
            return placed
        down, across = -(-height // pattern.shape[1]), -(-width // pattern.shape[2])
        return np.tile(pattern, (1, down, across))[:, :height, :width]

    def usual_change(self, slot: Slot, size: tuple[int, int]) -> float:
        """Return the mean change of a large colour photo by a slot's pattern, in levels, before clipping.

        Args:
            slot: The slot.
            size: (height, width) of the photo, which does not matter for noise over the whole frame.
        """
        return lifting.usual(self.pattern(slot).astype(np.float32), self.interpolation)

    def add(self, pixels: UInt8Array, slot: Slot) -> UInt8Array:
        """Return an image with noise added at its own size, clipped *after* the addition.

        Args:
            pixels: uint8 (H, W) grey, (H, W, 2) grey with alpha, (H, W, 3) colour, or (H, W, 4) colour with
                alpha. Alpha is left unchanged.
            slot: The slot of the image, from ``slot``. A small pattern is placed on the grid, then the grid
                is lifted.

        Returns:
            A new array of the same shape and type, within the budget.

        Raises:
            UsageError: If the pixels are of another type or shape, or there is no slot.
        """
        if getattr(pixels, "dtype", None) != np.uint8 or not _is_image(pixels.shape):
            raise UsageError(
                f"The pixels are {shown(pixels)}, but must be a uint8 array of one image.",
                "Give (H, W), (H, W, 3) or (H, W, 4) in levels, such as images.photo(id).pixels.",
            )
        remedy = "Give noise.slot(id, class_name); where that is None, the image gets no noise."
        slot = instance("slot", slot, Slot, "a Slot", remedy)
        out = pixels.copy()
        colours = out[..., None] if pixels.ndim == 2 else out[..., : 1 if pixels.shape[2] == 2 else 3]
        pattern = self.levels(slot, colours.shape[2])
        height, width = pixels.shape[:2]
        gain = lifting.gain(pattern, height, width, self.interpolation)
        for top in range(0, height, CHUNK_ROWS):
            rows = slice(top, top + CHUNK_ROWS)
            lifted = self.budget.round(gain * lift(pattern, height, width, self.interpolation, rows))
            colours[rows] = clipped(colours[rows], lifted.transpose(1, 2, 0))
        return out

    def levels(self, slot: Slot, channels: int) -> FloatArray:
        """Return a pattern on the grid for photos with so many channels, alpha not counted.

        Args:
            slot: The slot.
            channels: 3, or 1 for a grey photo, whose noise is the same in the three channels so that it stays
                grey.

        Returns:
            float32 (channels, grid height, grid width), in levels.
        """
        pattern = self.pattern(slot).astype(np.float32)
        if channels > 1:
            return pattern
        mean = pattern.mean(axis=0, keepdims=True)
        return np.asarray(self.budget.project(self._grey_factor(slot) * mean), dtype=np.float32)

    def _grey_factor(self, slot: Slot) -> Any:
        if self.grey == "mean":
            return np.float32(1)
        # of the pattern itself, as in the search, and not of its repetitions on the grid
        return lifting.grey_factor(self.bank[slot.row].astype(np.float32), self.budget.epsilon)

    @property
    def _kind(self) -> tuple[Any, ...]:
        """The properties that two banks must share to be joined."""
        mine = self.assignment
        drawn = mine.seed if mine.patterns_per_class > 1 or mine.offset == "random" else None
        patterns = mine.patterns_per_class, mine.offset, drawn
        return self.form, self.grid, self.bank.shape[1:], self.budget, *patterns

    def joined(self, other: Noise) -> Noise:
        """Return this noise extended by another of the same kind; a key in both gets the other's pattern.

        The images that get no noise and the mapping of classes stay those of this noise.

        Raises:
            UnlearnableError: If form, grid, shape, budget or assignment differ.
        """
        if self._kind != other._kind:
            raise UnlearnableError(
                "The two noises cannot be joined: form, grid, shape, budget or assignment differ."
            )
        rest = [row for row, key in enumerate(self.keys) if key not in other._rows]
        digests = (
            (*(self.digests[row] for row in rest), *other.digests) if self.digests and other.digests else ()
        )
        classes: tuple[str, ...] = ()
        if self.classes or other.classes:
            classes = (
                *(self.class_at(row) for row in rest),
                *(other.class_at(row) for row in range(len(other.keys))),
            )
        return replace(
            self,
            bank=np.concatenate([self.bank[rest], other.bank]),
            keys=(*(self.keys[row] for row in rest), *other.keys),
            digests=digests,
            classes=classes,
        )

    def save(self, path: str | Path) -> None:
        """Write a safetensors file, completely or not at all."""
        path = Path(path)
        plain = self.assignment == Assignment()
        meta = {
            "format": noise_file.FORMAT if plain else noise_file.ASSIGNED,
            "form": self.form,
            "epsilon": self.budget.epsilon,
            "grid": list(self.grid),
            "interpolation": self.interpolation,
            "provenance": dict(self.provenance),
            **({} if self.grey == "mean" else {"grey": self.grey}),
            **({} if plain else {"assignment": self.assignment.to_json()}),
        }
        # earlier versions ignore the classes, so the format is the same
        classes = {"classes": self.classes} if self.classes else {}
        noise_file.save(path, self.bank, {"keys": self.keys, "digests": self.digests, **classes}, meta)

    @staticmethod
    def files(path: Path) -> tuple[Path, ...]:
        """Return the files that ``load`` reads: this one."""
        return (path,)

    @classmethod
    def load(cls, path: str | Path) -> Noise:
        """Read a noise file. The bank is memory-mapped, so a bank of any size takes little memory.

        Raises:
            DataError: If the file is missing, damaged or not a noise file.
        """
        path = arguments.path("path", path, "file")
        with noise_file.readable(path) as (bank, texts, meta):
            assigned = meta["format"] == noise_file.ASSIGNED
            return cls(
                bank=bank,
                keys=texts["keys"],
                form=meta["form"],
                budget=Budget(meta["epsilon"]),
                grid=(meta["grid"][0], meta["grid"][1]),
                interpolation=meta["interpolation"],
                digests=texts["digests"],
                classes=texts.get("classes", ()),
                provenance=meta["provenance"],
                grey=meta.get("grey", "mean"),
                assignment=Assignment.from_json(meta["assignment"]) if assigned else Assignment(),
            )


def _is_image(shape: tuple[int, ...]) -> bool:
    return len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 2, 3, 4))


def clipped(pixels: UInt8Array, noise: Int8Array) -> UInt8Array:
    """Return pixels with noise added, clipped to [0, 255] afterwards."""
    return np.asarray(np.clip(pixels.astype(np.int16) + noise, 0, 255), dtype=np.uint8)
