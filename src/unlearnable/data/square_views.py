"""Where the squares of a view lie: in memory, or, when they are many, in a file that has no name and so outlives nobody."""

from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path

import numpy as np

from unlearnable.budget import UInt8Array
from unlearnable.errors import DataError

MEMORY = 1 << 30  # bytes; some 39,000 squares of 96 pixels


def square_views(shape: tuple[int, ...], folder: Path | None = None) -> UInt8Array:
    """Return room for squares, uint8 of a shape, uninitialised.

    Up to 1 GiB lies in memory. More is mapped from a file that is removed as soon as it is open, so that
    nothing of the photos is left there, whatever becomes of this process.

    Args:
        shape: Usually (N, 3, S, S).
        folder: Where the file lies; the system's folder for temporary files if None.

    Raises:
        DataError: If the disk has no room.
    """
    size = math.prod(shape)
    if size <= MEMORY:
        return np.empty(shape, np.uint8)
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(
                    file.fileno(), 0, size
                )  # a full disk is an error here, and a crash when a mapped page is written
            return np.memmap(file, np.uint8, "w+", shape=shape)
    except OSError as error:
        place = folder or tempfile.gettempdir()
        raise DataError(
            f"The images need {size / 1e9:.1f} GB on disk, and there is no room in {place} ({error.strerror}).",
            "Free some space there, or work at a lower --resolution.",
        ) from error
