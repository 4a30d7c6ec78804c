"""Bytes of an image file -> its 8-bit reference. The table of formats is in docs/photos.md."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from unlearnable.budget import STRIP, UInt8Array
from unlearnable.data.metadata import ORIENTATION, cleaned
from unlearnable.data.photo import Metadata, Photo
from unlearnable.errors import DataError

MAX_PIXELS = 250_000_000
HEIC = frozenset({".heic", ".heif"})
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif"}) | HEIC
HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
TURNED = frozenset({5, 6, 7, 8})  # EXIF orientations that exchange height and width
BITS_PER_SAMPLE = 258  # TIFF tag
# every file is measured against ``max_pixels`` before it is decoded, and its header is all that was read
Image.MAX_IMAGE_PIXELS = None
warnings.filterwarnings(
    "ignore", module=r"PIL\."
)  # what Pillow thinks of odd files is said once, as a note or a reason


def decode(data: bytes, name: str, max_pixels: int = MAX_PIXELS, metadata: bool = False) -> Photo:
    """Decode the bytes of an image file: EXIF orientation applied, grey (by content) kept grey, metadata left behind.

    Args:
        data: The file.
        name: What to call it in messages.
        max_pixels: Most pixels that are decoded, whatever the file claims.
        metadata: Whether to keep what can be kept of EXIF and XMP.

    Raises:
        DataError: If the bytes are not an image that can be read; the message names ``name``, reason and
            remedy.
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
                    f"{name} says that it has {width} x {height} pixels, more than {max_pixels} in all.",
                    "Raise --max-pixels if it is a photo that you trust.",
                )
            return _reference(opened, data, metadata)
    except DataError:
        raise
    except UnidentifiedImageError as error:  # whose own words name an object in memory
        raise DataError(
            f"{name} cannot be read as an image (its content is of no known kind).",
            "Replace or remove the file.",
        ) from error
    except MemoryError as error:
        raise DataError(
            f"{name} does not fit into memory.", "Lower --max-pixels, or give it more memory."
        ) from error
    except (
        Exception
    ) as error:  # decoders raise anything from struct.error to ZeroDivisionError over damaged bytes
        what = str(error) or type(error).__name__
        raise DataError(
            f"{name} cannot be read as an image ({what}).", "Replace or remove the file."
        ) from error


def size_of(path: Path) -> tuple[int, int] | None:
    """Return the (height, width) that the header of an image file says, upright; None if it cannot be told."""
    try:
        with open(path, "rb") as file:
            if _is_heif(file.read(64)):
                _register_heif(str(path))
        with Image.open(path) as image:
            width, height = image.size
            turned = image.getexif().get(ORIENTATION, 1) in TURNED
    except Exception:  # the reason is told when the photo is decoded
        return None
    return (width, height) if turned else (height, width)


def _reference(image: Image.Image, data: bytes, metadata: bool) -> Photo:
    notes = []
    if getattr(image, "is_animated", False):
        notes.append("the first of several pictures in the file")
    if _deep(image, data):
        notes.append("16 bits per channel, read as 8")
    image.load()
    try:
        ImageOps.exif_transpose(image, in_place=True)
        kept = cleaned(image) if metadata else Metadata()
    except Exception:  # the pixels are sound
        kept = Metadata()
        notes.append("its EXIF data cannot be read and was left out")
    profile = image.info.get("icc_profile") or None
    if image.mode.startswith("I;16"):
        return Photo(
            np.rint(np.asarray(image).astype(np.float64) / 257).astype(np.uint8), None, kept, tuple(notes)
        )
    if image.mode in ("F", "I"):
        raise ValueError(
            f"{'floating-point' if image.mode == 'F' else '32-bit'} pixels have no 8-bit reference"
        )
    if image.mode == "CMYK":
        image, note = _srgb(image, profile)
        notes += [note] if note else []
        profile = None
    # L*a*b* has a channel called A that is no transparency
    see_through = ("A" in image.getbands() and image.mode != "LAB") or "transparency" in image.info
    wanted = "RGBA" if see_through else "RGB"
    pixels = np.asarray(image if image.mode == wanted else image.convert(wanted))
    if _colourless(pixels):
        pixels = np.ascontiguousarray(pixels[..., [0, 3]] if see_through else pixels[..., 0])
    photo = Photo(pixels)
    if profile and not _fits(profile, b"GRAY" if photo.grey else b"RGB "):
        profile = None
        if not photo.grey:
            notes.append("its ICC profile is damaged or for another colour space and was left out")
    return Photo(pixels, profile, kept, tuple(notes))


def _colourless(pixels: UInt8Array) -> bool:
    strips = (
        pixels[top : top + STRIP] for top in range(0, len(pixels), STRIP)
    )  # the first colour ends it, in little memory
    return all((strip[..., :1] == strip[..., 1:3]).all() for strip in strips)


def _deep(image: Image.Image, data: bytes) -> bool:
    """Whether the file has colour of more than 8 bits, of which Pillow gives 8."""
    if image.format == "PNG":
        return (
            len(data) > 25 and data[24] == 16 and data[25] != 0
        )  # bit depth, and colour type other than plain grey
    bits: Any = getattr(image, "tag_v2", {}).get(BITS_PER_SAMPLE, ())
    return isinstance(bits, tuple) and len(bits) > 1 and max(bits) > 8


def _srgb(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, str]:
    if not profile:
        return image.convert("RGB"), "CMYK without a profile, converted plainly"
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        converted = None
    if converted is None:
        return image.convert("RGB"), "CMYK with a damaged profile, converted plainly"
    return converted, ""


def _fits(profile: bytes, space: bytes) -> bool:
    """Whether an ICC profile is whole and for a colour space (header bytes 16 to 19; ``acsp`` at 36; length at 0)."""
    return (
        len(profile) >= 128
        and profile[36:40] == b"acsp"
        and profile[16:20] == space
        and int.from_bytes(profile[:4]) == len(profile)
    )


def _is_heif(head: bytes) -> bool:
    return head[4:8] == b"ftyp" and head[8:12] in HEIC_BRANDS and b"avif" not in head[8:64]


def _register_heif(name: str) -> None:
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        raise DataError(
            f"{name} is a HEIC photo.", "Install the extra: pip install 'unlearnable[heic]'."
        ) from None
    register_heif_opener()
