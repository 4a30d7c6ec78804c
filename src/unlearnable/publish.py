"""ImageSet + Noise -> files on disk. Each file is decoded again and checked before it gets its name."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, overload

from unlearnable import disk_space
from unlearnable.data.adding import Publishable
from unlearnable.data.encoding import Encoding
from unlearnable.data.image_set import ImageSet
from unlearnable.data.photo_cache import PhotoCache, Status, most_pixels, photo_cache, status
from unlearnable.destination import outputs_for
from unlearnable.errors import Unfinished
from unlearnable.events import Event, OnProgress, silent
from unlearnable.files import remove_drafts
from unlearnable.methods.fitted import Fitted
from unlearnable.pool import work
from unlearnable.runs import RunFolder
from unlearnable.unfinished import Recipes, Sorting
from unlearnable.worker import UNKNOWN, Outcome, Task, make


@dataclass(frozen=True)
class Published:
    """The result of ``publish``.

    Args:
        protected: Folder to publish.
        run: Run folder, to keep private.
        written: Number of files written now.
        retained: Number of finished files of an earlier run, left as they were.
        skipped: Reason for every photo that was not published, by id.
        others: Number of the files that are no photos, by extension.
        notes: Remarks on single photos, by id.
        added: Ids of photos added since the noise was found, or changed since they were protected.
        changed: Those of them that changed.
        relabelled: Ids of photos whose class is another than when they were protected.
        vanished: Published files whose photo is gone; they stay.
        largest: Largest change of a pixel, in levels; before encoding where that is lossy.
        encoded: Largest and mean change after a lossy encoding, over the files where that changed pixels
            further; else None.
        fitted: The noise; None before ``protect`` or ``apply`` adds it.
        visibility: Visibility of the noise in some of the files (``evaluation.visibility.of_run``); None if
            it was not measured.
    """

    protected: Path
    run: Path
    written: int
    retained: int
    skipped: Mapping[str, str] = field(default_factory=dict)
    others: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    relabelled: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()
    largest: int = 0
    encoded: tuple[int, float] | None = None
    fitted: Fitted | None = None
    visibility: Mapping[str, Any] | None = None


def publish(
    images: ImageSet,
    noise: Publishable,
    protected: Path,
    run: RunFolder,
    *,
    encoding: Encoding | None = None,
    workers: int = 2,
    deadline: float = math.inf,
    on_progress: OnProgress = silent,
) -> Published:
    """Write the protected copy of every image that is not context. Finished files stay as they are.

    A finished file is one whose photo, class, noise and encoding are those that it was made with.

    Args:
        images: The photos. Those that were not read before are read once, by the worker that writes their
            file.
        noise: The noise; images without noise are skipped and listed, never published unprotected.
        protected: Folder to write to: same tree, same names, new extension.
        run: An open run folder, which records every file.
        encoding: How files are written; PNG by default.
        workers: Processes that decode, encode and check.
        deadline: Time of ``time.monotonic()`` after which no other file is begun.
        on_progress: Called with an event after every file.

    Raises:
        UsageError: If ``protected`` holds files of another origin, or the files would not fit on the disk.
        Unfinished: If the deadline has passed; finished files stay, and the same call resumes.
        OSError: If the disk is full, read-only or failing; finished files stay, and the same call resumes.
    """
    # Absolute, because workers live on when the caller changes the working directory.
    protected, encoding = protected.absolute(), encoding or Encoding()
    if not run.noise.exists():
        noise.save(run.noise)
    outputs = outputs_for(images, protected, run, encoding)
    listed = run.claim(run.list_of(protected), encoding.record)
    before = listed.records()
    remove_drafts(protected)
    done, recipes = _Tally(), Recipes(noise, encoding)
    with photo_cache(run.path) as cache:
        left = Sorting(images, noise, recipes, protected, outputs, before, cache).unfinished(done.retain)
        skipped = {**images.skipped, **left.skipped}
        room = disk_space.statement(images, left.ids, noise, encoding, protected)
        on_progress(Event("writing", 0, len(left.ids), room))
        with listed.recording() as append:
            making = partial(make, noise_file=run.noise.absolute(), kind=type(noise))
            tasks = _Tasks(images, left.ids, protected, outputs, encoding)
            for number, outcome in enumerate(work(making, tasks, workers, died=_died), 1):
                slot = noise.slot(outcome.id, images.class_of[outcome.id])
                if outcome.reason or slot is None:
                    skipped[outcome.id] = outcome.reason or UNKNOWN
                else:
                    output = outputs[outcome.id]
                    record = {**asdict(outcome), "output": output, "made_with": recipes.of(slot)}
                    record["class"] = record.pop("class_name")
                    append(record)
                    done.write(outcome.id, record)
                    if outcome.id in left.former:
                        done.notes[outcome.id] = (*outcome.notes, left.former[outcome.id])
                    tasks.learn(cache, outcome)
                on_progress(Event("writing", number, len(tasks)))
                if number < len(tasks) and time.monotonic() >= deadline:
                    raise Unfinished(
                        f"The time is up: {number} of {len(tasks)} photos are done.",
                        "Run the same command again to write the others.",
                    )
    # Drafts of workers that died.
    remove_drafts(protected)
    gone = [before[id].get("output") for id in before if id not in images.class_of]
    return Published(
        protected,
        run.path.absolute(),
        done.written,
        done.retained,
        skipped,
        dict(images.others),
        done.notes,
        changed=tuple(id for id in left.changed if id not in skipped),
        relabelled=tuple(id for id in left.relabelled if id not in skipped),
        vanished=tuple(sorted(output for output in gone if output and (protected / output).exists())),
        largest=done.largest,
        encoded=done.encoded,
    )


@dataclass
class _Tally:
    """The sums over published files."""

    written: int = 0
    retained: int = 0
    largest: int = 0
    notes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    lossy: list[tuple[int, float]] = field(default_factory=list)

    def write(self, id: str, record: Mapping[str, Any]) -> None:
        self.written += 1
        self._add(id, record)

    def retain(self, id: str, record: Mapping[str, Any]) -> None:
        self.retained += 1
        self._add(id, record)

    def _add(self, id: str, record: Mapping[str, Any]) -> None:
        self.largest = max(self.largest, record["largest"])
        if record.get("notes"):
            self.notes[id] = tuple(record["notes"])
        if record.get("encoded_largest", 0) > record["largest"]:
            self.lossy.append((record["encoded_largest"], record["encoded_mean"]))

    @property
    def encoded(self) -> tuple[int, float] | None:
        if not self.lossy:
            return None
        return max(self.lossy)[0], sum(mean for _, mean in self.lossy) / len(self.lossy)


@dataclass
class _Tasks(Sequence[Task]):
    """The tasks of some photos, each made when its turn comes, so that they need little memory."""

    images: ImageSet
    ids: Sequence[str]
    protected: Path
    outputs: Mapping[str, str]
    encoding: Encoding
    _begun: dict[str, Status] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, index: int) -> Task: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Task]: ...

    def __getitem__(self, index: int | slice) -> Task | Sequence[Task]:
        if isinstance(index, slice):
            return replace(self, ids=self.ids[index])
        id = self.ids[index]
        facts = self.images.facts.get(id)
        if facts is None:
            self._begun[id] = status(self.images.source, id)
        origin = self.images.source.origin(id)
        return Task(
            id,
            self.images.class_of[id],
            origin.absolute() if isinstance(origin, Path) else origin,
            self.protected / self.outputs[id],
            self.encoding,
            math.prod(facts.size) if facts else most_pixels(self.images.source, id),
        )

    def learn(self, cache: PhotoCache, outcome: Outcome) -> None:
        """Save the content hash of a photo that a worker was the first to read."""
        if outcome.id in self._begun:
            before = self._begun.pop(outcome.id)
            cache.read_by_worker(self.images.source, outcome.id, outcome.digest, before)


def _died(task: Task, reason: str) -> Outcome:
    return Outcome(task.id, reason=reason)
