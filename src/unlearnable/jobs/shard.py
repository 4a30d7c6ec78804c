"""A shard, the unit that is made exactly once, and a job: everything that shards are made with."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from unlearnable import hashing
from unlearnable.data.encoding import Encoding
from unlearnable.data.photo_file import MAX_PIXELS
from unlearnable.jobs.extension import Extension
from unlearnable.jobs.manifest import Manifest
from unlearnable.worker import REVISION, Outcome, Task, loaded


@dataclass(frozen=True)
class Job:
    """Everything that shards are made with, beside their photos; small, and can be pickled.

    Args:
        noise: The noise file, which is only read.
        noise_hash: SHA-256 of that file.
        output: Path or address of the published shards.
        manifests: Path or address of the manifests, which stay private.
        encoding: How photos are written.
        max_pixels: Photos that claim more pixels are skipped.
        extension: Makes noise for photos that the run has none for; None to skip them.
    """

    noise: Path
    noise_hash: str
    output: str
    manifests: str
    encoding: Encoding
    max_pixels: int = MAX_PIXELS
    extension: Extension | None = None

    def made_with(self, *content: Any) -> str:
        """Return the hash of everything that a shard with this content is made from."""
        more = [] if self.extension is None else [self.extension.content]
        return hashing.digest(
            REVISION, self.noise_hash, self.encoding.record, self.max_pixels, *content, *more
        )


class Shard(Protocol):
    """Photos that are published together, with one manifest. It can be pickled."""

    @property
    def name(self) -> str:
        """Name of the shard, and of its manifest."""

    @property
    def photos(self) -> int:
        """Number of photos; 0 if it is not known before they are read."""

    def made_with(self, job: Job) -> str:
        """Return the hash of everything that the shard is made from, without reading a photo."""

    def is_whole(self, job: Job, manifest: Manifest) -> bool:
        """Return whether every file of a finished shard is still there, by name and size."""

    def tasks(self, job: Job) -> Iterator[Task]:
        """Yield the photos to protect, read when their turn comes."""

    def make(self, job: Job, attempt: Attempt) -> Manifest:
        """Write the files of the shard, and return its manifest, which is not yet saved.

        Raises:
            DataError: If the shard cannot be read.
            OSError: If a file cannot be written for a reason that other files share.
        """


@dataclass(frozen=True)
class Attempt:
    """One attempt at making a shard.

    Args:
        before: Manifest of the shard when it was made from other content; None if it was never finished.
        drafts: Name of the folder for unfinished files; empty if another process may make this shard too.
        deadly: Photos that are left out because they kill the process that decodes them.
        on_photo: Called after each photo.
    """

    before: Manifest | None = None
    drafts: str = ""
    deadly: Collection[str] = ()
    on_photo: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Result:
    """The result of an attempt to make a shard.

    Args:
        shard: Its name.
        manifest: Its manifest; None if it is not finished.
        made: Whether it was made now, and not before.
        died: Whether its process died twice.
    """

    shard: str
    manifest: Manifest | None = None
    made: bool = False
    died: bool = False


def record_of(outcome: Outcome, job: Job, **more: Any) -> dict[str, Any]:
    """Return the record of a published photo, as manifests hold it."""
    if loaded(job.noise).slot(outcome.id, outcome.class_name, outcome.digest) is None:
        more["extended"] = True
    record = {**asdict(outcome), "class": outcome.class_name, "notes": list(outcome.notes), **more}
    for name in ("id", "class_name", "reason"):
        del record[name]
    return record
