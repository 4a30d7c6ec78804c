"""ImageSet + Noise -> files on disk. Each file is decoded again and checked before it gets its name."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from unlearnable import disk_space, hashing
from unlearnable.data.encoding import EXTENSION, Encoding
from unlearnable.data.image_set import ImageSet
from unlearnable.errors import Unfinished, UsageError
from unlearnable.events import Event, OnProgress, silent
from unlearnable.files import remove_drafts
from unlearnable.methods.fitted import Fitted
from unlearnable.names import output_names
from unlearnable.noise import Noise
from unlearnable.pool import work
from unlearnable.runs import RunFolder
from unlearnable.worker import Outcome, Task, make


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
        vanished: Published files whose photo is gone; they stay.
        largest: Largest change of a pixel, in levels; before encoding where that is lossy.
        encoded: Largest and mean change after a lossy encoding, over the files where that changed pixels
            further; else None.
        fitted: The noise; None before ``protect`` or ``apply`` adds it.
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
    vanished: tuple[str, ...] = ()
    largest: int = 0
    encoded: tuple[int, float] | None = None
    fitted: Fitted | None = None


def publish(
    images: ImageSet,
    noise: Noise,
    protected: Path,
    run: RunFolder,
    *,
    encoding: Encoding | None = None,
    workers: int = 2,
    deadline: float = math.inf,
    on_progress: OnProgress = silent,
) -> Published:
    """Write the protected copy of every image that is not context. Finished files stay as they are.

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
    before = run.files()
    known = {id: record["output"] for id, record in before.items() if record.get("output")}
    outputs = outputs_for(images, protected, run, encoding)
    run.update(encoding=asdict(encoding))
    remove_drafts(protected)
    skipped, notes = dict(images.skipped), dict[str, tuple[str, ...]]()
    tasks, retained, largest, changed = [], 0, 0, []
    lossy: list[tuple[int, float]] = []
    for id in images.own:
        record = before.get(id, {})
        facts = images.about(id)
        same = record.get("digest") == facts.digest
        # The digest is absent after --refit, which discards all knowledge of earlier photos.
        if record.get("digest") and not same:
            changed.append(id)
        if same and not record["reason"] and _is_intact(protected / outputs[id], record["output_digest"]):
            retained, largest = retained + 1, max(largest, record["largest"])
            notes[id] = tuple(record.get("notes", ()))
            after = (record.get("encoded_largest", 0), record.get("encoded_mean", 0.0))
            lossy += [after] if after[0] > record["largest"] else []
            continue
        origin = images.source.origin(id)
        origin = origin.absolute() if isinstance(origin, Path) else origin
        pixels = math.prod(facts.size)
        tasks.append(Task(id, images.class_of[id], origin, protected / outputs[id], encoding, pixels))
    room = disk_space.statement(images, [task.id for task in tasks], noise, encoding, protected)
    on_progress(Event("writing", 0, len(tasks), room))
    written = 0
    with run.recording() as append:
        results = work(partial(make, noise_file=run.noise.absolute()), tasks, workers, died=_died)
        for number, outcome in enumerate(results, 1):
            if outcome.reason:
                skipped[outcome.id] = outcome.reason
            else:
                record = {**asdict(outcome), "output": outputs[outcome.id]}
                append({("class" if key == "class_name" else key): value for key, value in record.items()})
                written, largest = written + 1, max(largest, outcome.largest)
                notes[outcome.id] = outcome.notes
                after = (outcome.encoded_largest, outcome.encoded_mean)
                lossy += [after] if outcome.encoded_largest > outcome.largest else []
            on_progress(Event("writing", number, len(tasks)))
            if number < len(tasks) and time.monotonic() >= deadline:
                raise Unfinished(
                    f"The time is up: {number} of {len(tasks)} photos are done.",
                    "Run the same command again to write the others.",
                )
    # Drafts of workers that died.
    remove_drafts(protected)
    gone = [output for id, output in known.items() if id not in images.class_of]
    return Published(
        protected,
        run.path,
        written,
        retained,
        skipped,
        dict(images.others),
        {id: remarks for id, remarks in notes.items() if remarks},
        changed=tuple(changed),
        vanished=tuple(sorted(output for output in gone if (protected / output).exists())),
        largest=largest,
        encoded=(max(lossy)[0], sum(mean for _, mean in lossy) / len(lossy)) if lossy else None,
    )


def outputs_for(images: ImageSet, protected: Path, run: RunFolder, encoding: Encoding) -> dict[str, str]:
    """Return the path below ``protected`` of every image that is not context, by id.

    Raises:
        UsageError: If ``protected`` holds files that no run in this run folder wrote, or files in another
            format.
    """
    known = {id: record["output"] for id, record in run.files().items() if record.get("output")}
    before = run.read().get("encoding", asdict(encoding))
    changed = [
        f"{key} {before[key]}, not {value}" for key, value in asdict(encoding).items() if before[key] != value
    ]
    if known and changed:
        raise UsageError(
            f"{protected} holds files with {', '.join(changed)}.",
            "Use the same options, start over with --refit, or name another PROTECTED.",
        )
    wanted = {id: _extension(images, id, encoding) for id in images.own}
    other = next((id for id in wanted if id in known and not known[id].endswith(f".{wanted[id]}")), None)
    if other is not None:
        raise UsageError(
            f"{protected} holds {other} as {known[other]}, not as {wanted[other]}.",
            "Use the same --format, or name another PROTECTED.",
        )
    outputs = output_names(wanted, known)
    ours = {*outputs.values(), *known.values()} if run.noise.exists() or known else set()
    for path in sorted(protected.rglob("*")):
        name = path.relative_to(protected).as_posix()
        draft = name.endswith(".part") and path.name.startswith(".")
        if path.is_file() and name not in ours and not draft:
            raise UsageError(
                f"{protected} holds {name}, which no run in {run.path} wrote.",
                "Name a new or empty folder; if the run folder was moved, give its path with --run.",
            )
    return outputs


def _extension(images: ImageSet, id: str, encoding: Encoding) -> str:
    facts = images.about(id)
    return EXTENSION[encoding.format_for(facts.size, facts.has_alpha)[0]]


def _is_intact(path: Path, digest: str) -> bool:
    return path.is_file() and hashing.of_file(path) == digest


def _died(task: Task, reason: str) -> Outcome:
    return Outcome(task.id, reason=reason)
