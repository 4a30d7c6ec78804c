"""What happens to published images on their way to a trainer: re-encoded, shrunk, turned grey. In memory, from the file on disk."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from unlearnable.data.decoding import decode
from unlearnable.data.image_set import ImageSet
from unlearnable.data.photo import Photo
from unlearnable.data.view import Source


def jpeg(photo: Photo, quality: int = 75) -> Photo:
    """Return a photo as JPEG of a quality leaves it (Pillow's default 4:2:0 chroma)."""
    buffer = io.BytesIO()
    Image.fromarray(photo.opaque).save(buffer, "JPEG", quality=quality)
    return decode(buffer.getvalue(), "A photo encoded as JPEG")


def halve(photo: Photo) -> Photo:
    """Return a photo at half its height and width (antialiased bilinear)."""
    height, width = photo.size
    small = Image.fromarray(photo.pixels).resize(
        (max(1, width // 2), max(1, height // 2)), Image.Resampling.BILINEAR
    )
    return Photo(np.asarray(small), photo.profile)


def grey(photo: Photo) -> Photo:
    """Return a photo as its luminance (ITU-R 601)."""
    return photo if photo.grey else Photo(np.asarray(Image.fromarray(photo.rgb()).convert("L")))


TREATMENTS: dict[str, Callable[[Photo], Photo]] = {"JPEG 75": jpeg, "half size": halve, "grey": grey}


@dataclass(frozen=True)
class _Treated:
    source: Source
    treatment: Callable[[Photo], Photo]

    def load(self, id: str) -> tuple[Photo, str]:
        photo, digest = self.source.load(id)
        return self.treatment(photo), digest

    def stamp(self, id: str) -> str:
        return self.source.stamp(id)

    def origin(self, id: str) -> Photo:
        return self.load(id)[0]


def treated(images: ImageSet, name: str) -> ImageSet:
    """Return the images after one of ``TREATMENTS``."""
    return replace(images, source=_Treated(images.source, TREATMENTS[name]))
