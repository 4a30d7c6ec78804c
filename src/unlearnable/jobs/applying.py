"""``apply`` by shard: noise added to photos by any number of processes, each shard exactly once."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from unlearnable import arguments, hashing
from unlearnable.data.encoding import Encoding, Format
from unlearnable.data.photo_file import MAX_PIXELS
from unlearnable.errors import DataError, Unfinished, UsageError
from unlearnable.events import OnProgress
from unlearnable.jobs import division, engines
from unlearnable.jobs.extension import extension_for
from unlearnable.jobs.folders import keep_apart, manifests_of, private_folder
from unlearnable.jobs.manifest import Manifest, add_by_id
from unlearnable.jobs.part import Part
from unlearnable.jobs.part_progress import PartProgress
from unlearnable.jobs.places import is_address
from unlearnable.jobs.shard import Job, Shard
from unlearnable.opening import PhotoOptions
from unlearnable.runs import RunFolder

# Seconds between two checks of shards that other processes make.
POLL_SECONDS = 1.0


@dataclass
class Applied:
    """The result of ``apply_shards``: sums over the shards of a part.

    Args:
        protected: Path or address to publish.
        manifests: Path or address of the manifests, to keep private.
        part: The part.
        shards: Shards made now.
        finished: Shards that were finished before, or by another process.
        written: Number of published photos in all of them.
        largest: Largest change of a pixel, in levels; before encoding where that is lossy.
        extended: Number of published photos that the run has no noise for, and whose noise was made here.
        skipped: Reason for every photo that was not published, by id; ``SHARD/id`` where shards share ids.
        others: Number of the files that are no photos, by extension.
        notes: Remarks on single photos, by id.
        vanished: Published photos whose source is gone; their files stay.
    """

    protected: str
    manifests: str
    part: Part
    shards: int = 0
    finished: int = 0
    written: int = 0
    largest: int = 0
    extended: int = 0
    skipped: dict[str, str] = field(default_factory=dict)
    others: dict[str, int] = field(default_factory=dict)
    notes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    vanished: list[str] = field(default_factory=list)

    def add(self, manifest: Manifest, made: bool) -> None:
        """Add a finished shard."""
        self.shards += made
        self.finished += not made
        self.written += len(manifest.photos)
        self.largest = max(self.largest, manifest.largest)
        self.extended += sum("extended" in record for record in manifest.photos.values())
        add_by_id(self.skipped, manifest.shard, manifest.skipped)
        for kind, count in manifest.others.items():
            self.others[kind] = self.others.get(kind, 0) + count
        notes = {id: tuple(one["notes"]) for id, one in manifest.photos.items() if one["notes"]}
        add_by_id(self.notes, manifest.shard, notes)
        self.vanished += [one["output"] for one in manifest.vanished.values()]


def apply_shards(
    run: str | Path,
    photos: str | Path,
    protected: str | Path,
    *,
    part: str | Part | None = None,
    manifests: str | Path | None = None,
    engine: str = "local",
    extend: bool = False,
    columns: Sequence[str] = (),
    options: PhotoOptions | None = None,
    encoding: Encoding | Format | None = None,
    workers: int = 0,
    time_limit: float | None = None,
    on_progress: OnProgress | None = None,
) -> Applied:
    """Add the noise of a run to photos, shard by shard; any number of processes and machines may take part.

    A shard is about 1,000 photos of a folder, or one tar or Parquet file. Its files are written first, its
    manifest last. A shard with a manifest is skipped, and one without is made again, with the same bytes.
    Nothing is written to the run folder.

    Args:
        run: Run folder of ``fit``, ``protect`` or ``import``.
        photos: Folder with one sub-folder of images per class; or tar shards in the layout of webdataset, or
            Parquet files in the layout of Hugging Face: a folder, an address such as ``s3://bucket/photos``,
            or a pattern such as ``photos-{000..042}.tar``.
        protected: Folder or address to publish.
        part: The shards to make, such as ``"3/64"``; all of them if None.
        manifests: Private folder or address of the manifests; by default ``RUN.shards/NAME``.
        engine: ``local``, or ``ray`` with the extra of that name.
        extend: Whether to make noise for photos that the run has none for; otherwise, they are skipped. Only
            sample-wise noise is made. Photos of a class that the run does not know are skipped.
        columns: Columns of Parquet files with the photos and the classes; found by their types if empty.
        options: How a folder is read; one sub-folder per class by default. For tar and Parquet files, only
            ``class_name`` and ``max_pixels`` count.
        encoding: How photos are written, an ``Encoding`` or a format; PNG by default.
        workers: Processes that make shards; 0 for one per core.
        time_limit: Seconds after which no other shard is begun; None for no limit.
        on_progress: Called with an event after every shard.

    Raises:
        UsageError: If the folders overlap, an option does not fit the input, or the job began with others.
        DataError: If the run holds no noise, or the photos cannot be read.
        Unfinished: If the time limit is reached; the same call resumes.
    """
    limit, on_progress = arguments.time_limit(time_limit), arguments.callback(on_progress)
    deadline = math.inf if limit is None else time.monotonic() + limit
    part = part if isinstance(part, Part) else Part.parse(part)
    workers, encoding = arguments.workers(workers), Encoding.of(encoding)
    source, target = (os.fspath(one) for one in (photos, protected))
    folder = RunFolder(arguments.path("run", run))
    private = manifests_of(folder.path, target) if manifests is None else os.fspath(manifests)
    run_engine = engines.get(engine)
    keep_apart(source, target, folder.path, private)
    noise = _noise_of(folder)
    job = Job(
        noise,
        hashing.of_file(noise),
        _absolute(target),
        _absolute(private),
        encoding,
        MAX_PIXELS if options is None else options.max_pixels,
        extension_for(folder) if extend else None,
    )
    with private_folder(job.manifests):
        shards = division.shards_of(source, job, options, _columns(columns), part.of * workers, on_progress)
    mine = [shard for position, shard in enumerate(shards) if part.owns(position)]
    applied = Applied(job.output, job.manifests, part)
    progress = PartProgress(mine, on_progress)
    waiting: Sequence[Shard] = mine
    while waiting:
        busy = set()
        with closing(run_engine(job, waiting, workers, progress.photo)) as results:
            for result in results:
                if result.manifest is None:
                    busy.add(result.shard)
                    continue
                applied.add(result.manifest, result.made)
                progress.shard(result)
                done = applied.shards + applied.finished
                if time.monotonic() >= deadline and done < len(mine):
                    raise Unfinished(
                        f"The time is up: {done} of {len(mine)} shards are done.",
                        "Run the same command again to make the others.",
                    )
        if busy and len(busy) == len(waiting):
            progress.wait(len(busy))
            time.sleep(POLL_SECONDS)
        waiting = [shard for shard in waiting if shard.name in busy]
    return applied


def _noise_of(run: RunFolder) -> Path:
    if not (run.path / "run.json").is_file():
        raise UsageError(f"{run.path} is not a run folder.", "Make one with `unlearnable fit PHOTOS RUN`.")
    run.require_kind("photos")
    if not run.noise.exists():
        raise DataError(
            f"{run.path} holds no noise: its search is not finished.",
            "Run the command that began it (`protect` or `fit`) again.",
        )
    return run.noise.absolute()


def _columns(columns: Sequence[str]) -> tuple[str, ...]:
    if isinstance(columns, str) or len(columns) > 2 or not all(isinstance(one, str) for one in columns):
        raise UsageError(
            f"columns is {arguments.shown(columns)}, but must be the names of one or two columns.",
            'Give columns=("image", "label"); on the command line, --columns image,label.',
        )
    return tuple(columns)


def _absolute(text: str) -> str:
    return text.rstrip("/") if is_address(text) else os.path.abspath(text)
