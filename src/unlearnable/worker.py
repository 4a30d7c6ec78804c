"""One published file, made in a worker process: NumPy and Pillow only, so that workers start fast."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from unlearnable import hashing
from unlearnable.data.adding import Publishable
from unlearnable.data.decoding import decode
from unlearnable.data.encoding import Encoding, encoded
from unlearnable.data.photo import Photo
from unlearnable.data.photo_file import read_photo_file
from unlearnable.errors import DataError, UnlearnableError
from unlearnable.files import write
from unlearnable.noise import Noise

# makes noise for the photo of a task, given its content hash
Missing = Callable[["Task", Photo, str], Publishable]

# Errors that would hit every other file as well: disk full, read-only or failing, no permission.
FATAL_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM})

# Raised when the same photo, noise and encoding give other pixels than before, so that files are made again.
REVISION = 1
ZERO = "its noise is zero everywhere, so its copy would not be protected"
UNKNOWN = "the run has no noise for it (`unlearnable apply --missing extend` makes some)"
LEFT_OUT = "the run leaves it out: its noise is for a share of the images, or for other classes"

# Strength below which a photo is named: half of what a large colour photo gets from the same pattern.
LITTLE = 0.5


@dataclass(frozen=True)
class Task:
    """One file to make; small and picklable.

    Args:
        id: Id of the photo.
        class_name: Its class.
        origin: Path of the photo, the bytes of its file, or the photo itself.
        output: File to write.
        encoding: How to write it.
        max_pixels: Most pixels that are decoded.
    """

    id: str
    class_name: str
    origin: Path | bytes | Photo
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
        strength: The noise in the decoded file, relative to what a large colour photo gets from the same
            pattern before pixels are clipped: 1 for such a photo, more for photos of the grid's size. After a
            lossy encoding, only the part of the change counts that still points along the noise.
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
    strength: float = 0.0
    notes: tuple[str, ...] = ()
    reason: str = ""


def make(
    task: Task, noise_file: Path, kind: type[Publishable] = Noise, drafts: Path | None = None
) -> Outcome:
    """Decode a photo, add the noise, encode, decode again, check and write.

    A photo that cannot be used gives an outcome with a reason, not an exception.

    Args:
        task: The file to make.
        noise_file: The run's noise.
        kind: Its class.
        drafts: Folder of the unfinished file, on the same disk; the folder of the output if None.

    Raises:
        UnlearnableError: If published pixels leave the budget: a bug, which must stop the whole run.
        OSError: If the file cannot be written for a reason that other files share.
    """
    outcome, data = made(task, noise_file, kind)
    return outcome if outcome.reason else written(outcome, task.output, data, drafts)


def made(
    task: Task, noise_file: Path, kind: type[Publishable] = Noise, missing: Missing | None = None
) -> tuple[Outcome, bytes]:
    """Return the outcome of a photo and the bytes of its file, which is not written; empty with a reason.

    Args:
        task: The file to make.
        noise_file: The run's noise.
        kind: Its class.
        missing: Makes noise for a photo that the run has none for; None to skip it.

    Raises:
        UnlearnableError: If published pixels leave the budget: a bug, which must stop the whole run.
    """
    noise = loaded(noise_file, kind)
    try:
        photo, digest = _read(task)
        if not photo.pixels.size:
            return Outcome(task.id, reason="it has no pixels"), b""
        slot = noise.slot(task.id, task.class_name, digest)
        # images that the assignment does not cover carry no noise on purpose
        if slot is None and missing is not None and noise.assignment.covers(task.id, task.class_name):
            noise = missing(task, photo, digest)
            slot = noise.slot(task.id, task.class_name, digest)
        if slot is None:
            return Outcome(task.id, reason=without_noise(noise, task.id, task.class_name, digest)), b""
        if noise.is_zero(slot):
            return Outcome(task.id, reason=ZERO), b""
        photo = photo.resized(task.encoding.size_of(photo.size))
        outcome, data = _protected(task, noise, slot, photo)
    except DataError as error:
        return Outcome(task.id, reason=f"{error.problem} {error.remedy}".strip()), b""
    except MemoryError:
        return Outcome(task.id, reason="does not fit into memory"), b""
    return replace(outcome, digest=digest, output_digest=hashing.of_bytes(data)), data


def written(outcome: Outcome, output: Path, data: bytes, drafts: Path | None = None) -> Outcome:
    """Write a finished file, and return its outcome; one with a reason if it cannot be written.

    Raises:
        OSError: If the file cannot be written for a reason that other files share.
    """
    try:
        write(output, data, drafts)
    except OSError as error:
        if error.errno in FATAL_ERRNOS:
            raise
        return Outcome(outcome.id, reason=f"cannot be written ({error.strerror})")
    return outcome


def loaded(noise_file: Path, kind: type[Publishable] = Noise) -> Publishable:
    """Return the noise of a file, read once in a process as long as the file stays the same."""
    return _noise(kind, noise_file, tuple(path.stat().st_mtime_ns for path in kind.files(noise_file)))


def without_noise(noise: Publishable, id: str, class_name: str, digest: str) -> str:
    """Return why an image has no noise."""
    if not noise.assignment.covers(id, class_name):
        return LEFT_OUT
    if noise.form == "classwise":
        return f"the run has no noise for class {class_name!r}"
    found_for = noise.found_for(id, digest)
    if not found_for:
        return UNKNOWN
    return (
        f"its class is now {class_name!r}, and its noise was made for {found_for!r} "
        "(`unlearnable apply --missing extend` makes noise for its new class)"
    )


def _protected(task: Task, noise: Publishable, slot: Any, photo: Photo) -> tuple[Outcome, bytes]:
    """Return the checked result for a photo, without digests, and the bytes of its file.

    Raises:
        DataError: If the photo cannot be encoded, or its file cannot be decoded again.
        UnlearnableError: If published pixels leave the budget.
    """
    name = str(task.output)
    protected = Photo(noise.add(photo.pixels, slot), photo.profile, photo.metadata)
    file = encoded(protected, task.encoding)
    back = decode(file.data, name, max_pixels=photo.size[0] * photo.size[1])
    _same_alpha(photo, back, name)
    # In RGB: a colour photo whose noisy pixels happen to be grey is decoded as grey.
    before, after = photo.rgb(), back.rgb()
    lossy = file.format == "jpeg"
    counted = protected.rgb() if lossy else after
    noise.budget.check(before, counted, name)
    largest, mean = noise.budget.change(before, counted)
    encoded_largest, encoded_mean = noise.budget.change(before, after) if lossy else (largest, mean)
    usual = noise.usual_change(slot, photo.size)
    strength = mean / usual if usual else 0.0
    if lossy:
        strength *= noise.budget.share_left(before, counted, after)
    notes = (*photo.notes, *file.notes)
    if strength < LITTLE:
        notes = (
            *notes,
            f"little noise: {mean:.1f} levels on average, {strength:.0%} of what large colour photos get",
        )
    return Outcome(
        task.id,
        task.class_name,
        largest=largest,
        mean=round(mean, 4),
        encoded_largest=encoded_largest,
        encoded_mean=round(encoded_mean, 4),
        strength=round(strength, 4),
        notes=notes,
    ), file.data


def _read(task: Task) -> tuple[Photo, str]:
    if isinstance(task.origin, Photo):
        pixels = task.origin.pixels
        return task.origin, hashing.of_pixels(pixels)
    if isinstance(task.origin, bytes):
        data, name = task.origin, task.id
    else:
        data, name = read_photo_file(task.origin, task.max_pixels), str(task.origin)
    return decode(data, name, task.max_pixels, task.encoding.metadata), hashing.of_bytes(data)


def _same_alpha(photo: Photo, back: Photo, name: str) -> None:
    before = photo.alpha
    # opaque alpha, which arrays may have, is dropped when a file is decoded
    after = back.alpha if back.alpha is not None else np.uint8(255)
    if before is not None and not (before == after).all():
        raise UnlearnableError(f"{name} lost its alpha channel.")


@lru_cache(maxsize=1)
def _noise(kind: type[Publishable], path: Path, stamps: tuple[int, ...]) -> Publishable:
    return kind.load(path)
