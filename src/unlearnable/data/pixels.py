"""Pillow images of every mode as the 8-bit pixels that people see."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from unlearnable.budget import UInt8Array
from unlearnable.errors import DataError

# TIFF tags
BITS_PER_SAMPLE, PHOTOMETRIC = 258, 262
# the mode that shows an image of each mode, without and with transparency
SHOWN = {
    "1": ("L", "LA"),
    "L": ("L", "LA"),
    "LA": ("LA", "LA"),
    "La": ("LA", "LA"),
    "P": ("RGB", "RGBA"),
    "PA": ("RGBA", "RGBA"),
    "RGB": ("RGB", "RGBA"),
    "RGBX": ("RGB", "RGB"),
    "RGBA": ("RGBA", "RGBA"),
    "RGBa": ("RGBA", "RGBA"),
    "YCbCr": ("RGB", "RGB"),
    "HSV": ("RGB", "RGB"),
    "LAB": ("RGB", "RGB"),
}
REASONS = {
    "F": "floating-point pixels, which have no 8-bit reference",
    "I": "32-bit pixels, which have no 8-bit reference",
}


def pixels_of(image: Image.Image) -> tuple[UInt8Array, tuple[str, ...]]:
    """Return the pixels of an image as people see them, and remarks on their conversion.

    The colours are those of ``convert("RGB")``, except that CMYK with an ICC profile is converted to sRGB
    through it, and that 16-bit grey is rounded to 8 bits: round(v / 257). Transparency becomes alpha. EXIF
    orientation is not applied.

    Args:
        image: An image of any mode.

    Returns:
        uint8 (H, W), (H, W, 2) with alpha, (H, W, 3), or (H, W, 4) with alpha; and the remarks.

    Raises:
        DataError: If pixels of this mode have no 8-bit reference. The message names the mode.
    """
    if image.mode.startswith("I;16"):
        return _deep_grey(image), ()
    if image.mode == "CMYK":
        converted, note = _srgb(image, image.info.get("icc_profile"))
        return np.asarray(converted), (note,) if note else ()
    if image.mode not in SHOWN:
        raise DataError(
            f"An image has the mode {image.mode}: {REASONS.get(image.mode, 'its pixels cannot be shown')}.",
            "Scale its pixels to 8 bits first.",
        )
    mode = SHOWN[image.mode][image.has_transparency_data]
    return np.asarray(image if image.mode == mode else image.convert(mode)), ()


def _deep_grey(image: Image.Image) -> UInt8Array:
    tags: Any = getattr(image, "tag_v2", {})
    bits = tags.get(BITS_PER_SAMPLE, (16,))
    if tuple(np.atleast_1d(bits)) != (16,) or tags.get(PHOTOMETRIC, 1) != 1:
        raise DataError(
            "An image has the mode I;16, but its TIFF file has fewer than 16 bits, or white at 0.",
            "Load it from the folder of its file instead.",
        )
    # one row of a table a level, because a photo of floating-point levels takes eight times the memory
    table = np.rint(np.arange(65536) / 257).astype(np.uint8)
    return np.asarray(table[np.asarray(image)])


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
