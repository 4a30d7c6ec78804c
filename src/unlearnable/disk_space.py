"""How much room published files take, said before they are written."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from pathlib import Path

from unlearnable.data.encoding import Encoding, encode
from unlearnable.data.image_set import ImageSet
from unlearnable.data.photo import Photo
from unlearnable.errors import DataError, UsageError
from unlearnable.noise import Noise

SAMPLES = 4
SAMPLED_PIXELS = 20_000_000  # a photo that is larger would take longer than the answer is worth


def statement(images: ImageSet, ids: Sequence[str], noise: Noise, encoding: Encoding, target: Path) -> str:
    """Return what writing these photos takes, in words, from encoding a few of them.

    Raises:
        UsageError: If the disk has less room than that.
    """
    needed = expected(images, ids, noise, encoding)
    place = next(folder for folder in (target, *target.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    words = f"about {size(needed)} to write, {size(free)} free"
    if needed > free:
        raise UsageError(
            f"{target} has too little room: {words}.", "Free some, or name a PROTECTED on another disk."
        )
    return words if ids else ""


def expected(images: ImageSet, ids: Sequence[str], noise: Noise, encoding: Encoding) -> int:
    """Return about how many bytes the protected files take: bytes per pixel of a few, times the pixels of all."""
    pixels = {id: math.prod(images.about(id).size) for id in ids}
    small = [id for id in ids if pixels[id] <= SAMPLED_PIXELS]
    written = looked_at = 0
    for id in small[:: max(1, len(small) // SAMPLES)][:SAMPLES]:
        try:
            photo, digest = images.source.load(id)
        except DataError:
            continue
        slot = noise.slot(id, images.class_of[id], digest)
        if slot is not None:
            written += len(encode(Photo(noise.add(photo.pixels, slot), photo.profile), encoding))
            looked_at += pixels[id]
    return round(sum(pixels.values()) * (written / looked_at if looked_at else 3.0))


def size(count: float) -> str:
    """Write a number of bytes as people say it."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB" if count < 1000 else f"{count / 1000:.1f} TB"
