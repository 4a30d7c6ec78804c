"""ImageSet + Noise -> files on disk. Each file is decoded again and checked before it gets its name."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from unlearnable import disk_space, hashing
from unlearnable.data.adding import Publishable
from unlearnable.data.encoding import Encoding
from unlearnable.data.image_set import ImageSet
from unlearnable.destination import outputs_for
from unlearnable.errors import Unfinished
from unlearnable.events import Event, OnProgress, silent
from unlearnable.files import remove_drafts
from unlearnable.methods.fitted import Fitted
from unlearnable.pool import work
from unlearnable.runs import RunFolder
from unlearnable.worker import REVISION, UNKNOWN, ZERO, Outcome, Task, make, without_noise


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
        images: The sources.
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
    skipped, done = dict(images.skipped), _Tally()
    tasks: list[Task] = []
    recipes = _Recipes(noise, encoding)
    changed, relabelled, former = [], [], dict[str, str]()
    for id in images.own:
        record = before.get(id, {})
        facts, class_name = images.about(id), images.class_of[id]
        # The digest is absent after --refit, which discards all knowledge of earlier photos.
        if record.get("digest") and record["digest"] != facts.digest:
            changed.append(id)
        elif record.get("digest") and record.get("class", class_name) != class_name:
            relabelled.append(id)
        slot = noise.slot(id, class_name, facts.digest)
        if slot is None:
            skipped[id] = without_noise(noise, id, class_name, facts.digest)
            continue
        if recipes.is_zero(slot):
            skipped[id] = ZERO
            continue
        if _is_current(record, facts.digest, class_name, recipes.of(slot)) and _is_intact(
            protected / outputs[id], record["output_digest"]
        ):
            done.retain(id, record)
            continue
        if record.get("output", outputs[id]) != outputs[id]:
            former[id] = f"was published as {record['output']} before; delete that file if you want"
        origin = images.source.origin(id)
        origin = origin.absolute() if isinstance(origin, Path) else origin
        tasks.append(Task(id, class_name, origin, protected / outputs[id], encoding, math.prod(facts.size)))
    room = disk_space.statement(images, [task.id for task in tasks], noise, encoding, protected)
    on_progress(Event("writing", 0, len(tasks), room))
    with listed.recording() as append:
        making = partial(make, noise_file=run.noise.absolute(), kind=type(noise))
        results = work(making, tasks, workers, died=_died)
        for number, outcome in enumerate(results, 1):
            slot = noise.slot(outcome.id, images.class_of[outcome.id])
            if outcome.reason or slot is None:
                skipped[outcome.id] = outcome.reason or UNKNOWN
            else:
                record = {**asdict(outcome), "output": outputs[outcome.id], "made_with": recipes.of(slot)}
                record["class"] = record.pop("class_name")
                append(record)
                done.write(outcome.id, record)
                if outcome.id in former:
                    done.notes[outcome.id] += (former[outcome.id],)
            on_progress(Event("writing", number, len(tasks)))
            if number < len(tasks) and time.monotonic() >= deadline:
                raise Unfinished(
                    f"The time is up: {number} of {len(tasks)} photos are done.",
                    "Run the same command again to write the others.",
                )
    # Drafts of workers that died.
    remove_drafts(protected)
    gone = [record["output"] for id, record in before.items() if id not in images.class_of]
    return Published(
        protected,
        run.path.absolute(),
        done.written,
        done.retained,
        skipped,
        dict(images.others),
        {id: remarks for id, remarks in done.notes.items() if remarks},
        changed=tuple(id for id in changed if id not in skipped),
        relabelled=tuple(id for id in relabelled if id not in skipped),
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
        self.notes[id] = tuple(record.get("notes", ()))
        if record.get("encoded_largest", 0) > record["largest"]:
            self.lossy.append((record["encoded_largest"], record["encoded_mean"]))

    @property
    def encoded(self) -> tuple[int, float] | None:
        if not self.lossy:
            return None
        return max(self.lossy)[0], sum(mean for _, mean in self.lossy) / len(self.lossy)


class _Recipes:
    """Hashes of everything that a file depends on beside its photo: noise, encoding, version of the steps."""

    def __init__(self, noise: Publishable, encoding: Encoding) -> None:
        self._noise, self._encoding = noise, encoding.record
        self._known: dict[Any, str] = {}
        self._zero: dict[Any, bool] = {}

    def is_zero(self, slot: Any) -> bool:
        if slot not in self._zero:
            self._zero[slot] = self._noise.is_zero(slot)
        return self._zero[slot]

    def of(self, slot: Any) -> str:
        if slot not in self._known:
            noise = self._noise.slot_hash(slot)
            self._known[slot] = hashing.digest(REVISION, noise, self._noise.budget.epsilon, self._encoding)
        return self._known[slot]


def _is_current(record: Mapping[str, Any], digest: str, class_name: str, recipe: str) -> bool:
    """Return whether a finished file was made from this photo, for this class, with this recipe.

    Records of earlier versions have no recipe. Their noise is that of the run, and their encoding that of the
    folder, because the two could not change there.
    """
    return (
        record.get("digest") == digest
        and not record.get("reason")
        and record.get("class", class_name) == class_name
        and record.get("made_with", recipe) == recipe
    )


def _is_intact(path: Path, digest: str) -> bool:
    return path.is_file() and hashing.of_file(path) == digest


def _died(task: Task, reason: str) -> Outcome:
    return Outcome(task.id, reason=reason)
