"""ImageSet + Noise -> files on disk, each decoded again and checked before it gets its name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from unlearnable import disk_space, hashing
from unlearnable.data.encoding import EXTENSION, Encoding
from unlearnable.data.image_set import ImageSet
from unlearnable.errors import UsageError
from unlearnable.events import Event, OnProgress, silent
from unlearnable.files import remove_drafts
from unlearnable.methods.fitted import Fitted
from unlearnable.names import output_names
from unlearnable.noise import Noise
from unlearnable.pool import work
from unlearnable.runs import RunFolder
from unlearnable.worker import File, Job, make


@dataclass(frozen=True)
class Published:
    """What ``publish`` did.

    Args:
        protected: Folder that is published.
        run: Folder that is kept.
        written: Files written now.
        kept: Files of an earlier run that were in place.
        skipped: Reason of every photo that was not published, by id.
        notes: What a person should know about single photos, by id.
        added: Ids of photos that came since the noise was found, or changed since they were protected.
        changed: Those of them that changed.
        vanished: Published files whose photo is gone; they stay.
        largest: Largest change of a pixel, in levels; before encoding where that is lossy.
        encoded: Largest and mean change after a lossy encoding, over the files where that moved pixels
            further; else None.
        fitted: The noise.
    """

    protected: Path
    run: Path
    written: int
    kept: int
    skipped: Mapping[str, str] = field(default_factory=dict)
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
    on_progress: OnProgress = silent,
) -> Published:
    """Write the protected copy of every image that is not context; finished files of an earlier run stay as they are.

    Args:
        images: The sources.
        noise: The noise; images it has none for are skipped and listed, never published unprotected.
        protected: Folder to write to: same tree, same names, new extension.
        run: An open run folder that remembers every file.
        encoding: How files are written; PNG by default.
        workers: Processes that decode, encode and check.
        on_progress: Told about progress.

    Raises:
        UsageError: If ``protected`` holds files that this run did not write, or the files would not fit on
            the disk.
        OSError: If the disk is full, read-only or failing; what is finished stays, and the next run goes on.
    """
    protected, encoding = (
        protected.absolute(),
        encoding or Encoding(),
    )  # absolute: workers outlive a change of folder
    if not run.noise.exists():
        noise.save(run.noise)
    before = run.files()
    known = {id: record["output"] for id, record in before.items() if record.get("output")}
    outputs = outputs_for(images, protected, run, encoding)
    run.update(encoding=asdict(encoding))
    remove_drafts(protected)
    skipped, notes = dict(images.skipped), dict[str, tuple[str, ...]]()
    jobs, kept, largest, changed = [], 0, 0, []
    lossy: list[tuple[int, float]] = []
    for id in images.own:
        record = before.get(id, {})
        facts = images.about(id)
        same = record.get("digest") == facts.digest
        if record.get("digest") and not same:  # a run that starts over has forgotten what the photos were
            changed.append(id)
        if same and not record["reason"] and _in_place(protected / outputs[id], record["output_digest"]):
            kept, largest, notes[id] = (
                kept + 1,
                max(largest, record["largest"]),
                tuple(record.get("notes", ())),
            )
            after = (record.get("encoded_largest", 0), record.get("encoded_mean", 0.0))
            lossy += [after] if after[0] > record["largest"] else []
            continue
        origin = images.source.origin(id)
        place = origin.absolute() if isinstance(origin, Path) else origin
        jobs.append(
            Job(id, images.class_of[id], place, protected / outputs[id], encoding, math.prod(facts.size))
        )
    on_progress(
        Event(
            "writing",
            0,
            len(jobs),
            disk_space.statement(images, [job.id for job in jobs], noise, encoding, protected),
        )
    )
    written = 0
    with run.recording() as append:
        results = work(partial(make, noise_file=run.noise.absolute()), jobs, workers, died=_died)
        for number, file in enumerate(results, 1):
            if file.reason:
                skipped[file.id] = file.reason
            else:
                record = {**asdict(file), "output": outputs[file.id]}
                append({("class" if key == "class_name" else key): value for key, value in record.items()})
                written, largest, notes[file.id] = written + 1, max(largest, file.largest), file.notes
                lossy += (
                    [(file.encoded_largest, file.encoded_mean)] if file.encoded_largest > file.largest else []
                )
            on_progress(Event("writing", number, len(jobs)))
    remove_drafts(protected)  # of workers that died
    return Published(
        protected,
        run.path,
        written,
        kept,
        skipped,
        {id: said for id, said in notes.items() if said},
        changed=tuple(changed),
        vanished=tuple(
            sorted(
                output
                for id, output in known.items()
                if id not in images.class_of and (protected / output).exists()
            )
        ),
        largest=largest,
        encoded=(max(lossy)[0], sum(mean for _, mean in lossy) / len(lossy)) if lossy else None,
    )


def outputs_for(images: ImageSet, protected: Path, run: RunFolder, encoding: Encoding) -> dict[str, str]:
    """Name the published file of every image that is not context: id to path below ``protected``.

    Raises:
        UsageError: If ``protected`` holds files that are neither named so nor of an earlier run of this run
            folder, or that were written in another way.
    """
    known = {id: record["output"] for id, record in run.files().items() if record.get("output")}
    before = run.read().get("encoding", asdict(encoding))
    changed = [
        f"{key} {before[key]}, not {value}" for key, value in asdict(encoding).items() if before[key] != value
    ]
    if known and changed:
        raise UsageError(
            f"{protected} holds files with {', '.join(changed)}.",
            "Ask for the same, start over with --refit, or name another PROTECTED.",
        )
    wanted = {id: _extension(images, id, encoding) for id in images.own}
    other = next((id for id in wanted if id in known and not known[id].endswith(f".{wanted[id]}")), None)
    if other is not None:
        raise UsageError(
            f"{protected} holds {other} as {known[other]}, not as {wanted[other]}.",
            "Keep to one --format, or name another PROTECTED.",
        )
    outputs = output_names(wanted, known)
    ours = {*outputs.values(), *known.values()} if run.noise.exists() or known else set()
    for path in sorted(protected.rglob("*")):
        name = path.relative_to(protected).as_posix()
        if path.is_file() and name not in ours and not (name.endswith(".part") and path.name.startswith(".")):
            raise UsageError(
                f"{protected} holds {name}, which no run in {run.path} has written.",
                "Name a new or empty folder; or, if the run folder was moved, say where it is with --run.",
            )
    return outputs


def _extension(images: ImageSet, id: str, encoding: Encoding) -> str:
    facts = images.about(id)
    return EXTENSION[encoding.suits(facts.size, facts.see_through)[0]]


def _in_place(path: Path, digest: str) -> bool:
    return path.is_file() and hashing.of_file(path) == digest


def _died(job: Job, reason: str) -> File:
    return File(job.id, reason=reason)
