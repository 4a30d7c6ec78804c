"""``unlearnable verify PHOTOS PROTECTED``: what does a network learn from each?"""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from unlearnable.cli import options
from unlearnable.cli.console import Console, Device, Json, Precision, Quiet, Seed, duration
from unlearnable.errors import GoalMissed, UsageError


def verify(
    photos: Annotated[Path, typer.Argument(help="The photos: one sub-folder per class.")],
    protected: Annotated[Path, typer.Argument(help="What is published of them.")],
    test: Annotated[
        Path | None,
        typer.Option("--test", help="Folder of clean test images [a quarter of the photos is held out]."),
    ] = None,
    context: Annotated[
        Path | None, typer.Option("--context", help="Folder of other classes, clean in both trainings.")
    ] = None,
    run: Annotated[
        Path | None, typer.Option("--run", help="Run folder [PHOTOS.unlearnable/NAME-OF-PROTECTED].")
    ] = None,
    labels: options.Labels = None,
    class_name: options.ClassName = None,
    folders_are_classes: options.FoldersAreClasses = False,
    max_pixels: options.MaxPixels = None,
    seeds: Annotated[
        int, typer.Option("--seeds", help="Trainings per network and folder, each with another split.", min=1)
    ] = 3,
    require: Annotated[
        str | None, typer.Option("--require", help="Exit with 5 unless met: 25% (kept) or chance+5 (points).")
    ] = None,
    target: Annotated[
        list[str] | None, typer.Option("--target", help="Network to train; may be given several times.")
    ] = None,
    countermeasure: Annotated[
        list[str] | None,
        typer.Option(
            "--countermeasure", help="Chain to train under, e.g. grey+jpeg:30; may be given several times."
        ),
    ] = None,
    time_limit: Annotated[
        str, typer.Option("--time-limit", help="What does not fit is listed as not measured: 90s, 15m, 2h.")
    ] = "15m",
    seed: Seed = 0,
    device: Device = "auto",
    precision: Precision = "auto",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a network on the photos and one on what is published, test both on unseen clean photos, and report."""
    console = Console(json, quiet)
    with console.errors():
        limit = _seconds(time_limit)
        from unlearnable.cli import work
        from unlearnable.data.folder import folder
        from unlearnable.evaluation.schedule import COUNTERMEASURES
        from unlearnable.evaluation.verdict import Goal
        from unlearnable.evaluation.verification import prepare
        from unlearnable.files import write
        from unlearnable.report import Record, page, table
        from unlearnable.runs import RunFolder, default_run, keep_apart
        from unlearnable.training.compute import Compute

        reading = work.Place(photos, None, labels, class_name, folders_are_classes, max_pixels).reading
        goal = None if require is None else Goal.parse(require)
        place = run or default_run(photos, protected)
        keep_apart(photos, protected, place)
        first = seed or 0
        compute = Compute.choose(device, precision)
        prepared = prepare(
            folder(photos, **reading),
            protected,
            test=test,
            context=context,
            run=place,
            seeds=range(first, first + seeds),
            targets=target or (),
            countermeasures=COUNTERMEASURES if countermeasure is None else countermeasure,
            time_limit=limit,
            compute=compute,
        )
        console.say(
            f"{len(prepared.pairs.clean)} pairs of {len(prepared.pairs.clean.classes)} classes; "
            f"{compute.device}, {compute.precision}; about {duration(prepared.schedule.seconds)}"
        )
        with console.progress() as on_progress:
            found = prepared.measure(on_progress)
        record = Record.of(
            found, str(photos), str(protected), shlex.join(["unlearnable", *sys.argv[1:]]), goal
        )
        with RunFolder(place).open():
            write(place / "report.json", record.model_dump_json(indent=1).encode())
            write(place / "report.html", page(record).encode())
        report = place / "report.html"
        plain = record.model_dump(mode="json", exclude={"pictures"})
        console.result(
            {**plain, "verdict": found.verdict, "report": str(report)}, f"{table(record)}\nReport: {report}"
        )
        if record.goal is not None and not record.goal.met:
            raise GoalMissed(
                f"The goal was missed or cannot be told: {record.goal.text}.",
                f"The verdict is {found.verdict!r}; see {report}.",
            )


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|h)?", text.strip())
    if match is None or float(match[1]) == 0:
        raise UsageError(f"--time-limit {text!r} is no length of time.", "Give one like 90s, 15m or 2h.")
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2] or "s"]
