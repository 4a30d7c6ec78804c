"""Shards of a folder of photos: about 1,000 photos each, chosen by the hash of their ids."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unlearnable import hashing
from unlearnable.data.adding import Publishable
from unlearnable.data.encoding import EXTENSION
from unlearnable.data.image_set import ImageSet
from unlearnable.data.sniffing import HEAD, format_of
from unlearnable.jobs.manifest import Manifest
from unlearnable.jobs.shard import Attempt, Job, record_of
from unlearnable.names import output_names
from unlearnable.pool import DIED
from unlearnable.worker import REVISION, Task, loaded, made, written

PHOTOS = 1000


@dataclass(frozen=True)
class Entry:
    """A photo of a shard.

    Args:
        id: Its id.
        class_name: Its class.
        path: Its file.
        output: Path of its copy below the published folder.
        png: The same for a photo that can only be written as PNG.
    """

    id: str
    class_name: str
    path: Path
    output: str
    png: str


@dataclass(frozen=True)
class FolderShard:
    """Some photos of a folder.

    Args:
        name: Name of the shard, such as ``shard-00042``.
        entries: Its photos, in the order of their ids.
        skipped: Reason for every file that cannot be used, found without reading it.
        others: Number of the files that are no photos, by extension: of the whole folder, in its first shard.
    """

    name: str
    entries: tuple[Entry, ...]
    skipped: Mapping[str, str] = field(default_factory=dict)
    others: Mapping[str, int] = field(default_factory=dict)

    @property
    def photos(self) -> int:
        """Number of photos."""
        return len(self.entries)

    def made_with(self, job: Job) -> str:
        """Return the hash of ids, classes, sizes and times of the files, and of the job."""
        rows = [[one.id, one.class_name, one.output, _stamp(one.path)] for one in self.entries]
        return job.made_with(rows, dict(self.skipped), dict(self.others))

    def is_whole(self, job: Job, manifest: Manifest) -> bool:
        """Return whether every published file exists and has its size."""
        root = Path(job.output)
        return all(_size(root / one["output"]) == one["bytes"] for one in manifest.photos.values())

    def tasks(self, job: Job) -> Iterator[Task]:
        """Yield the photos to protect."""
        root = Path(job.output)
        for one in self.entries:
            output = root / one.output
            yield Task(one.id, one.class_name, one.path, output, job.encoding, job.max_pixels)

    def make(self, job: Job, attempt: Attempt) -> Manifest:
        """Write every file on its own, and return the manifest."""
        # before the photos are read, so that a change of one of them meanwhile makes the shard again
        made_with = self.made_with(job)
        root, noise = Path(job.output), loaded(job.noise)
        before: dict[str, Mapping[str, Any]] = {}
        if attempt.before is not None:
            before = {**attempt.before.vanished, **attempt.before.photos}
        drafts = root / attempt.drafts if attempt.drafts else None
        photos: dict[str, Mapping[str, Any]] = {}
        skipped = dict(self.skipped)
        for task, one in zip(self.tasks(job), self.entries, strict=True):
            known = before.get(one.id)
            if known is not None and _is_current(known, one, _recipe(noise, job, one, known["digest"]), root):
                photos[one.id] = known
            elif one.id in attempt.deadly:
                skipped[one.id] = DIED
            else:
                outcome, data = made(task, job.noise, missing=job.extension)
                output = one.png if format_of(data[:HEAD]) == "PNG" else one.output
                if not outcome.reason:
                    outcome = written(outcome, root / output, data, drafts)
                if outcome.reason:
                    skipped[one.id] = outcome.reason
                else:
                    facts = {"output": output, "bytes": len(data)}
                    recipe = _recipe(noise, job, one, outcome.digest)
                    photos[one.id] = record_of(outcome, job, **facts, made_with=recipe)
            attempt.on_photo()
        here = {one.id for one in self.entries}
        vanished = {id: record for id, record in before.items() if id not in here}
        return Manifest(self.name, made_with, photos, skipped, self.others, vanished)


def shards_of(images: ImageSet, job: Job, count: int, known: Mapping[str, str]) -> list[FolderShard]:
    """Return all shards of a folder; each is a function of the ids alone.

    Args:
        images: The photos of the folder.
        job: The job.
        count: Number of shards.
        known: Path below the published folder of every photo that was published before, by id. It never
            changes, and is never given to another photo.
    """
    usual = _names(images.ids, EXTENSION[job.encoding.format], known)
    png = usual if job.encoding.format == "png" else _names(images.ids, EXTENSION["png"], known)
    buckets: list[list[Entry]] = [[] for _ in range(count)]
    for id in sorted(images.ids):
        path = images.source.origin(id)
        assert isinstance(path, Path)
        entry = Entry(id, images.class_of[id], path.absolute(), usual[id], png[id])
        buckets[_bucket(id, count)].append(entry)
    skipped: list[dict[str, str]] = [{} for _ in range(count)]
    for id, reason in images.skipped.items():
        skipped[_bucket(id, count)][id] = reason
    return [
        FolderShard(name_of(number), tuple(entries), skipped[number], {} if number else dict(images.others))
        for number, entries in enumerate(buckets)
    ]


def _bucket(id: str, count: int) -> int:
    return int(hashing.draw(0, "shard", id) * count)


def name_of(number: int) -> str:
    """Return the name of a shard of a folder."""
    return f"shard-{number:05d}"


def number_of_shards(photos: int, processes: int) -> int:
    """Return the number of shards for a folder: of 1,000 photos, or smaller so that each process has one."""
    return max(1, min(photos, max(math.ceil(photos / PHOTOS), processes)))


def _names(ids: tuple[str, ...], extension: str, known: Mapping[str, str]) -> dict[str, str]:
    # names of another extension are those of other files, so they are free
    ours = {id: name for id, name in known.items() if name.endswith(f".{extension}")}
    return output_names(dict.fromkeys(ids, extension), ours)


def _recipe(noise: Publishable, job: Job, one: Entry, digest: str) -> str:
    """Return the hash of what a file is made with beside its photo; empty for a photo without noise."""
    slot = noise.slot(one.id, one.class_name, digest)
    if slot is not None:
        origin = noise.slot_hash(slot)
    elif job.extension is not None and noise.assignment.covers(one.id, one.class_name):
        origin = job.extension.content
    else:
        return ""
    return hashing.digest(REVISION, origin, noise.budget.epsilon, job.encoding.record)


def _is_current(record: Mapping[str, Any], one: Entry, recipe: str, root: Path) -> bool:
    """Return whether a published file was made from this photo, for this class, with this recipe."""
    if not recipe or record["made_with"] != recipe or record["class"] != one.class_name:
        return False
    if record["output"] not in (one.output, one.png):
        return False
    try:
        if hashing.of_file(one.path) != record["digest"]:
            return False
        return hashing.of_file(root / record["output"]) == str(record["output_digest"])
    except OSError:
        return False


def _stamp(path: Path) -> str:
    try:
        facts = path.stat()
    except OSError:
        return "gone"
    return f"{facts.st_size}:{facts.st_mtime_ns}"


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
