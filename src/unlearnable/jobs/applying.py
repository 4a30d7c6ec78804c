"""``apply`` by shard: noise added to photos by any number of processes, each shard exactly once."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from unlearnable import arguments, hashing
from unlearnable.data.encoding import Encoding, Format
from unlearnable.data.photo_file import MAX_PIXELS
from unlearnable.errors import DataError, Unfinished, UsageError
from unlearnable.events import Event, OnProgress
from unlearnable.jobs import engines, folder_shard, inputs, plan
from unlearnable.jobs.folders import keep_apart, manifests_of, private_folder
from unlearnable.jobs.manifest import Manifest, shards_in
from unlearnable.jobs.part import Part
from unlearnable.jobs.places import Place, is_address, place
from unlearnable.jobs.shard import Job, Result, Shard
from unlearnable.opening import PhotoOptions
from unlearnable.runs import RunFolder

if TYPE_CHECKING:
    from unlearnable.data.image_set import ImageSet

STAGE = "writing"
# seconds between two looks at shards that other processes make
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
        skipped: Reason for every photo that was not published, by id.
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
        self.skipped |= manifest.skipped
        for kind, count in manifest.others.items():
            self.others[kind] = self.others.get(kind, 0) + count
        self.notes |= {id: tuple(one["notes"]) for id, one in manifest.photos.items() if one["notes"]}
        self.vanished += [one["output"] for one in manifest.vanished.values()]


def apply_shards(
    run: str | Path,
    photos: str | Path,
    protected: str | Path,
    *,
    part: str | Part | None = None,
    manifests: str | Path | None = None,
    engine: str = "local",
    options: PhotoOptions | None = None,
    encoding: Encoding | Format | None = None,
    workers: int = 0,
    time_limit: float | None = None,
    on_progress: OnProgress | None = None,
) -> Applied:
    """Add the noise of a run to photos, shard by shard; any number of processes and machines may take part.

    A shard is about 1,000 photos of a folder, or one tar file. Its files are written first, its manifest
    last. A shard with a manifest is skipped, and one without is made again, with the same bytes. Nothing is
    written to the run folder.

    Args:
        run: Run folder of ``fit``, ``protect`` or ``import``.
        photos: Folder with one sub-folder of images per class; or tar shards in the layout of webdataset: a
            folder, an address such as ``s3://bucket/photos``, or a pattern such as ``photos-{000..042}.tar``.
        protected: Folder or address to publish.
        part: The shards to make, such as ``"3/64"``; all of them if None.
        manifests: Private folder or address of the manifests; by default ``RUN.shards/NAME``.
        engine: ``local``, or ``ray`` with the extra of that name.
        options: How a folder is read; one sub-folder per class by default. For tar shards, only
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
    max_pixels = MAX_PIXELS if options is None else options.max_pixels
    job = Job(noise, hashing.of_file(noise), _absolute(target), _absolute(private), encoding, max_pixels)
    with private_folder(job.manifests):
        shards = _shards(source, job, options, part.of * workers)
    mine = [shard for position, shard in enumerate(shards) if part.owns(position)]
    applied = Applied(job.output, job.manifests, part)
    progress = _Progress(mine, on_progress)
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


def _shards(source: str, job: Job, options: PhotoOptions | None, processes: int) -> Sequence[Shard]:
    """Return all shards of an input, in an order on which all processes agree."""
    if inputs.is_tars(source):
        if options is not None and (options.labels is not None or options.folders_are_classes):
            raise UsageError(
                "--labels and --folders-are-classes are for folders, and the input is tar shards.",
                "Put the class into a file KEY.cls beside each photo, or give --class NAME.",
            )
        tars = inputs.tar_shards(source, None if options is None else options.class_name)
        names = tuple(shard.name for shard in tars)
        plan.agree(job, lambda: plan.Plan(job.output, asdict(job.encoding), "tars", names=names))
        return tars
    if is_address(job.output):
        raise UsageError(
            f"{job.output} is an address, and only tar shards are written to one.",
            "Name a local PROTECTED, or give PHOTOS as tar shards.",
        )
    images = _opened(source, options)
    ids = hashing.of_rows(sorted(images.ids))
    count = folder_shard.number_of_shards(len(images.ids), processes)
    mine = plan.Plan(job.output, asdict(job.encoding), "folder", count, len(images.ids), ids)
    agreed = plan.agree(job, lambda: mine)
    # names are a function of the ids, so they need not be looked up as long as the ids are the same
    known = {} if agreed.ids == ids else _names(place(job.manifests))
    return folder_shard.shards_of(images, job, agreed.shards, known)


def _opened(source: str, options: PhotoOptions | None) -> ImageSet:
    from unlearnable.data.folder import folder

    return folder(source) if options is None else options.folder(source)


def _names(manifests: Place) -> dict[str, str]:
    """Return the path of every published photo by id, from all manifests."""
    names: dict[str, str] = {}
    for shard in shards_in(manifests):
        found = Manifest.load(manifests, shard)
        for records in () if found is None else (found.photos, found.vanished):
            names |= {id: str(record["output"]) for id, record in records.items()}
    return names


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


def _absolute(text: str) -> str:
    return text.rstrip("/") if is_address(text) else os.path.abspath(text)


class _Progress:
    """Events of a part: photos of a folder, whose number is known, and else shards."""

    def __init__(self, shards: Sequence[Shard], on_progress: OnProgress) -> None:
        self._weights = {shard.name: shard.photos for shard in shards}
        self._total = sum(self._weights.values())
        self._on_progress = on_progress
        self._done = 0
        self._in_shard = 0
        self._waits = False
        on_progress(Event(STAGE, 0, self._total or len(shards)))

    def photo(self) -> None:
        """Report one photo of a shard that this process makes."""
        self._in_shard += 1
        if self._total:
            self._on_progress(Event(STAGE, self._done + self._in_shard, self._total))

    def shard(self, result: Result) -> None:
        """Report a finished shard."""
        self._done += self._weights[result.shard] if self._total else 1
        self._in_shard = 0
        self._on_progress(Event(STAGE, self._done, self._total or len(self._weights)))

    def wait(self, count: int) -> None:
        """Say once that other processes make shards of this part."""
        if not self._waits:
            self._waits = True
            text = f"{count} shards of this part are being made by another process; waiting for it"
            self._on_progress(Event(STAGE, text=text))
