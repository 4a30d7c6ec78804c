"""Directories of tags, which TIFF, EXIF and multi-picture JPEG share. Every length is checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from unlearnable.data.containers.base import Data

ORIENTATION = 274
# bytes of a value of each type
WIDTH = dict.fromkeys((1, 2, 6, 7), 1) | dict.fromkeys((3, 8), 2) | dict.fromkeys((4, 9, 11, 13), 4)
WIDTH |= dict.fromkeys((5, 10, 12, 16, 17, 18), 8)
# types of unsigned integers
INTEGERS = frozenset({1, 3, 4, 13, 16, 18})
# directories that are followed, more than the pages of any document
MAX_DIRECTORIES = 10_000


@dataclass(frozen=True)
class Tag:
    """One tag: the entry of the directory as it is, the type, and where its values are."""

    entry: bytes
    type: int
    start: int
    length: int


@dataclass(frozen=True)
class Directories:
    """A structure of directories.

    Args:
        data: Its bytes.
        order: Byte order of its numbers.
        big: Whether offsets have eight bytes (BigTIFF).
    """

    data: Data
    order: Literal["little", "big"]
    big: bool

    @classmethod
    def of(cls, data: Data) -> Directories:
        """Return the structure of TIFF or EXIF bytes.

        Raises:
            ValueError: If the bytes do not begin as such a structure does.
        """
        head = data[0:4]
        if head[:2] not in (b"II", b"MM"):
            raise ValueError("no byte order")
        order: Literal["little", "big"] = "little" if head[:2] == b"II" else "big"
        version = int.from_bytes(head[2:4], order)
        if version not in (42, 43):
            raise ValueError("no TIFF structure")
        return cls(data, order, version == 43)

    def number(self, start: int, length: int) -> int:
        """Return the unsigned number at a place."""
        raw = self.data[start : start + length]
        if len(raw) < length:
            raise ValueError("truncated")
        return int.from_bytes(raw, self.order)

    def starts(self) -> Iterator[int]:
        """Yield where each directory of the chain begins; the chain ends where it is damaged."""
        seen: set[int] = set()
        start = self.number(8, 8) if self.big else self.number(4, 4)
        while start and start not in seen and len(seen) < MAX_DIRECTORIES:
            seen.add(start)
            yield start
            try:
                count = self.number(start, 8 if self.big else 2)
                after = start + (8 + 20 * count if self.big else 2 + 12 * count)
                start = self.number(after, 8 if self.big else 4)
            except ValueError:
                return

    def tags(self, start: int) -> dict[int, Tag]:
        """Return the tags of the directory at a place. Entries that point out of the data are left out."""
        head, size, inline = (8, 20, 8) if self.big else (2, 12, 4)
        count = self.number(start, head)
        entries = self.data[start + head : start + head + size * count]
        found: dict[int, Tag] = {}
        for at in range(0, len(entries) - size + 1, size):
            entry = entries[at : at + size]
            here = Directories(entry, self.order, self.big)
            tag, type, values = here.number(0, 2), here.number(2, 2), here.number(4, inline)
            length = WIDTH.get(type, 0) * values
            place = start + head + at + 4 + inline if length <= inline else here.number(4 + inline, inline)
            if type in WIDTH and values and place + length <= len(self.data):
                found.setdefault(tag, Tag(entry, type, place, length))
        return found

    def integers(self, tags: dict[int, Tag], tag: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """Return the values of a tag of unsigned integers, or the default."""
        found = tags.get(tag)
        if found is None or found.type not in INTEGERS:
            return default
        width = WIDTH[found.type]
        raw = self.data[found.start : found.start + found.length]
        return tuple(int.from_bytes(raw[at : at + width], self.order) for at in range(0, len(raw), width))

    def raw(self, tags: dict[int, Tag], tag: int) -> bytes:
        """Return the bytes of a tag; empty if it is absent."""
        found = tags.get(tag)
        return self.data[found.start : found.start + found.length] if found else b""


def orientation_of(exif: bytes) -> int | None:
    """Return the orientation in EXIF bytes, 1 to 8; 1 if there is none, and None if they are damaged."""
    exif = exif.removeprefix(b"Exif\0\0")
    if not exif:
        return 1
    try:
        found = Directories.of(exif)
        start = next(found.starts(), None)
        if start is None:
            return None
        return upright(found.integers(found.tags(start), ORIENTATION, (1,)))
    except ValueError:
        return None


def upright(values: tuple[int, ...]) -> int:
    """Return an orientation; 1 for one that does not exist."""
    return values[0] if values and 1 <= values[0] <= 8 else 1
