"""Content hashes, canonical JSON, and random draws by name. Everything the package hashes, it hashes here.

A draw depends on a seed and on the names it is given, never on earlier draws. Adding, removing or shuffling
images therefore changes nothing for the others, and an interrupted search resumes as if it had never stopped.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np


class Running(Protocol):
    """A hash to which bytes are still added."""

    def update(self, data: bytes, /) -> None:
        """Add bytes."""

    def digest(self) -> bytes:
        """Return the hash of everything so far."""

    def hexdigest(self) -> str:
        """Return it in hexadecimal."""


def of_bytes(data: bytes) -> str:
    """Return the SHA-256 of bytes, in hexadecimal: the content hash of a file's bytes."""
    return hashlib.sha256(data).hexdigest()


def running() -> Running:
    """Return a SHA-256 of nothing yet, to which bytes are added with ``update``."""
    return hashlib.sha256()


def of_open(file: BinaryIO) -> bytes:
    """Return the SHA-256 of an open file from its beginning, as 32 bytes."""
    return hashlib.file_digest(file, "sha256").digest()  # type: ignore[arg-type]


def short(data: bytes, length: int) -> bytes:
    """Return a hash of ``length`` bytes, from 1 to 64 (BLAKE2b), for stamps that only this program reads."""
    return hashlib.blake2b(data, digest_size=length).digest()


def of_file(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal, without holding the file in memory.

    Raises:
        OSError: If the file cannot be read.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def of_pixels(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> str:
    """Return the content hash of an image in memory: SHA-256 of its uint8 pixels, row by row, in hexadecimal.

    The shape is not hashed. Every source and every worker hashes images in memory this way, so noise made
    for an image matches that image wherever it comes from.
    """
    return of_bytes(pixels.tobytes())


def canonical(value: Any) -> str:
    """Return a value as canonical JSON: sorted keys, no spaces, Unicode unescaped."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(*values: Any) -> str:
    """Return the SHA-256 of the canonical JSON of the values, in hexadecimal."""
    return of_bytes(canonical(values).encode())


def of_rows(rows: Any) -> str:
    """Return the SHA-256 of the JSON of a table of images, with the spaces that ``json.dumps`` writes.

    Run folders since the first version are compared by it, so its form must not change.
    """
    return of_bytes(json.dumps(rows, ensure_ascii=False).encode())


def draw(seed: int, *names: str | int) -> float:
    """Return a number in [0, 1) that is determined by a seed and names.

    It has 53 bits, so rounding to a float never makes it 1.
    """
    return float((int.from_bytes(_named(seed, *names), "big") >> 11) / 2**53)


def derive(seed: int, *names: str | int) -> int:
    """Return a 63-bit seed that is determined by a seed and names."""
    return int.from_bytes(_named(seed, *names), "big") >> 1


def _named(seed: int, *names: str | int) -> bytes:
    return hashlib.sha256("\0".join([str(seed), *map(str, names)]).encode()).digest()[:8]
