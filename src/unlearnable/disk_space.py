"""The disk space that published files need, estimated before they are written."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from unlearnable.data.adding import NoiseLike
from unlearnable.data.encoding import Encoding, encode
from unlearnable.data.image_set import ImageSet
from unlearnable.data.photo import Photo
from unlearnable.errors import DataError, UsageError

SAMPLES = 4
# Encoding a larger photo takes longer than the estimate is worth.
SAMPLED_PIXELS = 20_000_000
# Bytes per pixel where no photo can be sampled.
FALLBACK = 3.0


def statement(
    images: ImageSet, ids: Sequence[str], noise: NoiseLike | None, encoding: Encoding, target: Path
) -> str:
    """Return the space that these photos need, in words, estimated by encoding a few of them.

    Raises:
        UsageError: If the disk has less free space.
    """
    needed = expected(images, ids, noise, encoding)
    existing = next(folder for folder in (target, *target.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    words = f"about {size(needed)} to write, {size(free)} free"
    if needed > free:
        raise UsageError(
            f"The disk of {target} is too small: {words}.",
            "Free some space, or name a PROTECTED on another disk.",
        )
    return words if ids else ""


def require_room(images: ImageSet, ids: Sequence[str], encoding: Encoding, target: Path) -> None:
    """Refuse a disk that is too small even for the photos without noise, before the noise is searched for.

    Noise makes files larger, so a disk that passes may still be too small for the protected ones.

    Raises:
        UsageError: If the disk has less free space.
    """
    statement(images, ids, None, encoding, target)


def expected(images: ImageSet, ids: Sequence[str], noise: NoiseLike | None, encoding: Encoding) -> int:
    """Return about how many bytes the protected files need: bytes per pixel of a few, times all pixels."""
    total, small = 0, list[str]()
    for id in ids:
        # the worker that writes the photo reports why it cannot be read
        with suppress(DataError):
            own = images.size(id)
            total += math.prod(encoding.size_of(own))
            small += [id] if math.prod(own) <= SAMPLED_PIXELS else []
    written = sampled = 0
    for id in small[:: max(1, len(small) // SAMPLES)][:SAMPLES]:
        try:
            photo, digest = images.source.load(id)
            slot = None if noise is None else noise.slot(id, images.class_of[id], digest)
            if noise is not None and slot is None:
                continue
            photo = photo.resized(encoding.size_of(photo.size))
            changed = photo.pixels if noise is None or slot is None else noise.add(photo.pixels, slot)
            written += len(encode(Photo(changed, photo.profile), encoding))
            sampled += math.prod(photo.size)
        except (DataError, MemoryError):
            continue
    fallback = 0.0 if noise is None else FALLBACK
    return round(total * (written / sampled if sampled else fallback))


def size(count: float) -> str:
    """Return a number of bytes the way people say it: ``1.5 GB``."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB" if count < 1000 else f"{count / 1000:.1f} TB"
