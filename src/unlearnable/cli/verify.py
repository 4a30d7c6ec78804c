"""``unlearnable verify PHOTOS PROTECTED``: the accuracy of networks trained on each of the two folders."""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import Annotated

import typer

from unlearnable.cli import options
from unlearnable.cli.console import Console
from unlearnable.errors import UsageError

SEEDS = 3


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
    weights: options.Weights = None,
    report_card: options.ReportCard = False,
    seeds: Annotated[
        int | None,
        typer.Option(
            "--seeds",
            metavar="N",
            help="Trainings per network and folder, each with another split.",
            min=1,
            show_default="3; 1 with a countermeasure or pretrained weights",
            rich_help_panel=options.MEASURE,
        ),
    ] = None,
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
            help="Train under countermeasures, such as grey+jpeg:30. Repeatable.",
            show_default="grey, jpeg:30, project, shrink:2",
            rich_help_panel=options.MEASURE,
        ),
    ] = None,
    time_limit: Annotated[
        str | None,
        typer.Option(
            "--time-limit",
            metavar="TIME",
            help="Measure what fits into this time, such as 90s, 15m or 2h, and list the rest.",
            show_default="15m; none for a report card",
            rich_help_panel=options.MEASURE,
        ),
    ] = None,
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
    with console.errors(resumes=report_card):
        from unlearnable import duration
        from unlearnable.cli import protection, verification
        from unlearnable.evaluation.schedule import TIME_LIMIT, check
        from unlearnable.evaluation.verdict import Goal
        from unlearnable.evaluation.verification import prepare
        from unlearnable.runs import RunFolder, find_run, keep_apart
        from unlearnable.training.compute import Compute

        # everything that can be refused is refused before a photo is read
        usual = math.inf if report_card else TIME_LIMIT
        limit = usual if time_limit is None else duration.parse(time_limit)
        goal = None if require is None else Goal.parse(require)
        options.load_plugins(plugin)
        check(target or (), countermeasure or (), limit)
        folder = run or find_run(photos, protected)
        _refuse_exchanged(photos, protected, folder)
        keep_apart(photos, protected, folder)
        _refuse_run_of_others(photos, protected, folder)
        # a report that could not be written after the trainings would waste them
        with RunFolder(folder).open():
            pass
        reading = protection.photo_options(labels, class_name, folders_are_classes, max_pixels)
        first = seed or 0
        compute = Compute.choose(device, precision)
        with console.progress() as on_progress:
            prepared = prepare(
                reading.folder(photos),
                protected,
                test=test,
                context=context,
                run=folder,
                seeds=range(first, first + (seeds or SEEDS)),
                every_seed=seeds is not None,
                targets=target or (),
                weights=weights,
                countermeasures=countermeasure,
                report_card=report_card,
                time_limit=None if math.isinf(limit) else limit,
                compute=compute,
                on_progress=on_progress,
            )
        verification.announce(console, prepared)
        with console.progress() as on_progress:
            found = prepared.measure(on_progress)
        verification.report(console, prepared, found, photos, protected, folder, goal)


def _refuse_exchanged(photos: Path, protected: Path, run: Path) -> None:
    """Refuse one folder given twice, and the two folders in the wrong order, if a run folder shows it.

    Raises:
        UsageError: If so.
    """
    from unlearnable.runs import RunFolder, default_run

    if photos.resolve() == protected.resolve():
        raise UsageError(
            f"PHOTOS and PROTECTED are the same folder, {photos}.",
            "Give the folder of your photos first, then the folder that was published.",
        )
    record = RunFolder(run).read()
    published_from = Path(record.get("photos") or photos)
    other_way = not record and (default_run(protected, photos) / "run.json").is_file()
    if other_way or published_from.resolve() == protected.resolve():
        raise UsageError(
            f"The folders are in the wrong order: {photos} was published from {protected}.",
            f"Run `{shlex.join(['unlearnable', 'verify', str(protected), str(photos)])}`.",
        )


def _refuse_run_of_others(photos: Path, protected: Path, run: Path) -> None:
    """Refuse the run folder of other photos, whose report would be replaced.

    Raises:
        UsageError: If the run published other photos, and not these files under another name.
    """
    from unlearnable.runs import RunFolder

    folder = RunFolder(run)
    published_from = folder.read().get("photos")
    if published_from is None or Path(published_from).resolve() == photos.resolve():
        return
    if not folder.wrote(protected):
        raise UsageError(
            f"{run} is the run folder of other photos, {published_from}.",
            "Leave --run out, or name the run folder that published these files.",
        )
