"""Photos of a stream, which can be read only once: in memory, and beyond 1 GiB in a temporary file."""

from __future__ import annotations

import json
import os
import struct
import tempfile
import weakref
from array import array
from contextlib import suppress
from typing import Any

import numpy as np

from unlearnable import hashing
from unlearnable.data.facts_table import DIGEST, PACKED, FactsTable, packed
from unlearnable.data.id_rows import Rows
from unlearnable.data.item_columns import encoded_in, photo_in
from unlearnable.data.item_source import id_of
from unlearnable.data.photo import Photo
from unlearnable.data.source import Facts
from unlearnable.data.square_views import MAX_IN_MEMORY
from unlearnable.errors import DataError

# length of a header
HEAD = struct.Struct("<I")


class Spool:
    """The photos of a stream, whose ids are their positions. It is a source once all photos are added.

    Image files are saved as they are, other images as pixels. The first ``MAX_IN_MEMORY`` bytes stay in
    memory. The rest goes into a file in the system's folder for temporary files (``TMPDIR``), which only this
    user can read. The file is deleted when nothing refers to the photos any more, or when the process ends,
    unless it is killed. Pickled copies, such as those of worker processes, read the same file.
    """

    def __init__(self) -> None:
        self._memory: list[bytes | Photo] = []
        self._bytes = 0
        self._path: str | None = None
        # where each record in the file begins, and where the last one ends
        self._starts = array("Q", [0])
        self._facts = bytearray()

    def __len__(self) -> int:
        return len(self._facts) // (DIGEST + PACKED.size)

    def add(self, image: Any) -> None:
        """Add the image of the next item.

        Raises:
            DataError: If it is no image, or the disk is too full.
        """
        position, data = len(self), encoded_in(image)
        photo = photo_in(image, _what(position))
        digest = hashing.of_pixels(photo.pixels)
        self._facts += bytes.fromhex(digest) + packed(Facts.of(photo, digest))
        self._bytes += photo.pixels.nbytes if data is None else len(data)
        if self._path is None and self._bytes <= MAX_IN_MEMORY:
            self._memory.append(photo if data is None else data)
            return
        try:
            self._append(_record(photo) if data is None else _record(data))
        except OSError as error:
            raise DataError(
                f"The photos of the data set are saved in {tempfile.gettempdir()}, which has no room for "
                f"item {position} ({error.strerror}).",
                "Free some space there, or set the environment variable TMPDIR to a folder with more.",
            ) from error

    def facts(self) -> FactsTable:
        """Return the facts of all photos."""
        table, row = FactsTable(Rows(tuple(map(id_of, range(len(self)))))), DIGEST + PACKED.size
        for position in range(len(self)):
            one = self._facts[row * position : row * (position + 1)]
            table.put_packed(position, bytes(one[:DIGEST]), bytes(one[DIGEST:]))
        return table

    def load(self, id: str) -> tuple[Photo, str]:
        """Return a photo and the hash of its pixels."""
        position = int(id)
        found = self._read(position)
        photo = found if isinstance(found, Photo) else photo_in(found, _what(position))
        return photo, self.stamp(id)

    def size(self, id: str) -> tuple[int, int]:
        """Return (height, width)."""
        start = (DIGEST + PACKED.size) * int(id) + DIGEST
        height, width, _ = PACKED.unpack_from(self._facts, start)
        return height, width

    def stamp(self, id: str) -> str:
        """Return the hash of the pixels."""
        start = (DIGEST + PACKED.size) * int(id)
        return self._facts[start : start + DIGEST].hex()

    def origin(self, id: str) -> Photo:
        """Return the photo itself."""
        return self.load(id)[0]

    def _append(self, record: bytes) -> None:
        if self._path is None:
            handle, self._path = tempfile.mkstemp(prefix="unlearnable-", suffix=".photos")
            os.close(handle)
            weakref.finalize(self, _remove, self._path, os.getpid())
        with open(self._path, "r+b") as file:
            # a record that could not be written to its end is written over
            file.seek(self._starts[-1])
            file.write(record)
        self._starts.append(self._starts[-1] + len(record))

    def _read(self, position: int) -> bytes | Photo:
        if position < len(self._memory):
            return self._memory[position]
        number = position - len(self._memory)
        assert self._path is not None
        # opened each time, so that threads and processes do not share a position in the file
        with open(self._path, "rb") as file:
            file.seek(self._starts[number])
            return _content(file.read(self._starts[number + 1] - self._starts[number]))


def _what(position: int) -> str:
    return f"The image of item {position}"


def _record(content: bytes | Photo) -> bytes:
    """Return a photo as bytes: a header in JSON with its length, the profile, the pixels or the file."""
    if isinstance(content, bytes):
        head: dict[str, Any] = {}
        parts = [content]
    else:
        profile = content.profile or b""
        head = {"shape": content.pixels.shape, "profile": len(profile), "notes": content.notes}
        parts = [profile, content.pixels.tobytes()]
    text = json.dumps(head).encode()
    return b"".join([HEAD.pack(len(text)), text, *parts])


def _content(record: bytes) -> bytes | Photo:
    start = HEAD.size + HEAD.unpack_from(record)[0]
    head, rest = json.loads(record[HEAD.size : start]), record[start:]
    if not head:
        return rest
    length = head["profile"]
    pixels = np.frombuffer(rest, np.uint8, offset=length).reshape(head["shape"]).copy()
    return Photo(pixels, rest[:length] or None, notes=tuple(head["notes"]))


def _remove(path: str, process: int) -> None:
    # a worker process that was forked must not remove the file of its parent
    if os.getpid() == process:
        with suppress(OSError):
            os.unlink(path)
