"""Encoding of a photo as the bytes of an image file."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, Literal

from PIL import Image

from unlearnable.arguments import instance, whole
from unlearnable.data.photo import Photo
from unlearnable.errors import UsageError

Format = Literal["png", "webp", "jpeg"]
EXTENSION: dict[Format, str] = {"png": "png", "webp": "webp", "jpeg": "jpg"}
# zlib's strategy Z_RLE, which compresses runs only: noise hides longer repetitions, and searching for them
# takes four times as long
PNG_STRATEGY = 3
# pixels; a limit of the file format
WEBP_MAX_SIDE = 16_383


@dataclass(frozen=True)
class Encoding:
    """How published files are written.

    Args:
        format: ``png`` and ``webp`` are lossless; ``jpeg`` is lossy and weakens the noise (docs/photos.md
            has figures).
        quality: JPEG quality, 1 to 100.
        metadata: Whether to save harmless metadata; without it, only the ICC profile is saved.

    Raises:
        UsageError: If the format is unknown or the quality is out of range.
    """

    format: Format = "png"
    quality: int = 95
    metadata: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.format, str) or self.format not in EXTENSION:
            raise UsageError(f"--format {self.format} is unknown.", f"Choose {', '.join(EXTENSION)}.")
        whole("quality", self.quality, 1, 100, "Give 95, which preserves most of the noise.")

    @classmethod
    def of(cls, value: Encoding | Format | None) -> Encoding:
        """Return what a caller passes as ``encoding``: a format by name, or None for PNG.

        Raises:
            UsageError: If it is anything else.
        """
        if value is None or isinstance(value, str):
            return cls(value or "png")
        return instance("encoding", value, cls, "an Encoding or a format", 'Give encoding="jpeg".')

    def format_for(self, size: tuple[int, int], has_alpha: bool) -> tuple[Format, str]:
        """Return the format for a photo, and the reason if it is not the format asked for.

        Args:
            size: (height, width) of the photo in pixels.
            has_alpha: Whether it has an alpha channel.

        Returns:
            The format and a reason; an empty reason if the format is the one asked for.
        """
        if self.format == "webp" and max(size) > WEBP_MAX_SIDE:
            return "png", f"written as PNG: WebP allows at most {WEBP_MAX_SIDE} pixels a side"
        if self.format == "jpeg" and has_alpha:
            return "png", "written as PNG: JPEG has no transparency"
        return self.format, ""


def encode(photo: Photo, encoding: Encoding | Format = "png") -> bytes:
    """Return a photo as the bytes of an image file.

    PNG and WebP are lossless, colours under transparent pixels included. JPEG has full colour resolution
    (4:4:4).
    """
    encoding = Encoding.of(encoding)
    format, _ = encoding.format_for(photo.size, photo.alpha is not None)
    image = Image.fromarray(photo.pixels)
    options: dict[str, Any] = {"icc_profile": photo.profile}
    if encoding.metadata and photo.metadata.exif:
        options["exif"] = photo.metadata.exif
    if encoding.metadata and photo.metadata.xmp:
        options["xmp"] = photo.metadata.xmp
    buffer = io.BytesIO()
    if format == "png":
        if "xmp" in options:
            from PIL.PngImagePlugin import PngInfo

            text = PngInfo()
            text.add_itxt("XML:com.adobe.xmp", options.pop("xmp").decode())
            options["pnginfo"] = text
        image.save(buffer, "PNG", compress_level=6, compress_type=PNG_STRATEGY, **options)
    elif format == "webp":
        image = image.convert("RGBA") if photo.alpha is not None else image
        image.save(
            buffer,
            "WEBP",
            lossless=True,
            exact=True,
            quality=70,
            method=4,
            **{**options, "icc_profile": photo.profile or b""},
        )
    else:
        image.save(buffer, "JPEG", quality=encoding.quality, subsampling=0, **options)
    return buffer.getvalue()
