"""The state of a job, from its manifests: it can be read while processes work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from unlearnable.errors import UsageError
from unlearnable.jobs import plan
from unlearnable.jobs.folder_shard import name_of
from unlearnable.jobs.manifest import Manifest, add_by_id, shards_in
from unlearnable.jobs.places import place


@dataclass(frozen=True)
class Status:
    """Sums over the manifests of a job.

    Args:
        protected: Path or address of the published files.
        manifests: Path or address of the manifests.
        shards: Number of shards in all.
        finished: Number of them that have a manifest.
        left: Names of the others.
        photos: Photos of the folder when the job began; 0 if that is not known.
        written: Number of published photos.
        bytes: Bytes of their files.
        largest: Largest change of a pixel, in levels; before encoding where that is lossy.
        extended: Number of published photos that the run has no noise for, and whose noise was made here.
        skipped: Reason for every photo that was not published, by id; ``SHARD/id`` where shards share ids.
        others: Number of the files that are no photos, by extension.
        vanished: Number of published photos whose source is gone.
    """

    protected: str
    manifests: str
    shards: int
    finished: int
    left: tuple[str, ...] = ()
    photos: int = 0
    written: int = 0
    bytes: int = 0
    largest: int = 0
    extended: int = 0
    skipped: Mapping[str, str] = field(default_factory=dict)
    others: Mapping[str, int] = field(default_factory=dict)
    vanished: int = 0


def shard_status(manifests: str) -> Status:
    """Return the state of a job.

    A finished shard counts, whether or not its photos have changed since: the next run of the command that
    makes it finds that out.

    Args:
        manifests: Path or address of the manifests.

    Raises:
        UsageError: If no job began there.
    """
    folder = place(manifests)
    agreed = plan.load(folder)
    if agreed is None:
        raise UsageError(
            f"{manifests} holds no manifests of shards.",
            "Give the RUN and the PROTECTED of `unlearnable apply`, or its --manifests FOLDER.",
        )
    wanted = agreed.names or tuple(map(name_of, range(agreed.shards)))
    there = set(shards_in(folder))
    written = size = largest = extended = vanished = finished = 0
    skipped: dict[str, str] = {}
    others: dict[str, int] = {}
    left = []
    for name in wanted:
        manifest = Manifest.load(folder, name) if name in there else None
        if manifest is None:
            left.append(name)
            continue
        finished += 1
        written += len(manifest.photos)
        size += sum(int(one["bytes"]) for one in manifest.photos.values())
        largest = max(largest, manifest.largest)
        extended += sum("extended" in record for record in manifest.photos.values())
        vanished += len(manifest.vanished)
        add_by_id(skipped, name, manifest.skipped)
        for kind, count in manifest.others.items():
            others[kind] = others.get(kind, 0) + count
    return Status(
        agreed.output,
        folder.name,
        len(wanted),
        finished,
        tuple(left),
        agreed.photos,
        written,
        size,
        largest,
        extended,
        skipped,
        others,
        vanished,
    )
