"""Content hashes, canonical JSON, and draws by name: the one home of everything that is hashed.

A draw depends on a seed and on what it is for, never on what was drawn before it. That is why images that
come, go or are shuffled change nothing for others, and why an interrupted search resumes as if it had never
stopped.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np


def of_bytes(data: bytes) -> str:
    """Return the SHA-256 of bytes, in hexadecimal: the content hash of a file that was read."""
    return hashlib.sha256(data).hexdigest()


def of_file(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal, without reading it whole.

    Raises:
        OSError: If it cannot be read.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def of_pixels(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> str:
    """Return the content hash of an image that has no file: SHA-256 of its uint8 pixels, row by row.

    The shape is not part of it. Every source and every worker hashes an image this way, so noise that was
    found for an image is found again wherever the image comes from.
    """
    return of_bytes(pixels.tobytes())


def canonical(value: Any) -> str:
    """Return a value as JSON in the one way that is hashed: sorted keys, no spaces, Unicode as it is."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(*values: Any) -> str:
    """Return the SHA-256 of the canonical JSON of some values, in hexadecimal."""
    return of_bytes(canonical(values).encode())


def draw(seed: int, *names: str | int) -> float:
    """Return a number in [0, 1) that belongs to a seed and some names.

    It has 53 bits, so that it is below 1 as a float too.
    """
    return float((int.from_bytes(_named(seed, *names), "big") >> 11) / 2**53)


def derive(seed: int, *names: str | int) -> int:
    """Return a seed of 63 bits that belongs to a seed and some names."""
    return int.from_bytes(_named(seed, *names), "big") >> 1


def _named(seed: int, *names: str | int) -> bytes:
    return hashlib.sha256("\0".join([str(seed), *map(str, names)]).encode()).digest()[:8]
