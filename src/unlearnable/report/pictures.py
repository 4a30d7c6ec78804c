"""A photo, its noise magnified and its protected version, small enough to be embedded in the page."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict

from unlearnable.budget import UInt8Array
from unlearnable.data.photo import Photo

# Pixels of the longer side.
SIDE = 208
# Photos up to this size are shown pixel by pixel.
ENLARGED = 64


class Picture(BaseModel):
    """Three images as data URIs; ``magnified`` is the factor that the noise is multiplied by."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    class_name: str
    clean: str
    noise: str
    protected: str
    magnified: float


def picture(id: str, class_name: str, clean: Photo, protected: Photo) -> Picture:
    """Return the three images of a pair.

    The noise is shown around middle grey, magnified until its largest change fills the range.
    """
    before, after = clean.rgb(), protected.rgb()
    if before.shape != after.shape:
        before = np.asarray(
            Image.fromarray(before).resize((after.shape[1], after.shape[0]), Image.Resampling.BILINEAR)
        )
    change = after.astype(np.float64) - before
    factor = 127.0 / max(1.0, float(np.abs(change).max()))
    noise = np.rint(np.clip(127.5 + factor * change, 0, 255)).astype(np.uint8)
    return Picture(
        id=id,
        class_name=class_name,
        clean=_uri(before),
        noise=_uri(noise),
        protected=_uri(after),
        magnified=round(factor, 1),
    )


def _uri(pixels: UInt8Array) -> str:
    image = Image.fromarray(pixels)
    largest = max(image.size)
    scale = SIDE / largest
    if largest > SIDE or largest <= ENLARGED:
        filter = Image.Resampling.NEAREST if largest <= ENLARGED else Image.Resampling.BILINEAR
        image = image.resize(
            (max(1, round(image.width * scale)), max(1, round(image.height * scale))), filter
        )
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=88)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
