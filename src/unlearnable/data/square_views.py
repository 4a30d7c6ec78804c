"""Memory for the squares of a view: an array, or for many squares a mapped temporary file without a name."""

from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path

import numpy as np

from unlearnable.budget import UInt8Array
from unlearnable.errors import DataError

# bytes; some 39,000 squares of 96 pixels
MAX_IN_MEMORY = 1 << 30
# squares that are copied at a time, so that a mapped file needs little memory
COPY_BATCH = 1024


def allocate(shape: tuple[int, ...], folder: Path | None = None) -> UInt8Array:
    """Return an uninitialised uint8 array.

    Up to 1 GiB is in memory. A larger array is mapped from a file that is deleted as soon as it is open, so
    no pixels of the photos are left on the disk, even if this process crashes.

    Args:
        shape: Usually (N, 3, S, S).
        folder: Folder of the file; the system's folder for temporary files if None.

    Raises:
        DataError: If the disk is too full.
    """
    size = math.prod(shape)
    if size <= MAX_IN_MEMORY:
        return np.empty(shape, np.uint8)
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            if hasattr(os, "posix_fallocate"):
                # on a full disk this raises an error; writing to a mapped page would crash the process
                os.posix_fallocate(file.fileno(), 0, size)
            return np.memmap(file, np.uint8, "w+", shape=shape)
    except OSError as error:
        path = folder or tempfile.gettempdir()
        raise DataError(
            f"The images need {size / 1e9:.1f} GB on disk, but {path} has no room ({error.strerror}).",
            "Free some space there"
            + ("." if folder else ", or set the environment variable TMPDIR to a folder with more."),
        ) from error
