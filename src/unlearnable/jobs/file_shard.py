"""A shard that is one file with many photos: read as a stream, and published as one file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from unlearnable.data.encoding import EXTENSION, Format
from unlearnable.data.sniffing import HEAD, format_of
from unlearnable.jobs.manifest import Manifest
from unlearnable.jobs.places import place
from unlearnable.jobs.shard import Attempt, Job, record_of
from unlearnable.pool import DIED
from unlearnable.worker import Outcome, Task, made

FORMATS: dict[str, Format] = {"PNG": "png", "JPEG": "jpeg", "WEBP": "webp"}


class NothingToWrite(Exception):
    """No photo of a shard can be published, so there is no file."""


@dataclass
class Found:
    """The outcome of a shard, as far as it has been read.

    Args:
        photos: Record of every published photo by id.
        skipped: Reason for every photo that is not published, by id.
        others: Number of members that are not photos and are left out, by kind.
        file: Bytes and SHA-256 of the published file.
    """

    photos: dict[str, Any] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    others: dict[str, int] = field(default_factory=dict)
    file: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class FileShard(ABC):
    """One file with many photos.

    Args:
        name: Name of the shard: that of its file, without the ending.
        folder: Path or address of the place that the file is in.
        file: Name of the file there.
        class_name: The class of all photos; None to read it from the file.
    """

    name: str
    folder: str
    file: str
    class_name: str | None = None

    # the ending of the published file
    ending: ClassVar[str]
    # why a photo without a class is skipped
    no_class: ClassVar[str]

    @property
    def photos(self) -> int:
        """0: the number of photos is not known before the file is read."""
        return 0

    @property
    def options(self) -> tuple[Any, ...]:
        """Everything that the published file depends on, except the source file and the job."""
        return (self.class_name,)

    def made_with(self, job: Job) -> str:
        """Return the hash of name, size and time (or tag) of the file, and of the job."""
        return job.made_with(self.file, place(self.folder).stamp(self.file), *self.options)

    def is_whole(self, job: Job, manifest: Manifest) -> bool:
        """Return whether the published file exists and has its size."""
        file = manifest.file
        return not file or place(job.output).size(file["file"]) == file["bytes"]

    @abstractmethod
    def tasks(self, job: Job) -> Iterator[Task]:
        """Yield the photos to protect, read when their turn comes."""

    def make(self, job: Job, attempt: Attempt) -> Manifest:
        """Write the published file, and return the manifest."""
        output, name = place(job.output), f"{self.name}{self.ending}"
        made_with, found = self.made_with(job), Found()
        try:
            output.write(name, partial(self._save, job, attempt, found), attempt.drafts)
        except NothingToWrite:
            found.file = {}
        else:
            found.file["file"] = name
        return Manifest(self.name, made_with, found.photos, found.skipped, found.others, file=found.file)

    def _save(self, job: Job, attempt: Attempt, found: Found, stream: BinaryIO) -> None:
        with place(self.folder).reading(self.file) as source:
            self.copy(job, attempt, found, source, stream)
        if not found.photos:
            raise NothingToWrite

    @abstractmethod
    def copy(self, job: Job, attempt: Attempt, found: Found, source: BinaryIO, stream: BinaryIO) -> None:
        """Write a file with the protected photos, and record in ``found`` what became of each.

        Args:
            job: The job.
            attempt: The attempt.
            found: Gets the outcome.
            source: The file of the shard, open for reading.
            stream: The published file, open for writing.
        """

    def protected(
        self, job: Job, attempt: Attempt, found: Found, task: Task
    ) -> tuple[bytes, dict[str, Any]] | None:
        """Return the bytes of a protected photo and its record; None if it is skipped, with the reason."""
        reason = DIED if task.id in attempt.deadly else "" if task.class_name else self.no_class
        outcome, data = Outcome(task.id, reason=reason), b""
        if not reason:
            outcome, data = made(task, job.noise, missing=job.extension)
        if outcome.reason:
            found.skipped[task.id] = outcome.reason
            return None
        return data, record_of(outcome, job, bytes=len(data))

    def task(self, job: Job, id: str, class_name: str, data: bytes) -> Task:
        """Return the task of one photo, given the bytes of its file."""
        return Task(id, class_name, data, Path(), job.encoding, job.max_pixels)


def extension_of(data: bytes) -> str:
    """Return the extension, without its dot, of the file of a published photo, by its first bytes."""
    return EXTENSION[FORMATS[format_of(data[:HEAD]) or "PNG"]]
