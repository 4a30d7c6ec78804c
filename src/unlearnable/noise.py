"""Noise = a bank of int8 patterns and the assignment of images to them.

The assignment (``assignment.py``) looks at an image's id and at the *name* of its class, never at a position
in a loader or at a class index: shuffling, filtering or adding images cannot put a noise on the wrong image.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from unlearnable.assignment import Assignment
from unlearnable.budget import Budget, Int8Array, UInt8Array
from unlearnable.errors import DataError, UnlearnableError
from unlearnable.files import write_by
from unlearnable.lifting import Interpolation, lift

Form = Literal["samplewise", "classwise"]
FORMAT = "unlearnable-noise/1"
# with an assignment, which a version that knows only the first would ignore and put noise elsewhere
ASSIGNED = "unlearnable-noise/2"
STRIP = 256  # rows of a photo that noise is added to at a time


class Slot(NamedTuple):
    """Where the noise of one image is: its row of the bank, and the pattern's (top, left) on the grid.

    ``top_left`` is None for a pattern that is repeated over the grid.
    """

    row: int
    top_left: tuple[int, int] | None = None


@dataclass(frozen=True)
class Noise:
    """Patterns, and which image gets which.

    Args:
        bank: int8 (rows, C, h, w), in levels of 1/255, signed; C is 3 (or 1 for grey data).
        keys: One per row, no two equal: image ids (sample-wise), or those of ``assignment.keys``
            (class-wise): class names.
        form: What the keys are.
        budget: The budget that the bank obeys.
        grid: Size (height, width) of the grid laid over the frame; a pattern smaller than it lies where the
            assignment says.
        interpolation: How the grid is lifted to a photo's own size.
        digests: Sample-wise: content hash of each key's image, or empty. Other content under a known id gets
            no noise.
        provenance: Method, configuration, fingerprint, version: where the noise comes from.
        assignment: Which images get noise, which pattern of their class, and where a small one lies; by
            default all, one, everywhere.
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

    def __post_init__(self) -> None:
        if self.bank.dtype != np.int8 or self.bank.ndim != 4:
            raise UnlearnableError(
                f"A bank is int8 (rows, C, h, w); this one is {self.bank.dtype} {self.bank.shape}."
            )
        if len(self.keys) != len(self.bank) or len(set(self.keys)) != len(self.keys):
            raise UnlearnableError(
                f"{len(self.bank)} patterns need as many different keys; there are {len(set(self.keys))}."
            )
        if self.digests and len(self.digests) != len(self.keys):
            raise UnlearnableError(
                f"{len(self.keys)} keys need as many content hashes; there are {len(self.digests)}."
            )
        if self.assignment.patterns_per_class > 1 and self.form == "samplewise":
            raise UnlearnableError("Sample-wise noise has one pattern per image, not several per class.")
        if self.assignment.offset != "tile" and (
            self.bank.shape[2] > self.grid[0] or self.bank.shape[3] > self.grid[1]
        ):
            raise UnlearnableError(
                f"A pattern of {self.bank.shape[2:]} does not fit on a grid of {self.grid}."
            )
        # a bank in a file is not read just to look at it: what is published is checked pixel by pixel anyway
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
        """Return the row of the bank that belongs to an image, or None if it has no noise."""
        if not self.assignment.covers(id, class_name):
            return None
        row = self._rows.get(id if self.form == "samplewise" else self.assignment.key(id, class_name))
        if row is not None and digest is not None and self.digests and self.digests[row] != digest:
            return None
        return row

    def slot(self, id: str, class_name: str, digest: str | None = None) -> Slot | None:
        """Return the row of an image and the offset of its pattern, or None if it has no noise.

        Args:
            id: Of the image.
            class_name: Name of its class.
            digest: Its content hash; None if it is known to be the image that the noise was made for.
        """
        row = self.row(id, class_name, digest)
        height, width = self.bank.shape[2:]
        return None if row is None else Slot(row, self.assignment.top_left(id, (height, width), self.grid))

    def pattern(self, slot: Slot) -> Int8Array:
        """Return a pattern on the grid, repeated or at its offset among zeros: int8 (C, height, width)."""
        pattern = self.bank[slot.row]
        height, width = self.grid
        if slot.top_left is not None:
            (top, left), (down, across) = slot.top_left, pattern.shape[1:]
            placed = np.zeros((len(pattern), height, width), np.int8)
            placed[:, top : top + down, left : left + across] = pattern
            return placed
        down, across = -(-height // pattern.shape[1]), -(-width // pattern.shape[2])
        return np.tile(pattern, (1, down, across))[:, :height, :width]

    def add(self, pixels: UInt8Array, slot: Slot) -> UInt8Array:
        """Add noise to an image at its own size, and clip *after* adding.

        Args:
            pixels: uint8 (H, W) grey, (H, W, 2) grey with alpha, (H, W, 3), or (H, W, 4) with alpha; alpha is
                left as it is.
            slot: What ``slot`` returned for the image: a small pattern is put on the grid first, and the grid
                lifted then.

        Returns:
            A new array of the same shape and type, within the budget.
        """
        pattern = self.pattern(slot).astype(np.float32)
        out = pixels.copy()
        colours = out[..., None] if pixels.ndim == 2 else out[..., : 1 if pixels.shape[2] == 2 else 3]
        if colours.shape[2] == 1:
            pattern = pattern.mean(
                axis=0, keepdims=True
            )  # one value for the three channels: a grey photo stays grey
        height, width = pixels.shape[:2]
        for top in range(
            0, height, STRIP
        ):  # so that a photo of any size needs little more memory than its pixels
            strip = colours[top : top + STRIP]
            lifted = self.budget.round(
                lift(pattern, height, width, self.interpolation, slice(top, top + STRIP))
            )
            strip[...] = _clip(strip, lifted.transpose(1, 2, 0))
        return out

    @property
    def _kind(self) -> tuple[Any, ...]:
        """What two banks must agree in to be one."""
        mine = self.assignment
        drawn = mine.seed if mine.patterns_per_class > 1 or mine.offset == "random" else None
        patterns = mine.patterns_per_class, mine.offset, drawn
        return self.form, self.grid, self.bank.shape[1:], self.budget, *patterns

    def joined(self, other: Noise) -> Noise:
        """Return this noise joined with another bank of its kind, whose patterns win where both have a key.

        Which images are left out, and what classes are mapped onto, stays as it is here.
        """
        if self._kind != other._kind:
            raise UnlearnableError("The two noises are of different kinds and cannot be joined.")
        kept = [row for row, key in enumerate(self.keys) if key not in other._rows]
        digests = (
            (*(self.digests[row] for row in kept), *other.digests) if self.digests and other.digests else ()
        )
        return replace(
            self,
            bank=np.concatenate([self.bank[kept], other.bank]),
            keys=(*(self.keys[row] for row in kept), *other.keys),
            digests=digests,
        )

    def save(self, path: str | Path) -> None:
        """Write a safetensors file, whole or not at all."""
        path = Path(path)
        plain = self.assignment == Assignment()
        meta = {
            "format": FORMAT if plain else ASSIGNED,
            "form": self.form,
            "epsilon": self.budget.epsilon,
            "grid": list(self.grid),
            "interpolation": self.interpolation,
            "provenance": dict(self.provenance),
            **({} if plain else {"assignment": self.assignment.to_json()}),
        }
        tensors = {
            "bank": np.ascontiguousarray(self.bank),
            "keys": _pack(self.keys),
            "digests": _pack(self.digests),
        }
        metadata = {"unlearnable": json.dumps(meta, sort_keys=True)}
        write_by(path, lambda draft: save_file(tensors, draft, metadata=metadata))

    @classmethod
    def load(cls, path: str | Path) -> Noise:
        """Read a noise file; its bank stays there, mapped, so that a bank of any size takes no memory.

        Raises:
            DataError: If the file is missing, damaged or something else.
        """
        path = Path(path)
        try:
            with safe_open(str(path), framework="np") as file:
                meta = json.loads((file.metadata() or {})["unlearnable"])
                if meta["format"] not in (FORMAT, ASSIGNED):
                    raise DataError(
                        f"{path} is a noise file of another version ({meta['format']}).",
                        "Make it again with this version.",
                    )
                return cls(
                    bank=_mapped(path),
                    keys=_unpack(file.get_tensor("keys")),
                    form=meta["form"],
                    budget=Budget(meta["epsilon"]),
                    grid=(meta["grid"][0], meta["grid"][1]),
                    interpolation=meta["interpolation"],
                    digests=_unpack(file.get_tensor("digests")),
                    provenance=meta["provenance"],
                    assignment=Assignment.from_json(meta["assignment"])
                    if meta["format"] == ASSIGNED
                    else Assignment(),
                )
        except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
            raise DataError(
                f"{path} is not a readable noise file ({error}).", "Make it again with `unlearnable fit`."
            ) from error


def _mapped(path: Path) -> Int8Array:
    """The bank of a noise file, mapped.

    A safetensors file begins with the length of its JSON header in 8 bytes, then the header, then the bytes.
    """
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        entry = json.loads(file.read(length))["bank"]
    if entry["dtype"] != "I8":
        raise ValueError(f"its bank is {entry['dtype']}, not I8")
    if 0 in entry["shape"]:
        return np.zeros(entry["shape"], np.int8)
    return np.memmap(path, np.int8, "r", 8 + length + entry["data_offsets"][0], tuple(entry["shape"]))


def _clip(pixels: UInt8Array, noise: Int8Array) -> UInt8Array:
    clipped: UInt8Array = np.clip(pixels.astype(np.int16) + noise, 0, 255).astype(np.uint8)
    return clipped


def _pack(texts: tuple[str, ...]) -> UInt8Array:
    packed: UInt8Array = np.frombuffer(json.dumps(texts, ensure_ascii=False).encode(), dtype=np.uint8).copy()
    return packed


def _unpack(packed: UInt8Array) -> tuple[str, ...]:
    return tuple(json.loads(packed.tobytes().decode()))
