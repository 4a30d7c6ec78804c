"""A shard that is one tar file: read, protected and written sample by sample."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from unlearnable.jobs.file_shard import FileShard, Found, extension_of
from unlearnable.jobs.places import place
from unlearnable.jobs.shard import Attempt, Job
from unlearnable.jobs.tars import BESIDE_PHOTOS, CLASS, Member, Samples, Writer, class_of
from unlearnable.worker import Task


@dataclass(frozen=True)
class TarShard(FileShard):
    """One tar file of samples."""

    ending = ".tar"
    no_class = "it has no class: put one into a file KEY.cls behind or before it, or give --class NAME"

    def tasks(self, job: Job) -> Iterator[Task]:
        """Yield the photos to protect, read when their turn comes."""
        with place(self.folder).reading(self.file) as file:
            for sample in Samples(file, self.file, job.max_pixels):
                for member in sample:
                    if member.is_photo:
                        yield self._task(job, sample, member)

    def copy(self, job: Job, attempt: Attempt, found: Found, source: BinaryIO, stream: BinaryIO) -> None:
        """Write a tar file with the protected photos and what belongs to them."""
        writer, samples = Writer(stream), Samples(source, self.file, job.max_pixels)
        for sample in samples:
            self._add(job, attempt, found, writer, sample)
        found.skipped |= samples.skipped
        for kind, count in samples.others.items():
            found.others[kind] = found.others.get(kind, 0) + count
        found.file = writer.close()

    def _add(self, job: Job, attempt: Attempt, found: Found, writer: Writer, sample: list[Member]) -> None:
        """Add the photos of a sample, and what belongs to them if there are any."""
        ready: list[tuple[str, bytes]] = []
        for member in sample:
            if member.is_photo:
                photo = self.protected(job, attempt, found, self._task(job, sample, member))
                if photo is not None:
                    data, record = photo
                    name = _output(member.name, data, writer.names)
                    writer.names.add(name.casefold())
                    found.photos[member.name] = {**record, "output": name}
                    ready.append((name, data))
                attempt.on_photo()
        for name, data in ready:
            writer.add(name, data)
        for member in sample:
            if member.ending == CLASS or (member.ending in BESIDE_PHOTOS and job.encoding.metadata):
                if ready:
                    writer.add(member.name, member.data)
            elif not member.is_photo:
                found.others[f".{member.ending}"] = found.others.get(f".{member.ending}", 0) + 1

    def _task(self, job: Job, sample: list[Member], member: Member) -> Task:
        return self.task(job, member.name, self.class_name or class_of(sample), member.data)


def _output(name: str, data: bytes, taken: set[str]) -> str:
    """Return the name of a published photo: with its new extension, behind the old one if that is taken."""
    extension = extension_of(data)
    wish = str(PurePosixPath(name).with_suffix(f".{extension}"))
    return wish if wish.casefold() not in taken else f"{name}.{extension}"
