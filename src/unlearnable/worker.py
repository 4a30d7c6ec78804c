"""One published file, made in a worker process: NumPy and Pillow only, so that workers start fast."""

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
from unlearnable.data.photo_file import read_photo_file
from unlearnable.errors import DataError, UnlearnableError
from unlearnable.files import write
from unlearnable.noise import Noise

# Errors that would hit every other file as well: disk full, read-only or failing, no permission.
FATAL_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM})

UNKNOWN = "the run has no noise for it (`unlearnable apply --missing extend` makes some)"
LEFT_OUT = "the run leaves it out: its noise is for a share of the images, or for other classes"


@dataclass(frozen=True)
class Task:
    """One file to make; small and picklable.

    Args:
        id: Id of the photo.
        class_name: Its class.
        origin: Path of the photo, or the photo itself.
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
class Outcome:
    """The result for one photo: a published file, or the reason why there is none.

    Args:
        id: Id of the photo.
        class_name: Its class.
        digest: SHA-256 of the source.
        output_digest: SHA-256 of the published file.
        largest: Largest change of a pixel, in levels: counted on the decoded file, or before a lossy
            encoding.
        mean: Mean change of a pixel, in levels, counted likewise.
        encoded_largest: Largest change of a pixel in the decoded file: more than ``largest`` only where the
            encoding is lossy.
        encoded_mean: Mean change of a pixel in the decoded file.
        notes: Remarks on how the photo was read and written.
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


def make(task: Task, noise_file: Path) -> Outcome:
    """Decode a photo, add the noise, encode, decode again, check and write.

    A photo that cannot be used gives an outcome with a reason, not an exception.

    Args:
        task: The file to make.
        noise_file: The run's noise.

    Raises:
        UnlearnableError: If published pixels leave the budget: a bug, which must stop the whole run.
        OSError: If the file cannot be written for a reason that other files share.
    """
    noise = _noise(noise_file, noise_file.stat().st_mtime_ns)
    try:
        photo, digest = _read(task)
        slot = noise.slot(task.id, task.class_name, digest)
        if slot is None:
            covered = noise.assignment.covers(task.id, task.class_name)
            return Outcome(task.id, reason=UNKNOWN if covered else LEFT_OUT)
        protected = Photo(noise.add(photo.pixels, slot), photo.profile, photo.metadata)
        data = encode(protected, task.encoding)
        back = decode(data, str(task.output), max_pixels=photo.size[0] * photo.size[1])
    except DataError as error:
        return Outcome(task.id, reason=error.problem)
    except MemoryError:
        return Outcome(task.id, reason="does not fit into memory")
    format, moved = task.encoding.format_for(photo.size, photo.alpha is not None)
    counted = protected if format == "jpeg" else back
    _same_alpha(photo, back, str(task.output))
    # In RGB: a colour photo whose noisy pixels happen to be grey is decoded as grey.
    before = photo.rgb()
    noise.budget.check(before, counted.rgb(), str(task.output))
    largest, mean = noise.budget.change(before, counted.rgb())
    encoded = noise.budget.change(before, back.rgb()) if counted is not back else (largest, mean)
    try:
        write(task.output, data)
    except OSError as error:
        if error.errno in FATAL_ERRNOS:
            raise
        return Outcome(task.id, reason=f"cannot be written ({error.strerror})")
    notes = (*photo.notes, *((moved,) if moved else ()))
    return Outcome(
        task.id,
        task.class_name,
        digest,
        hashing.of_bytes(data),
        largest,
        round(mean, 4),
        encoded[0],
        round(encoded[1], 4),
        notes,
    )


def _read(task: Task) -> tuple[Photo, str]:
    if isinstance(task.origin, Photo):
        pixels = task.origin.pixels
        return task.origin, hashing.of_pixels(pixels)
    data = read_photo_file(task.origin, task.max_pixels)
    return decode(data, str(task.origin), task.max_pixels, task.encoding.metadata), hashing.of_bytes(data)


def _same_alpha(photo: Photo, back: Photo, name: str) -> None:
    before = photo.alpha
    # opaque alpha, which arrays may have, is dropped when a file is decoded
    after = back.alpha if back.alpha is not None else np.uint8(255)
    if before is not None and not (before == after).all():
        raise UnlearnableError(f"{name} lost its alpha channel.")


@lru_cache(maxsize=1)
def _noise(path: Path, stamp: int) -> Noise:
    return Noise.load(path)
