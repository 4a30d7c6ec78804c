"""Making one published file, in a worker process: NumPy and Pillow only, so that workers start fast and stay small."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from unlearnable.data.photo import Format, Photo, decode, encode, write
from unlearnable.errors import DataError, UnlearnableError
from unlearnable.noise import Noise


@dataclass(frozen=True)
class Job:
    """One file to make: small and picklable.

    Args:
        id: Id of the photo.
        class_name: Its class.
        origin: Where the photo is read from, or the photo.
        output: File to write.
        format: ``png`` or ``webp``.
    """

    id: str
    class_name: str
    origin: Path | Photo
    output: Path
    format: Format


@dataclass(frozen=True)
class File:
    """What became of one photo.

    Args:
        id: Its id.
        class_name: Its class.
        digest: SHA-256 of the source.
        output_digest: SHA-256 of the published file.
        largest: Largest change of a pixel, in levels, counted on the decoded file.
        mean: Mean change of a pixel, in levels.
        reason: Why there is no file; empty if there is one.
    """

    id: str
    class_name: str = ""
    digest: str = ""
    output_digest: str = ""
    largest: int = 0
    mean: float = 0.0
    reason: str = ""


def make(job: Job, noise_file: Path) -> File:
    """Decode, add, encode, decode again, check, write. What a photo can be blamed for is a reason in the result, not an exception.

    Raises:
        UnlearnableError: If the published pixels leave the budget, which would be our mistake and must stop everything.
    """
    noise = _noise(noise_file, noise_file.stat().st_mtime_ns)
    try:
        if isinstance(job.origin, Photo):
            photo, digest = job.origin, sha256(repr(job.origin.pixels.shape).encode() + job.origin.pixels.tobytes())
        else:
            data = job.origin.read_bytes()
            photo, digest = decode(data, str(job.origin)), sha256(data)
        row = noise.row(job.id, job.class_name, digest)
        if row is None:
            return File(job.id, reason="the noise of this run does not cover it (`apply --missing extend` makes some)")
        data = encode(Photo(noise.add(photo.pixels, row), photo.profile), job.format)
        back = decode(data, str(job.output))
        largest = _check(noise, photo, back, str(job.output))
        write(job.output, data)
    except DataError as error:
        return File(job.id, reason=error.problem)
    except (OSError, MemoryError) as error:
        return File(job.id, reason=f"{type(error).__name__}: {error}")
    mean = float(np.abs(back.rgb().astype(np.int16) - photo.rgb()).mean())
    return File(job.id, job.class_name, digest, sha256(data), largest, round(mean, 4))


def sha256(data: bytes) -> str:
    """Return the SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _check(noise: Noise, photo: Photo, back: Photo, name: str) -> int:
    if photo.pixels.ndim == 3 and photo.pixels.shape[2] == 4:
        if back.pixels.shape != photo.pixels.shape or not np.array_equal(photo.pixels[..., 3], back.pixels[..., 3]):
            raise UnlearnableError(f"{name} lost its alpha channel.")
        return noise.budget.check(photo.pixels, back.pixels, name)
    # a colour photo whose noisy pixels happen to be grey is read back as grey, so the comparison is made in RGB
    return noise.budget.check(photo.rgb(), back.rgb(), name)


@lru_cache(maxsize=1)
def _noise(path: Path, stamp: int) -> Noise:
    return Noise.load(path)
