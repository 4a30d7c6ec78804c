"""Stamps of files: 16 bytes that change when a file is written, replaced or renamed, without reading it.

A file system counts time in ticks of milliseconds to two seconds. A file that is written twice within one
tick may have the same size and times after both. So a stamp is *settled* only if the file was older than a
tick when its content was read; git calls other entries racy (Documentation/technical/racy-git.txt).
"""

from __future__ import annotations

import os
import struct
import time

from unlearnable import hashing

# two seconds for the ticks of FAT, and one for clocks that differ a little, as that of a file server may
SETTLED_SECONDS = 3.0
LENGTH = 16
UNKNOWN = bytes(LENGTH)


def stamp(status: os.stat_result) -> bytes:
    """Return a hash of size, number and times of a file: 16 bytes.

    The time of the last change of a file's entry is part of it, because copies and archives set the time of
    writing to that of another file.
    """
    values = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    text = struct.pack("<4Q", *(value & 0xFFFFFFFFFFFFFFFF for value in values))
    return hashing.short(text, LENGTH)


def settled(before: os.stat_result, after: os.stat_result, begun: int) -> bytes:
    """Return the stamp of a file that was read between two calls of ``fstat``.

    Args:
        before: The status before its first byte was read.
        after: The status after its last byte was read.
        begun: ``time.time_ns()`` before its first byte was read.

    Returns:
        The stamp; ``UNKNOWN`` if the file changed meanwhile, or was so young that it could change once more
        without another stamp. A file from the future is young.
    """
    youngest = max(before.st_mtime_ns, before.st_ctime_ns)
    if begun - youngest < SETTLED_SECONDS * 1e9 or stamp(before) != stamp(after):
        return UNKNOWN
    return stamp(before)


def now(path: str | os.PathLike[str]) -> bytes:
    """Return the stamp of a file; ``UNKNOWN`` if it is gone. A link is not followed."""
    try:
        return stamp(os.stat(path, follow_symlinks=False))
    except OSError:
        return UNKNOWN


def digest(path: str | os.PathLike[str]) -> tuple[bytes, bytes]:
    """Return the SHA-256 of a file, and its settled stamp.

    Raises:
        OSError: If it cannot be read.
    """
    begun = time.time_ns()
    with open(path, "rb") as file:
        before = os.fstat(file.fileno())
        found = hashing.of_open(file)
        return found, settled(before, os.fstat(file.fileno()), begun)
