"""Reading and writing one photo, and the one resize of the package. NumPy and Pillow only, so that workers stay small."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from unlearnable.budget import UInt8Array
from unlearnable.errors import DataError

Image.MAX_IMAGE_PIXELS = 200_000_000
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif"})
Format = Literal["png", "webp"]


@dataclass(frozen=True)
class Photo:
    """The 8-bit reference of a photo: what is protected, and what the budget is counted from.

    Args:
        pixels: uint8; (H, W) if the photo is grey, else (H, W, 3), or (H, W, 4) with alpha.
        profile: ICC profile of the pixels, or None.
    """

    pixels: UInt8Array
    profile: bytes | None = None

    @property
    def grey(self) -> bool:
        """Whether the photo has a single channel."""
        return self.pixels.ndim == 2

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return int(self.pixels.shape[0]), int(self.pixels.shape[1])

    def rgb(self) -> UInt8Array:
        """Return uint8 (H, W, 3), as a trainer's ``convert("RGB")`` sees the photo: alpha dropped, grey repeated."""
        return np.repeat(self.pixels[..., None], 3, axis=2) if self.grey else self.pixels[..., :3]


def decode(data: bytes, name: str) -> Photo:
    """Decode the bytes of an image file: EXIF orientation applied, grey (by content) kept grey, metadata left behind.

    Raises:
        DataError: If the bytes are not an image that can be read; the message names ``name``.
    """
    try:
        with Image.open(io.BytesIO(data)) as opened:
            opened.load()
            return _reference(ImageOps.exif_transpose(opened))
    except UnidentifiedImageError as error:  # whose own words name an object in memory
        raise DataError(f"{name} cannot be read as an image (its content is of no known kind).", "Replace or remove the file.") from error
    except (OSError, ValueError, SyntaxError, EOFError, RuntimeError, Image.DecompressionBombError, ImageCms.PyCMSError) as error:
        raise DataError(f"{name} cannot be read as an image ({error}).", "Replace or remove the file.") from error


def _reference(image: Image.Image) -> Photo:
    profile = image.info.get("icc_profile")
    if image.mode in ("I;16", "I;16B", "I;16L"):
        return Photo(np.rint(np.asarray(image).astype(np.float64) / 257).astype(np.uint8))
    if image.mode in ("F", "I"):
        raise ValueError(f"{image.mode} pixels have no 8-bit reference")
    if image.mode == "CMYK":
        if profile:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
            image = converted if converted is not None else image.convert("RGB")
        else:
            image = image.convert("RGB")
        profile = None
    if image.mode in ("L", "1"):
        return Photo(np.asarray(image.convert("L")), profile)
    alpha = ("A" in image.getbands() and image.mode != "LAB") or "transparency" in image.info
    if image.mode not in ("RGB", "RGBA"):
        profile = None if image.mode not in ("P", "LA", "PA") else profile
    pixels = np.asarray(image.convert("RGBA" if alpha else "RGB"))
    if not alpha and bool((pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 1] == pixels[..., 2]).all()):
        return Photo(pixels[..., 0].copy())  # a grey photo stored as RGB: its RGB profile does not fit one channel
    return Photo(pixels, profile)


def encode(photo: Photo, format: Format) -> bytes:
    """Encode a photo without loss. WebP keeps the colour under transparent pixels (``exact``); nothing but ICC is stored."""
    image = Image.fromarray(photo.pixels)
    buffer = io.BytesIO()
    if format == "png":
        image.save(buffer, "PNG", icc_profile=photo.profile, compress_level=6)
    else:
        image.save(buffer, "WEBP", lossless=True, exact=True, quality=70, method=4, icc_profile=photo.profile or b"")
    return buffer.getvalue()


def write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all: a hidden temporary neighbour, flushed to the disk, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.part")
    try:
        with open(draft, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def squash(pixels: UInt8Array, side: int) -> UInt8Array:
    """Resize uint8 (H, W) or (H, W, C) to a square of ``side`` pixels (antialiased bilinear); unchanged if it has that size."""
    if pixels.shape[:2] == (side, side):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BILINEAR))
