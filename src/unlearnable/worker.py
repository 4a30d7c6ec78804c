"""Making one published file, in a worker process: NumPy and Pillow only, so that workers start fast and stay small."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from unlearnable import hashing
from unlearnable.data.decoding import decode
from unlearnable.data.encoding import Encoding, encode
from unlearnable.data.photo import Photo
from unlearnable.errors import DataError, UnlearnableError
from unlearnable.files import write
from unlearnable.noise import Noise

# what would befall every other file too: no space, a disk that is read-only or failing, no permission
HOPELESS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM})

UNKNOWN = "the noise of this run does not cover it (`apply --missing extend` makes some)"
LEFT_OUT = "the noise of this run leaves it out: it is for a share of the images, or for other classes"


@dataclass(frozen=True)
class Job:
    """One file to make: small and picklable.

    Args:
        id: Id of the photo.
        class_name: Its class.
        origin: Where the photo is read from, or the photo.
        output: File to write.
        encoding: How to write it.
        max_pixels: Most pixels that are decoded.
    """

    id: str
    class_name: str
    origin: Path | Photo
    output: Path
    encoding: Encoding
    max_pixels: int


@dataclass(frozen=True)
class File:
    """What became of one photo.

    Args:
        id: Its id.
        class_name: Its class.
        digest: SHA-256 of the source.
        output_digest: SHA-256 of the published file.
        largest: Largest change of a pixel, in levels: counted on the decoded file, or before a lossy
            encoding.
        mean: Mean change of a pixel, in levels, counted likewise.
        encoded_largest: Largest change of a pixel in the decoded file: more than ``largest`` only where the
            encoding is lossy.
        encoded_mean: Mean change of a pixel in the decoded file.
        notes: What a person should know about how it was read and written.
        reason: Why there is no file; empty if there is one.
    """

    id: str
    class_name: str = ""
    digest: str = ""
    output_digest: str = ""
    largest: int = 0
    mean: float = 0.0
    encoded_largest: int = 0
    encoded_mean: float = 0.0
    notes: tuple[str, ...] = ()
    reason: str = ""


def make(job: Job, noise_file: Path) -> File:
    """Decode, add, encode, decode again, check, write. What a photo can be blamed for is a reason in the result, not an exception.

    Raises:
        UnlearnableError: If the published pixels leave the budget, which would be our mistake and must stop
            everything.
        OSError: If the file cannot be written, which the other files could not be either.
    """
    noise = _noise(noise_file, noise_file.stat().st_mtime_ns)
    try:
        photo, digest = _read(job)
        slot = noise.slot(job.id, job.class_name, digest)
        if slot is None:
            return File(
                job.id, reason=UNKNOWN if noise.assignment.covers(job.id, job.class_name) else LEFT_OUT
            )
        protected = Photo(noise.add(photo.pixels, slot), photo.profile, photo.metadata)
        data = encode(protected, job.encoding)
        back = decode(data, str(job.output), max_pixels=photo.size[0] * photo.size[1])
    except DataError as error:
        return File(job.id, reason=error.problem)
    except MemoryError:
        return File(job.id, reason="does not fit into memory")
    format, moved = job.encoding.suits(photo.size, photo.alpha is not None)
    counted = protected if format == "jpeg" else back
    _same_alpha(photo, back, str(job.output))
    # in RGB, because a colour photo whose noisy pixels happen to be grey is read back as grey
    before = photo.rgb()
    noise.budget.check(before, counted.rgb(), str(job.output))
    largest, mean = noise.budget.change(before, counted.rgb())
    encoded = noise.budget.change(before, back.rgb()) if counted is not back else (largest, mean)
    try:
        write(job.output, data)
    except OSError as error:
        if error.errno in HOPELESS:
            raise
        return File(job.id, reason=f"cannot be written ({error.strerror})")
    notes = (*photo.notes, *((moved,) if moved else ()))
    return File(
        job.id,
        job.class_name,
        digest,
        hashing.of_bytes(data),
        largest,
        round(mean, 4),
        encoded[0],
        round(encoded[1], 4),
        notes,
    )


def _read(job: Job) -> tuple[Photo, str]:
    if isinstance(job.origin, Photo):
        pixels = job.origin.pixels
        return job.origin, hashing.of_pixels(pixels)
    try:
        data = job.origin.read_bytes()
    except OSError as error:
        raise DataError(f"{job.origin} cannot be read ({error.strerror}).") from error
    return decode(data, str(job.origin), job.max_pixels, job.encoding.metadata), hashing.of_bytes(data)


def _same_alpha(photo: Photo, back: Photo, name: str) -> None:
    before, after = photo.alpha, back.alpha
    if before is not None and (after is None or not np.array_equal(before, after)):
        raise UnlearnableError(f"{name} lost its alpha channel.")


@lru_cache(maxsize=1)
def _noise(path: Path, stamp: int) -> Noise:
    return Noise.load(path)
