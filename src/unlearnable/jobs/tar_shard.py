"""A shard that is one tar file: read, protected and written sample by sample."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from unlearnable.data.encoding import EXTENSION, Format
from unlearnable.data.sniffing import HEAD, format_of
from unlearnable.jobs.manifest import Manifest
from unlearnable.jobs.places import place
from unlearnable.jobs.shard import Attempt, Job, record_of
from unlearnable.jobs.tars import BESIDE_PHOTOS, CLASS, Member, Samples, Writer, class_of
from unlearnable.pool import DIED
from unlearnable.worker import Task, made

NO_CLASS = "it has no class: put one into a file KEY.cls behind or before it, or give --class NAME"
FORMATS: dict[str, Format] = {"PNG": "png", "JPEG": "jpeg", "WEBP": "webp"}


class _NothingToWrite(Exception):
    """No photo of a shard can be published, so there is no file."""


@dataclass(frozen=True)
class TarShard:
    """One tar file of samples.

    Args:
        name: Name of the shard: that of its file, without the ending.
        folder: Path or address of the place that the file is in.
        file: Name of the file there.
        class_name: The class of all photos; None to read it from each sample.
    """

    name: str
    folder: str
    file: str
    class_name: str | None = None

    @property
    def photos(self) -> int:
        """0: the number of photos is not known before the file is read."""
        return 0

    def made_with(self, job: Job) -> str:
        """Return the hash of name, size and time (or tag) of the file, and of the job."""
        return job.made_with(self.file, place(self.folder).stamp(self.file), self.class_name)

    def is_whole(self, job: Job, manifest: Manifest) -> bool:
        """Return whether the published file exists and has its size."""
        tar = manifest.tar
        return not tar or place(job.output).size(tar["file"]) == tar["bytes"]

    def tasks(self, job: Job) -> Iterator[Task]:
        """Yield the photos to protect, read when their turn comes."""
        with place(self.folder).reading(self.file) as file:
            for sample in Samples(file, self.file, job.max_pixels):
                for member in sample:
                    if member.is_photo:
                        yield self._task(job, member, self.class_name or class_of(sample))

    def make(self, job: Job, attempt: Attempt) -> Manifest:
        """Write the published file, and return the manifest."""
        output, name = place(job.output), f"{self.name}.tar"
        made_with, found = self.made_with(job), _Found()
        try:
            output.write(name, partial(self._save, job, attempt, found), attempt.drafts)
        except _NothingToWrite:
            found.tar = {}
        else:
            found.tar["file"] = name
        return Manifest(self.name, made_with, found.photos, found.skipped, found.others, tar=found.tar)

    def _save(self, job: Job, attempt: Attempt, found: _Found, stream: BinaryIO) -> None:
        writer = Writer(stream)
        with place(self.folder).reading(self.file) as file:
            samples = Samples(file, self.file, job.max_pixels)
            for sample in samples:
                self._add(job, attempt, found, writer, sample)
        found.skipped |= samples.skipped
        for kind, count in samples.others.items():
            found.others[kind] = found.others.get(kind, 0) + count
        found.tar = writer.close()
        if not found.photos:
            raise _NothingToWrite

    def _add(self, job: Job, attempt: Attempt, found: _Found, writer: Writer, sample: list[Member]) -> None:
        """Add the photos of a sample, and what belongs to them if there are any."""
        class_name, ready = self.class_name or class_of(sample), list[tuple[str, bytes]]()
        for member in sample:
            if member.is_photo:
                photo = self._protected(job, attempt, found, writer, member, class_name)
                ready += [] if photo is None else [photo]
                attempt.on_photo()
        for name, data in ready:
            writer.add(name, data)
        for member in sample:
            if member.ending == CLASS or (member.ending in BESIDE_PHOTOS and job.encoding.metadata):
                if ready:
                    writer.add(member.name, member.data)
            elif not member.is_photo:
                found.others[f".{member.ending}"] = found.others.get(f".{member.ending}", 0) + 1

    def _protected(
        self, job: Job, attempt: Attempt, found: _Found, writer: Writer, member: Member, class_name: str
    ) -> tuple[str, bytes] | None:
        if not class_name:
            found.skipped[member.name] = NO_CLASS
            return None
        if member.name in attempt.deadly:
            found.skipped[member.name] = DIED
            return None
        outcome, data = made(self._task(job, member, class_name), job.noise)
        if outcome.reason:
            found.skipped[member.name] = outcome.reason
            return None
        name = _output(member.name, data, writer.names)
        writer.names.add(name.casefold())
        found.photos[member.name] = record_of(outcome, output=name, bytes=len(data))
        return name, data

    def _task(self, job: Job, member: Member, class_name: str) -> Task:
        return Task(member.name, class_name, member.data, Path(), job.encoding, job.max_pixels)


@dataclass
class _Found:
    """What a shard holds, as far as it has been read."""

    photos: dict[str, Any] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    others: dict[str, int] = field(default_factory=dict)
    tar: dict[str, Any] = field(default_factory=dict)


def _output(name: str, data: bytes, taken: set[str]) -> str:
    """Return the name of a published photo: with its new extension, behind the old one if that is taken."""
    extension = EXTENSION[FORMATS[format_of(data[:HEAD]) or "PNG"]]
    wish = str(PurePosixPath(name).with_suffix(f".{extension}"))
    return wish if wish.casefold() not in taken else f"{name}.{extension}"
