"""Decoding of an image file to its 8-bit reference. docs/photos.md has the table of formats.

Only the formats of that table are opened, by the first bytes of the file. Nothing is changed for the rest of
the process: neither what Pillow opens, nor its limits and warnings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from unlearnable.budget import CHUNK_ROWS, UInt8Array
from unlearnable.data.colour import profile_of
from unlearnable.data.containers import Container, MissingReader, Unsupported, taken_apart
from unlearnable.data.metadata import cleaned
from unlearnable.data.photo import Metadata, Photo
from unlearnable.data.photo_file import BESIDE, MAX_PIXELS, FileSlices, require_photo, too_many_pixels
from unlearnable.data.pixels import pixels_of
from unlearnable.data.sniffing import HEAD, format_of
from unlearnable.errors import DataError

# how a photo with an EXIF orientation is turned upright
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# EXIF orientations that exchange height and width
ROTATED = frozenset({5, 6, 7, 8})


def decode(data: bytes, name: str, max_pixels: int = MAX_PIXELS, metadata: bool = False) -> Photo:
    """Return the 8-bit reference of an image file.

    EXIF orientation is applied. A photo whose three channels are equal becomes grey, and alpha that is opaque
    everywhere is dropped.

    Args:
        data: Bytes of the file.
        name: Name of the file for messages.
        max_pixels: Images whose header claims more pixels are not decoded.
        metadata: Whether to return harmless EXIF and XMP as well.

    Raises:
        DataError: If the bytes cannot be read as an image. The message has ``name``, reason and remedy.
    """
    format = require_photo(data[:HEAD], name)
    with _errors(name):
        container = taken_apart(data, format)
        if container.size[0] * container.size[1] > max_pixels:
            raise too_many_pixels(name, container.size, max_pixels)
        return _reference(container, data, metadata)


def photo_of(image: Image.Image) -> Photo:
    """Return the 8-bit reference of a Pillow image of any mode, for data sets that yield Pillow images.

    Pixels are converted as those of files are. The image is not turned: a data set whose images still have an
    EXIF orientation shows them to a trainer as they lie in the file. The number of channels stays the same,
    so a colour image that happens to be grey is not made grey, and opaque alpha stays.

    Raises:
        DataError: If the image cannot be read, or its mode has no 8-bit reference. The message names the
            mode.
    """
    with _errors(f"An image of the mode {image.mode}"):
        # an image that was opened but not loaded has no palette and no transparency yet
        image.load()
        if 0 in image.size:
            raise DataError("An image has no pixels.", "Leave it out.")
        pixels, notes = pixels_of(image)
        profile, note = profile_of(image, b"")
    return Photo(np.ascontiguousarray(pixels), profile, notes=(*notes, note) if note else notes)


def size_of(path: Path) -> tuple[int, int] | None:
    """Return (height, width) of an upright image file from its header; None if it cannot be read."""
    try:
        with open(path, "rb") as file:
            length = file.seek(0, 2)
            data = FileSlices(file, length)
            format = format_of(data[0:HEAD])
            # the headers of these formats are read by decoders that need the whole file
            if format is None or (format in ("AVIF", "HEIF") and length > BESIDE):
                return None
            container = taken_apart(data, format)
    except Exception:
        # ``decode`` reports the reason when the photo is read
        return None
    width, height = container.size
    return (width, height) if container.orientation in ROTATED else (height, width)


@contextmanager
def _errors(name: str) -> Iterator[None]:
    """Turn whatever a file makes its decoder raise into a DataError."""
    try:
        yield
    except DataError:
        raise
    except MissingReader:
        raise DataError(
            f"{name} is a HEIC photo, and the package that reads them is missing.",
            "Install the extra: pip install 'unlearnable[heic]'.",
        ) from None
    except Unsupported as error:
        raise DataError(f"{name} {error}.", "Convert it to an 8-bit PNG or JPEG file.") from error
    except MemoryError as error:
        raise DataError(
            f"{name} does not fit into memory.", "Lower --max-pixels to skip it, or free some memory."
        ) from error
    except Exception as error:
        # for damaged files, decoders raise anything from struct.error to ZeroDivisionError
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(
            f"{name} cannot be read as an image ({reason}).", "Replace or remove the file."
        ) from error


def _reference(container: Container, data: bytes, metadata: bool) -> Photo:
    notes = list(container.notes)
    image = container.load()
    # what the decoder knows of the file is replaced by what ``container`` found
    image.format = container.format
    beside = {"icc_profile": container.profile, "exif": container.exif, "xmp": container.xmp}
    # which level or colour of a palette is transparent
    beside["transparency"] = image.info.get("transparency")
    image.info = {key: value for key, value in beside.items() if value not in (None, b"")}
    profile, remark = profile_of(image, data)
    harmless, more = cleaned(image) if metadata else (Metadata(), ())
    if container.orientation in TURNS:
        image = image.transpose(TURNS[container.orientation])
    pixels, remarks = pixels_of(image)
    notes += [remark] if remark else []
    notes += [note for note in (*more, *remarks) if note not in notes]
    return Photo(_simplest(pixels), profile, harmless, tuple(notes))


def _simplest(pixels: UInt8Array) -> UInt8Array:
    """Return pixels without alpha that is opaque everywhere, and with one channel if three are equal."""
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    if channels in (2, 4) and _everywhere(pixels, lambda rows: rows[..., -1] == 255):
        channels -= 1
        pixels = pixels[..., 0] if channels == 1 else pixels[..., :3]
    if channels > 2 and _everywhere(pixels, lambda rows: rows[..., :1] == rows[..., 1:3]):
        pixels = pixels[..., 0] if channels == 3 else pixels[..., [0, 3]]
    return np.ascontiguousarray(pixels)


def _everywhere(pixels: UInt8Array, holds: Callable[[UInt8Array], np.ndarray[Any, Any]]) -> bool:
    # in chunks: most photos are told by their first rows, and little memory is needed
    return all(holds(pixels[top : top + CHUNK_ROWS]).all() for top in range(0, len(pixels), CHUNK_ROWS))
