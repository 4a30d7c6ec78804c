"""Decoding of an image file to its 8-bit reference. docs/photos.md has the table of formats."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from unlearnable.budget import CHUNK_ROWS, UInt8Array
from unlearnable.data import colour
from unlearnable.data.metadata import ORIENTATION, cleaned
from unlearnable.data.photo import Metadata, Photo
from unlearnable.errors import DataError

MAX_PIXELS = 250_000_000
HEIC = frozenset({".heic", ".heif"})
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif"}) | HEIC
HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
# EXIF orientations that exchange height and width
ROTATED = frozenset({5, 6, 7, 8})
# TIFF tag
BITS_PER_SAMPLE = 258
# Pillow's own limit is off, because ``decode`` compares every header with ``max_pixels`` before decoding.
Image.MAX_IMAGE_PIXELS = None
# Pillow's warnings about odd files are off, because the notes of a photo and the errors report them once.
warnings.filterwarnings("ignore", module=r"PIL\.")


def decode(data: bytes, name: str, max_pixels: int = MAX_PIXELS, metadata: bool = False) -> Photo:
    """Return the 8-bit reference of an image file.

    EXIF orientation is applied. A photo whose three channels are equal becomes grey.

    Args:
        data: Bytes of the file.
        name: Name of the file for messages.
        max_pixels: Images whose header claims more pixels are not decoded.
        metadata: Whether to return harmless EXIF and XMP as well.

    Raises:
        DataError: If the bytes cannot be read as an image. The message has ``name``, reason and remedy.
    """
    if not data:
        raise DataError(f"{name} is empty.", "Replace or remove the file.")
    if _is_heif(data[:64]):
        _register_heif(name)
    try:
        with Image.open(io.BytesIO(data)) as opened:
            width, height = opened.size
            if width * height > max_pixels:
                raise DataError(
                    f"{name} claims to have {width} x {height} pixels, more than {max_pixels}.",
                    "Raise --max-pixels if you trust the photo.",
                )
            return _reference(opened, data, metadata)
    except DataError:
        raise
    except UnidentifiedImageError as error:
        # Pillow's message names an object in memory, which tells the user nothing
        raise DataError(
            f"{name} cannot be read as an image (unknown format).", "Replace or remove the file."
        ) from error
    except MemoryError as error:
        raise DataError(
            f"{name} does not fit into memory.", "Lower --max-pixels to skip it, or free some memory."
        ) from error
    except Exception as error:
        # for damaged files, decoders raise anything from struct.error to ZeroDivisionError
        reason = str(error) or type(error).__name__
        raise DataError(
            f"{name} cannot be read as an image ({reason}).", "Replace or remove the file."
        ) from error


def size_of(path: Path) -> tuple[int, int] | None:
    """Return (height, width) of an upright image file from its header; None if it cannot be read."""
    try:
        with open(path, "rb") as file:
            if _is_heif(file.read(64)):
                _register_heif(str(path))
        with Image.open(path) as image:
            width, height = image.size
            rotated = image.getexif().get(ORIENTATION, 1) in ROTATED
    except Exception:
        # ``decode`` reports the reason when the photo is read
        return None
    return (width, height) if rotated else (height, width)


def _reference(image: Image.Image, data: bytes, metadata: bool) -> Photo:
    notes = []
    if getattr(image, "is_animated", False):
        notes.append("only the first of several pictures in the file was read")
    if _has_deep_colour(image, data):
        notes.append("16 bits per channel, read as 8")
    image.load()
    profile, note = colour.profile_of(image, data)
    notes += [note] if note else []
    try:
        ImageOps.exif_transpose(image, in_place=True)
    except Exception:
        # damaged EXIF data is no reason to refuse intact pixels
        notes.append("its EXIF data cannot be read and was left out")
    harmless, remarks = cleaned(image) if metadata else (Metadata(), ())
    notes += [remark for remark in remarks if remark not in notes]
    if image.mode.startswith("I;16"):
        levels = np.rint(np.asarray(image).astype(np.float64) / 257).astype(np.uint8)
        return Photo(levels, profile, harmless, tuple(notes))
    if image.mode in ("F", "I"):
        raise ValueError(
            f"{'floating-point' if image.mode == 'F' else '32-bit'} pixels have no 8-bit reference"
        )
    if image.mode == "CMYK":
        image, note = _srgb(image, image.info.get("icc_profile"))
        notes += [note] if note else []
    # channel A of L*a*b* is a colour, not transparency
    has_alpha = ("A" in image.getbands() and image.mode != "LAB") or "transparency" in image.info
    mode = "RGBA" if has_alpha else "RGB"
    pixels = np.asarray(image if image.mode == mode else image.convert(mode))
    if _is_grey(pixels):
        pixels = np.ascontiguousarray(pixels[..., [0, 3]] if has_alpha else pixels[..., 0])
    return Photo(pixels, profile, harmless, tuple(notes))


def _is_grey(pixels: UInt8Array) -> bool:
    # in chunks: most colour photos are recognised by their first rows, and little memory is needed
    chunks = (pixels[top : top + CHUNK_ROWS] for top in range(0, len(pixels), CHUNK_ROWS))
    return all((chunk[..., :1] == chunk[..., 1:3]).all() for chunk in chunks)


def _has_deep_colour(image: Image.Image, data: bytes) -> bool:
    """Return whether the file has more than 8 bits per colour channel, which Pillow reduces to 8."""
    if image.format == "PNG":
        # byte 24 is the bit depth; byte 25 the colour type, 0 for plain grey
        return len(data) > 25 and data[24] == 16 and data[25] != 0
    bits: Any = getattr(image, "tag_v2", {}).get(BITS_PER_SAMPLE, ())
    return isinstance(bits, tuple) and len(bits) > 1 and max(bits) > 8


def _srgb(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, str]:
    if not profile:
        return image.convert("RGB"), "CMYK without a profile, converted without colour management"
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        converted = None
    if converted is None:
        return image.convert("RGB"), "CMYK with a damaged profile, converted without colour management"
    return converted, ""


def _is_heif(head: bytes) -> bool:
    return head[4:8] == b"ftyp" and head[8:12] in HEIC_BRANDS and b"avif" not in head[8:64]


def _register_heif(name: str) -> None:
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        raise DataError(
            f"{name} is a HEIC photo, and the package that reads them is missing.",
            "Install the extra: pip install 'unlearnable[heic]'.",
        ) from None
    register_heif_opener()
