"""A photo -> bytes of an image file."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, Literal

from PIL import Image

from unlearnable.data.photo import Photo
from unlearnable.errors import UsageError

Format = Literal["png", "webp", "jpeg"]
EXTENSION: dict[Format, str] = {"png": "png", "webp": "webp", "jpeg": "jpg"}
# zlib looks for runs only: what repeats further away is drowned by the noise, and looking for it takes four
# times as long
RUNS = 3
WEBP_LARGEST = 16_383  # pixels of a side that the format can say


@dataclass(frozen=True)
class Encoding:
    """How published files are written.

    Args:
        format: ``png`` and ``webp`` are lossless; ``jpeg`` is not, and weakens the noise (docs/photos.md has
            figures).
        quality: Of JPEG, 1 to 100.
        metadata: Whether harmless metadata is kept; else only the ICC profile is.
    """

    format: Format = "png"
    quality: int = 95
    metadata: bool = False

    def __post_init__(self) -> None:
        if self.format not in EXTENSION:
            raise UsageError(f"--format {self.format} is unknown.", f"Choose {', '.join(EXTENSION)}.")
        if not 1 <= self.quality <= 100:
            raise UsageError(
                f"--quality {self.quality} is not between 1 and 100.", "95 keeps most of the noise."
            )

    def suits(self, size: tuple[int, int], see_through: bool) -> tuple[Format, str]:
        """Return the format for a photo of (height, width), and why it is not the one that was asked for (or nothing)."""
        if self.format == "webp" and max(size) > WEBP_LARGEST:
            return "png", f"written as PNG: WebP ends at {WEBP_LARGEST} pixels a side"
        if self.format == "jpeg" and see_through:
            return "png", "written as PNG: JPEG has no transparency"
        return self.format, ""


def encode(photo: Photo, encoding: Encoding | Format = "png") -> bytes:
    """Encode a photo. WebP keeps the colour under transparent pixels (``exact``); JPEG keeps full colour resolution (4:4:4)."""
    encoding = Encoding(encoding) if isinstance(encoding, str) else encoding
    format, _ = encoding.suits(photo.size, photo.alpha is not None)
    image = Image.fromarray(photo.pixels)
    more: dict[str, Any] = {"icc_profile": photo.profile}
    if encoding.metadata and photo.metadata.exif:
        more["exif"] = photo.metadata.exif
    if encoding.metadata and photo.metadata.xmp:
        more["xmp"] = photo.metadata.xmp
    buffer = io.BytesIO()
    if format == "png":
        if "xmp" in more:
            from PIL.PngImagePlugin import PngInfo

            text = PngInfo()
            text.add_itxt("XML:com.adobe.xmp", more.pop("xmp").decode())
            more["pnginfo"] = text
        image.save(buffer, "PNG", compress_level=6, compress_type=RUNS, **more)
    elif format == "webp":
        image = image.convert("RGBA") if photo.alpha is not None else image
        image.save(
            buffer,
            "WEBP",
            lossless=True,
            exact=True,
            quality=70,
            method=4,
            **{**more, "icc_profile": photo.profile or b""},
        )
    else:
        image.save(buffer, "JPEG", quality=encoding.quality, subsampling=0, **more)
    return buffer.getvalue()
