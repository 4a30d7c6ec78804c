"""Encoding of a photo as the bytes of an image file."""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from unlearnable.arguments import instance, whole
from unlearnable.budget import UInt8Array
from unlearnable.data import icc
from unlearnable.data.photo import Photo
from unlearnable.errors import DataError, UsageError

Format = Literal["png", "webp", "jpeg"]
EXTENSION: dict[Format, str] = {"png": "png", "webp": "webp", "jpeg": "jpg"}
NAMES: dict[Format, str] = {"png": "PNG", "webp": "WebP", "jpeg": "JPEG"}
DIFFERENT = "colours may look different"
# zlib's strategies Z_RLE and Z_DEFAULT_STRATEGY. Noise hides repetitions longer than runs, and searching for
# them takes four times as long; it pays for three equal channels, which are twice as long without.
RUNS, SEARCHING = 3, 0
# Pixels a side: limits of WebP's format and of libjpeg.
MAX_SIDE: dict[Format, int] = {"webp": 16_383, "jpeg": 65_500}
# Bytes. A segment of a JPEG file holds EXIF or XMP with its name; 255 segments hold an ICC profile. Pillow,
# with which most trainers read, refuses PNG files with a longer profile.
MAX_EXIF: dict[Format, int] = {"jpeg": 65_533}
MAX_XMP: dict[Format, int] = {"jpeg": 65_533 - len(b"http://ns.adobe.com/xap/1.0/\0")}
MAX_PROFILE: dict[Format, int] = {"jpeg": 255 * (65_533 - len(b"ICC_PROFILE\0") - 2), "png": 1 << 20}

# A site shrinks and compresses what is larger and finer than its own files; it does less to a file like them.
PURPOSES: dict[str, dict[str, Any]] = {"web": {"format": "jpeg", "quality": 90, "max_side": 2048}}


@dataclass(frozen=True)
class Encoding:
    """How published files are written.

    Args:
        format: ``png`` and ``webp`` are lossless; ``jpeg`` is lossy and weakens the noise (docs/photos.md
            has figures).
        quality: JPEG quality, 1 to 100.
        metadata: Whether to save harmless metadata; without it, only the ICC profile is saved.
        max_side: Longest side in pixels; larger photos are resized before the noise is added. 0 for none.

    Raises:
        UsageError: If the format is unknown, or the quality or the side is out of range.
    """

    format: Format = "png"
    quality: int = 95
    metadata: bool = False
    max_side: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.format, str) or self.format not in EXTENSION:
            raise UsageError(f"--format {self.format} is unknown.", f"Choose {', '.join(EXTENSION)}.")
        whole("quality", self.quality, 1, 100, "Give 95, which preserves most of the noise.")
        whole("max_side", self.max_side, 0, None, "Give 2048, or 0 to leave photos at their own size.")

    @classmethod
    def of(cls, value: Encoding | Format | None) -> Encoding:
        """Return what a caller passes as ``encoding``: a format by name, or None for PNG.

        Raises:
            UsageError: If it is anything else.
        """
        if value is None or isinstance(value, str):
            return cls(value or "png")
        return instance("encoding", value, cls, "an Encoding or a format", 'Give encoding="jpeg".')

    @property
    def record(self) -> dict[str, Any]:
        """The settings, as run folders save them: ``max_side`` only where it is given."""
        # files of earlier versions are named by a hash over the other three
        return {name: value for name, value in asdict(self).items() if name != "max_side" or value}

    def size_of(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the (height, width) at which a photo of a size is published."""
        longest = max(size)
        if not 0 < self.max_side < longest:
            return size
        height, width = (max(1, round(side * self.max_side / longest)) for side in size)
        return height, width

    @classmethod
    def chosen(
        cls,
        purpose: str | None,
        format: str | None = None,
        quality: int | None = None,
        max_side: int | None = None,
        metadata: bool = False,
    ) -> Encoding:
        """Return the encoding for a purpose, in which whatever is given replaces the purpose's choice.

        Args:
            purpose: ``web``, for sites that compress and shrink uploads; None for lossless files.
            format: As in the class; None for that of the purpose.
            quality: Likewise.
            max_side: Likewise.
            metadata: As in the class.

        Raises:
            UsageError: If the purpose is unknown, a value is out of range, or only JPEG has a quality.
        """
        if purpose is not None and purpose not in PURPOSES:
            raise UsageError(f"--for {purpose} is unknown.", f"Choose {', '.join(PURPOSES)}.")
        usual = {} if purpose is None else PURPOSES[purpose]
        given = {"format": format, "quality": quality, "max_side": max_side}
        chosen = cls(
            **usual | {name: value for name, value in given.items() if value is not None}, metadata=metadata
        )
        if quality is not None and chosen.format != "jpeg":
            raise UsageError(
                f"--quality {quality} is for JPEG, and {NAMES[chosen.format]} is lossless.",
                "Leave --quality out, or add --format jpeg.",
            )
        return chosen

    def format_for(self, size: tuple[int, int], has_alpha: bool) -> tuple[Format, str]:
        """Return the format for a photo, and the reason if it is not the format asked for.

        Args:
            size: (height, width) of the photo in pixels, before it is resized.
            has_alpha: Whether it has an alpha channel.

        Returns:
            The format and a reason; an empty reason if the format is the one asked for.
        """
        longest = max(self.size_of(size))
        if longest > MAX_SIDE.get(self.format, longest):
            return (
                "png",
                f"written as PNG: {NAMES[self.format]} allows at most {MAX_SIDE[self.format]} pixels a side",
            )
        if self.format == "jpeg" and has_alpha:
            return "png", "written as PNG: JPEG has no transparency"
        return self.format, ""


@dataclass(frozen=True)
class Encoded:
    """A photo as the bytes of an image file.

    Args:
        data: The bytes.
        format: Their format.
        notes: Remarks for the user on how the photo was written.
    """

    data: bytes
    format: Format
    notes: tuple[str, ...] = ()


def encode(photo: Photo, encoding: Encoding | Format = "png") -> bytes:
    """Return a photo as the bytes of an image file; ``encoded`` has the details."""
    return encoded(photo, Encoding.of(encoding)).data


def encoded(photo: Photo, encoding: Encoding) -> Encoded:
    """Return a photo as the bytes of an image file, without metadata that the format cannot hold.

    PNG and WebP are lossless, colours under transparent pixels included. JPEG has full colour resolution
    (4:4:4). A grey photo with an RGB profile is written with three equal channels, because many programs
    ignore such a profile in a file of one channel.

    Raises:
        DataError: If the encoder cannot write the photo. The message has the reason.
    """
    format, moved = encoding.format_for(photo.size, photo.alpha is not None)
    profile, notes = _profile(photo, format)
    options: dict[str, Any] = {"icc_profile": profile}
    metadata = (
        ("exif", "EXIF data", photo.metadata.exif, MAX_EXIF),
        ("xmp", "XMP data", photo.metadata.xmp, MAX_XMP),
    )
    for key, name, value, limits in metadata if encoding.metadata else ():
        if len(value) > limits.get(format, len(value)):
            notes.append(f"its {name} is longer than {NAMES[format]} allows and was left out")
        elif value:
            options[key] = value
    spread = bool(photo.grey and profile and icc.space(profile) == "RGB")
    options |= _options(format, encoding.quality, spread)
    try:
        data = _written(_spread(photo) if spread else photo.pixels, format, options)
    except MemoryError:
        raise
    except Exception as error:
        # encoders raise anything from struct.error to OSError
        reason = str(error) or type(error).__name__
        raise DataError(
            f"The photo cannot be written as {NAMES[format]} ({reason}).", "Try another --format."
        ) from error
    return Encoded(data, format, (*((moved,) if moved else ()), *notes))


def _profile(photo: Photo, format: Format) -> tuple[bytes | None, list[str]]:
    """Return the profile to write, and remarks."""
    profile = photo.profile
    if profile and format == "webp" and icc.space(profile) == "GRAY":
        # WebP has no files of one channel
        profile = icc.grey_as_rgb(profile)
        if not profile:
            return None, [f"its ICC profile does not fit into WebP and was left out, so {DIFFERENT}"]
    if profile and len(profile) > MAX_PROFILE.get(format, len(profile)):
        return None, [
            f"its ICC profile is longer than {NAMES[format]} allows and was left out, so {DIFFERENT}"
        ]
    return profile, []


def _spread(photo: Photo) -> UInt8Array:
    """Return a grey photo with three equal channels, and alpha if it has some."""
    return photo.rgb() if photo.alpha is None else np.dstack([photo.rgb(), photo.alpha])


def _options(format: Format, quality: int, spread: bool) -> dict[str, Any]:
    if format == "png":
        return {"compress_level": 6, "compress_type": SEARCHING if spread else RUNS}
    if format == "webp":
        return {"lossless": True, "exact": True, "quality": 70, "method": 4}
    return {"quality": quality, "subsampling": 0}


def _written(pixels: UInt8Array, format: Format, options: dict[str, Any]) -> bytes:
    image = Image.fromarray(pixels)
    if format == "png" and "xmp" in options:
        options["pnginfo"] = PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", options.pop("xmp").decode())
    if format == "webp":
        image = image.convert("RGBA") if "A" in image.mode else image
        options["icc_profile"] = options["icc_profile"] or b""
    buffer = io.BytesIO()
    image.save(buffer, format.upper(), **options)
    return buffer.getvalue()
