"""The photos of a folder as a source. A path follows from its id, and what is learned takes 24 bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from unlearnable import hashing
from unlearnable.data.decoding import decode, size_of
from unlearnable.data.file_stamps import LENGTH
from unlearnable.data.id_rows import Rows
from unlearnable.data.photo import Photo
from unlearnable.data.photo_file import MAX_PIXELS, read_with_stamp
from unlearnable.errors import DataError

# bytes of a content hash that tell whether a file changed while the command was running
PREFIX = 8


class FilePaths(Mapping[str, Path]):
    """The path of every photo of a folder, by id.

    Args:
        root: The folder.
        rows: The ids.
        others: Path below the folder, for ids that are not equal to it: names that are not in Unicode's
            composed form.
    """

    def __init__(self, root: str, rows: Rows, others: Mapping[str, str]) -> None:
        self.root, self.rows, self.others = root, rows, others

    def __getitem__(self, id: str) -> Path:
        if id not in self:
            raise KeyError(id)
        return Path(self.root, self.others.get(id, id))

    def __contains__(self, id: object) -> bool:
        return self.rows.row(id) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows.ids)

    def __len__(self) -> int:
        return len(self.rows)


@dataclass
class FolderSource:
    """Photos on disk. A file that changes after it was first read is refused.

    Args:
        paths: Path of every id.
        max_pixels: Photos whose header claims more pixels are not decoded.
    """

    paths: Mapping[str, Path]
    max_pixels: int = MAX_PIXELS
    _digests: bytearray = field(init=False, repr=False, compare=False)
    _stamps: bytearray = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._digests = bytearray(PREFIX * len(self.paths))
        self._stamps = bytearray(LENGTH * len(self.paths))

    @cached_property
    def _rows(self) -> Rows:
        return self.paths.rows if isinstance(self.paths, FilePaths) else Rows(tuple(self.paths))

    def load(self, id: str) -> tuple[Photo, str]:
        """Return a photo and the SHA-256 of its file.

        Raises:
            DataError: If the file cannot be read or decoded, or has changed since it was first read.
        """
        path, row = self.paths[id], self._row(id)
        data, stamp = read_with_stamp(path, self.max_pixels)
        digest = hashing.of_bytes(data)
        before = self._digests[PREFIX * row : PREFIX * (row + 1)]
        self.recall(id, bytes.fromhex(digest))
        if any(before) and before != self._digests[PREFIX * row : PREFIX * (row + 1)]:
            raise DataError(
                f"{path} changed while the command was running.",
                "Run the command again when nothing else writes to the folder.",
            )
        self._stamps[LENGTH * row : LENGTH * (row + 1)] = stamp
        return decode(data, str(path), self.max_pixels), digest

    def recall(self, id: str, digest: bytes) -> None:
        """Note the SHA-256 of a file that an earlier command has read, and that has not changed since."""
        row = self._row(id)
        self._digests[PREFIX * row : PREFIX * (row + 1)] = digest[:PREFIX]

    @property
    def root(self) -> str:
        """The folder that ``name`` is relative to; empty if the paths have none in common."""
        return self.paths.root if isinstance(self.paths, FilePaths) else ""

    def name(self, id: str) -> str:
        """Return the path of the file below ``root``."""
        return self.paths.others.get(id, id) if isinstance(self.paths, FilePaths) else str(self.paths[id])

    def stamp_read(self, id: str) -> bytes:
        """Return the stamp that the file had when it was read; ``UNKNOWN`` if there is none."""
        row = self._row(id)
        return bytes(self._stamps[LENGTH * row : LENGTH * (row + 1)])

    def size(self, id: str) -> tuple[int, int] | None:
        """Return (height, width) from the header of the file; None if it cannot be read or is too large."""
        size = size_of(self.paths[id])
        return None if size is None or size[0] * size[1] > self.max_pixels else size

    def stamp(self, id: str) -> str:
        """Return size and modification time of the file as text."""
        try:
            facts = os.stat(os.path.join(self.root, self.name(id)))
        except OSError:
            return "gone"
        return f"{facts.st_size}:{facts.st_mtime_ns}"

    def origin(self, id: str) -> Path:
        """Return the path of the file."""
        return self.paths[id]

    def _row(self, id: str) -> int:
        row = self._rows.row(id)
        if row is None:
            raise KeyError(id)
        return row
