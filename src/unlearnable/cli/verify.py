"""``unlearnable verify PHOTOS PROTECTED``: the accuracy of networks trained on each of the two folders."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from unlearnable.cli import options
from unlearnable.cli.console import Console
from unlearnable.errors import GoalMissed


def verify(
    photos: Annotated[Path, typer.Argument(metavar="PHOTOS", help="The photos: one sub-folder per class.")],
    protected: Annotated[Path, typer.Argument(metavar="PROTECTED", help="The published folder.")],
    test: Annotated[
        Path | None,
        typer.Option(
            "--test",
            metavar="FOLDER",
            help="Folder of clean test images; without it a quarter of the photos is held out.",
            rich_help_panel=options.PHOTOS,
        ),
    ] = None,
    context: Annotated[
        Path | None,
        typer.Option(
            "--context",
            metavar="FOLDER",
            help="Folder of other classes, clean in both trainings.",
            rich_help_panel=options.PHOTOS,
        ),
    ] = None,
    labels: options.Labels = None,
    class_name: options.ClassName = None,
    folders_are_classes: options.FoldersAreClasses = False,
    max_pixels: options.MaxPixels = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target",
            metavar="NETWORK",
            help="Network to train, such as resnet18:width=16. Repeatable.",
            rich_help_panel=options.MEASURE,
        ),
    ] = None,
    seeds: Annotated[
        int,
        typer.Option(
            "--seeds",
            metavar="N",
            help="Trainings per network and folder, each with another split.",
            min=1,
            rich_help_panel=options.MEASURE,
        ),
    ] = 3,
    require: Annotated[
        str | None,
        typer.Option(
            "--require",
            metavar="GOAL",
            help="Exit with code 5 unless the goal is met: 25% (retained) or chance+5 (points).",
            rich_help_panel=options.MEASURE,
        ),
    ] = None,
    # None stands for the default chains: their module loads torch, which would slow down the help
    countermeasure: Annotated[
        list[str] | None,
        typer.Option(
            "--countermeasure",
            metavar="CHAIN",
            help="Train under countermeasures, such as grey+jpeg:30. Repeatable.  [jpeg:75, shrink:2, grey]",
            rich_help_panel=options.MEASURE,
        ),
    ] = None,
    time_limit: Annotated[
        str,
        typer.Option(
            "--time-limit",
            metavar="TIME",
            help="Measure what fits into this time, such as 90s, 15m or 2h, and list the rest.",
            rich_help_panel=options.MEASURE,
        ),
    ] = "15m",
    run: options.RunFolder = None,
    plugin: options.Plugin = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Train networks on the photos and on their published copies, and test them on other clean photos."""
    console = Console(json, quiet)
    with console.errors():
        from unlearnable import duration
        from unlearnable.cli import protection
        from unlearnable.evaluation.schedule import COUNTERMEASURES
        from unlearnable.evaluation.verdict import Goal
        from unlearnable.evaluation.verification import prepare
        from unlearnable.report import Record, save, table
        from unlearnable.runs import RunFolder, find_run, keep_apart
        from unlearnable.training.compute import Compute

        limit = duration.parse(time_limit)
        options.load_plugins(plugin)
        goal = None if require is None else Goal.parse(require)
        folder = run or find_run(photos, protected)
        keep_apart(photos, protected, folder)
        reading = protection.photo_options(labels, class_name, folders_are_classes, max_pixels)
        first = seed or 0
        compute = Compute.choose(device, precision)
        prepared = prepare(
            reading.folder(photos),
            protected,
            test=test,
            context=context,
            run=folder,
            seeds=range(first, first + seeds),
            targets=target or (),
            countermeasures=COUNTERMEASURES if countermeasure is None else countermeasure,
            time_limit=limit,
            compute=compute,
        )
        clean = prepared.pairs.clean
        console.remark(
            f"{len(clean)} pairs in {len(clean.classes)} classes; "
            f"{compute.device}, {compute.precision}; about {duration.words(prepared.schedule.seconds)}"
        )
        with console.progress() as on_progress:
            found = prepared.measure(on_progress)
        command = shlex.join(["unlearnable", *sys.argv[1:]])
        record = Record.of(found, str(photos), str(protected), command, goal)
        # only one process at a time may write into a run folder
        with RunFolder(folder).open():
            report = save(record, folder)
        plain = record.model_dump(mode="json", exclude={"pictures"})
        console.result(
            {**plain, "verdict": found.verdict, "report": str(report)}, f"{table(record)}\nReport: {report}"
        )
        if record.goal is not None and not record.goal.met:
            raise GoalMissed(
                f"The goal was missed, or the measurement cannot tell: {record.goal.text}.",
                f"The verdict is {found.verdict!r}; see {report}.",
            )
