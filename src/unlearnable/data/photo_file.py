"""Reading the file of a photo: other files are told by their first bytes, and never read whole."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path
from typing import BinaryIO

from unlearnable.data.containers import isobmff, taken_apart
from unlearnable.data.file_stamps import settled
from unlearnable.data.sniffing import HEAD, format_of, what_it_is
from unlearnable.errors import DataError

# bytes that a file may have beside its pixels: metadata, a film behind the photo, other pictures
BESIDE = 128_000_000
# bytes of a pixel with four channels of 16 bits
PIXEL = 8
MAX_PIXELS = 250_000_000


class FileSlices:
    """An open file of which only slices are read, for code that takes bytes apart."""

    def __init__(self, file: BinaryIO, length: int) -> None:
        self.file = file
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(self.length)
        self.file.seek(start)
        return self.file.read(max(stop - start, 0))


def read_photo_file(path: Path, max_pixels: int = MAX_PIXELS) -> bytes:
    """Return the bytes of a photo's file; ``read_with_stamp`` has the details."""
    return read_with_stamp(path, max_pixels)[0]


def read_with_stamp(path: Path, max_pixels: int = MAX_PIXELS) -> tuple[bytes, bytes]:
    """Return the bytes of a photo's file, and its stamp.

    The first bytes decide. The file of a film or a document is not read further, and no more is read than the
    file of such a photo can have.

    Args:
        path: A regular file. Anything else, such as a pipe, is refused without waiting for it.
        max_pixels: Photos whose header claims more pixels are not read.

    Returns:
        The bytes, and a stamp that the file has until it changes (``file_stamps.settled``).

    Raises:
        DataError: If the file cannot be read, is no photo of a format that is read, or is too large.
    """
    try:
        begun = time.time_ns()
        with _opened(path) as file:
            before = os.fstat(file.fileno())
            length = before.st_size
            head = file.read(HEAD)
            require_photo(head, str(path))
            if length > BESIDE:
                _require_likely(FileSlices(file, length), head, path, max_pixels)
            file.seek(0)
            return file.read(), settled(before, os.fstat(file.fileno()), begun)
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror or error}).",
            "Check that the file exists and that you may read it.",
        ) from error
    except MemoryError as error:
        raise DataError(f"{path} does not fit into memory.", "Free some memory.") from error


def require_photo(head: bytes, name: str) -> str:
    """Return the format of a file, by its first bytes.

    Args:
        head: The first bytes of the file, up to 4,096.
        name: Name of the file for messages.

    Raises:
        DataError: If it is no format that is read. The message says what the file is, if its bytes tell.
    """
    if not head:
        raise DataError(f"{name} is empty.", "Replace or remove the file.")
    format = format_of(head)
    if format is not None:
        return format
    kind = what_it_is(head)
    if kind:
        raise DataError(f"{name} is not a photo: its content is {kind}.", "Replace or remove the file.")
    raise DataError(
        f"{name} cannot be read as an image (its content is of no known format).",
        "Replace or remove the file.",
    )


def too_many_pixels(name: str, size: tuple[int, int], max_pixels: int) -> DataError:
    """Return the error for a header that claims too many pixels.

    Args:
        name: Name of the file.
        size: (width, height) in pixels.
        max_pixels: Most pixels that are decoded.
    """
    return DataError(
        f"{name} claims to have {size[0]} x {size[1]} pixels, more than {max_pixels}.",
        "Raise --max-pixels if you trust the photo.",
    )


def _opened(path: Path) -> BinaryIO:
    # without waiting, because a pipe with nobody at its other end never opens
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    file = os.fdopen(os.open(path, flags), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise DataError(f"{path} is not a regular file.", "Replace or remove it.")
    return file


def _require_likely(data: FileSlices, head: bytes, path: Path, max_pixels: int) -> None:
    """Raise a DataError if a file is larger than a photo of its size in pixels can be."""
    format = format_of(head) or ""
    try:
        if format in ("AVIF", "HEIF"):
            size = (isobmff.claimed_pixels(data[0 : isobmff.HEAD]), 1)
        else:
            size = taken_apart(data, format).size
    except ValueError:
        # refused below by its length, or by ``decode`` with the reason
        size = (0, 0)
    pixels = size[0] * size[1]
    if pixels > max_pixels:
        raise too_many_pixels(str(path), size, max_pixels)
    limit = BESIDE + PIXEL * pixels
    if len(data) > limit:
        raise DataError(
            f"{path} has {len(data) / 1e6:,.0f} MB, more than a photo of {pixels:,} pixels can "
            f"have ({limit / 1e6:,.0f} MB).",
            "Save the photo alone in a new file, or remove this one.",
        )
