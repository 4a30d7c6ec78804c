"""A photo, its noise magnified and its protected version, small for the page and at full size on demand."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict

from unlearnable.budget import UInt8Array
from unlearnable.data.photo import Photo

# pixels of the longer side of a small picture
SIDE = 208
# photos up to this size are shown pixel by pixel
ENLARGED = 64
# CSS pixels: the longer side up to which such photos are enlarged at full size
ENLARGED_TO = 512
# pixels of all photos of a page at full size, about 20 MB of HTML; a larger photo is cut to its share
FULL_PIXELS = 12_000_000
# pixels up to which PNG costs little; larger pictures are JPEG with full colour, which moves pixels by far
# less than the noise does
LOSSLESS = 100_000
QUALITY = 92


class Model(BaseModel):
    """Pictures for the page: immutable, without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FullSize(Model):
    """A photo, or the middle of a large one, with every pixel: three images of one size as data URIs.

    Args:
        clean: The photo.
        noise: Its noise, magnified.
        protected: The published photo.
        width: Width in pixels.
        height: Height in pixels.
        zoom: CSS pixels per pixel; above 1 for tiny photos.
        of: (width, height) of the whole photo, if this is a part of it.
    """

    clean: str
    noise: str
    protected: str
    width: int
    height: int
    zoom: int
    of: tuple[int, int] | None = None


class Picture(Model):
    """Three small images as data URIs; ``magnified`` is the factor that the noise is multiplied by."""

    id: str
    class_name: str
    clean: str
    noise: str
    protected: str
    magnified: float
    full: FullSize | None = None


def picture(id: str, class_name: str, clean: Photo, protected: Photo, shown: int = 1) -> Picture:
    """Return the images of a pair.

    The noise is shown around middle grey, magnified until its largest change fills the range.

    Args:
        id: Id of the photo.
        class_name: Its class.
        clean: The photo.
        protected: Its published version. The photo is resized if that has another size.
        shown: Number of pairs on the page, which share the pixels of the full size.
    """
    before, after = clean.rgb(), protected.rgb()
    if before.shape != after.shape:
        before = np.asarray(
            Image.fromarray(before).resize((after.shape[1], after.shape[0]), Image.Resampling.BILINEAR)
        )
    change = after.astype(np.float32) - before
    factor = 127.0 / max(1.0, float(np.abs(change).max()))
    noise = np.rint(np.clip(127.5 + factor * change, 0, 255)).astype(np.uint8)
    return Picture(
        id=id,
        class_name=class_name,
        clean=_small(before),
        noise=_small(noise),
        protected=_small(after),
        magnified=round(factor, 1),
        full=_full(before, noise, after, FULL_PIXELS // max(1, shown)),
    )


def _full(before: UInt8Array, noise: UInt8Array, after: UInt8Array, limit: int) -> FullSize:
    height, width = before.shape[:2]
    # a part of the same shape, from the middle, because a smaller copy would hide or smooth the noise
    share = min(1.0, (limit / (height * width)) ** 0.5)
    rows, columns = (max(1, int(size * share)) for size in (height, width))
    top, left = (height - rows) // 2, (width - columns) // 2
    clean, change, protected = (
        _uri(pixels[top : top + rows, left : left + columns]) for pixels in (before, noise, after)
    )
    return FullSize(
        clean=clean,
        noise=change,
        protected=protected,
        width=columns,
        height=rows,
        zoom=max(1, ENLARGED_TO // max(rows, columns)) if max(rows, columns) <= ENLARGED else 1,
        of=(width, height) if share < 1 else None,
    )


def _uri(pixels: UInt8Array) -> str:
    lossless = pixels.shape[0] * pixels.shape[1] <= LOSSLESS
    return encoded(pixels, "PNG") if lossless else encoded(pixels, "JPEG", quality=QUALITY, subsampling=0)


def _small(pixels: UInt8Array) -> str:
    image = Image.fromarray(pixels)
    largest = max(image.size)
    scale = SIDE / largest
    if largest > SIDE or largest <= ENLARGED:
        filter = Image.Resampling.NEAREST if largest <= ENLARGED else Image.Resampling.BILINEAR
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        pixels = np.asarray(image.resize(size, filter))
    return encoded(pixels, "WEBP", quality=88)


def encoded(pixels: UInt8Array, format: str, **options: object) -> str:
    """Return an image as a data URI, in a format of Pillow with its options."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format, **options)
    return f"data:image/{format.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"
