"""``unlearnable experiment``: a table or figure of the paper, from the noise to the rendered table."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unlearnable import duration
from unlearnable.cli import options
from unlearnable.cli.console import Console, definitions, width
from unlearnable.errors import DataError, Unfinished, UnlearnableError
from unlearnable.words import counted

if TYPE_CHECKING:
    from unlearnable.cells import Cell
    from unlearnable.cells.cell_runner import CellRunner
    from unlearnable.cells.results import Result, Results
    from unlearnable.cells.runner import RunOutcome
    from unlearnable.experiments import Entry

CELLS = "Cells"
# parameters that choose cells, and that matter only where cells are run
CHOOSING = ("only", "seed")
RUNNING = ("data_dir", "download", "cache", "time_limit", "device", "precision")


def experiment(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAMES", help="Experiments, or all. Without a name, the command lists them."),
    ] = None,
    profile: Annotated[
        str,
        typer.Option(
            "--profile",
            metavar="NAME",
            help="Size of the data and the networks: smoke, cpu or paper.",
            rich_help_panel=CELLS,
        ),
    ] = "cpu",
    only: Annotated[
        str,
        typer.Option(
            "--only",
            metavar="TEXT",
            help="Only the row, column or row/column of exactly this name; without one, all that contain it.",
            rich_help_panel=CELLS,
        ),
    ] = "",
    seed: Annotated[
        list[int] | None,
        typer.Option(
            "--seed",
            metavar="N",
            help="Only this seed. Repeatable.",
            show_default="those of the profile",
            rich_help_panel=CELLS,
        ),
    ] = None,
    list_: Annotated[
        bool,
        typer.Option(
            "--list", help="Only list the cells, and mark those that are done.", rich_help_panel=CELLS
        ),
    ] = False,
    render: Annotated[
        bool, typer.Option("--render", help="Only render the finished results.", rich_help_panel=CELLS)
    ] = False,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            "--data-dir",
            metavar="FOLDER",
            help="Folder with the files of benchmarks and folders of photos.",
            rich_help_panel=options.FILES,
        ),
    ] = None,
    download: Annotated[
        bool,
        typer.Option("--download", help="Download missing benchmarks.", rich_help_panel=options.FILES),
    ] = False,
    results: Annotated[
        Path,
        typer.Option(
            "--results",
            metavar="FOLDER",
            help="Folder of the results, one JSON file per cell, and of the tables.",
            rich_help_panel=options.FILES,
        ),
    ] = Path("results"),
    cache: Annotated[
        Path | None,
        typer.Option(
            "--cache",
            metavar="FOLDER",
            help="Folder of noise and weights.",
            show_default="the user's cache",
            rich_help_panel=options.FILES,
        ),
    ] = None,
    plugin: options.Plugin = None,
    time_limit: options.TimeLimit = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Repeat a table or figure of the paper. The same command resumes; several processes share the work."""
    console = Console(json, quiet)
    with console.errors(resumes=True):
        from unlearnable import experiments
        from unlearnable.cells import cache as artefacts
        from unlearnable.cells.cell_runner import CellRunner
        from unlearnable.cells.results import Results
        from unlearnable.cells.sets import Sets
        from unlearnable.experiments import gallery, pages, profiles, table
        from unlearnable.training.compute import Compute

        deadline = float("inf") if time_limit is None else time.monotonic() + duration.parse(time_limit)
        options.load_plugins(plugin)
        if not names:
            options.refuse(
                ctx, {*CHOOSING, *RUNNING, "list_", "render", "profile", "results"}, "without a name"
            )
            known = experiments.names()
            console.result(known, definitions(known))
            return
        chosen = [experiments.get(name) for name in (experiments.names() if names == ["all"] else names)]
        scale = profiles.get(profile)
        folder = results / scale.name
        files = Results(folder / "cells")
        entries, broken = table.gather(chosen, scale, tuple(seed or ()), only)
        for name, problem in broken.items():
            console.remark(f"The experiment {name} fails: {problem}")
        if not entries:
            _require_sound(broken)
            raise table.nothing_chosen(chosen, scale, tuple(seed or ()), only)
        if list_:
            options.refuse(ctx, {*RUNNING, "render"}, "with --list")
            _list(console, entries, files)
            _require_sound(broken)
            return
        outcome = None
        if render:
            options.refuse(ctx, {*CHOOSING, *RUNNING}, "with --render")
        else:
            cell_runner = CellRunner(
                Sets(data_dir, download),
                artefacts.Cache(cache or artefacts.default_folder()),
                Compute.choose(device, precision),
                deadline=deadline,
            )
            outcome = _run(console, [entry.cell for entry in entries], cell_runner, files)
            # only the machine that ran the searches has their noise, so ``--render`` draws no patterns
            for one in chosen:
                if one.gallery:
                    shown = table.tabulate(one, scale, files.all())
                    gallery.write_gallery(shown, cell_runner, folder / f"{one.name}-noise.png")
        # the page shows all experiments, so all of them are rendered and not only those that were run
        every = [experiments.get(name) for name in experiments.names()]
        failed = outcome.failed if outcome else {}
        tables = [table.tabulate(one, scale, files.all(), failed) for one in every]
        filled = [one for one in tables if one.begun or one.problems]
        page = pages.render(filled, folder).resolve() if filled else None
        shown_tables = [table.tabulate(one, scale, files.all(), failed) for one in chosen]
        left = len(outcome.missing) + len(outcome.without_data) + len(failed) if outcome else 0
        text = "\n\n".join(pages.plain(one, width()) for one in shown_tables)
        text += f"\n\n{left} cells are not done yet." if left else ""
        text += f"\n\nAll tables and pictures: {page}" if page else ""
        record = {"tables": {one.experiment.name: pages.record(one) for one in shown_tables}, "missing": left}
        record["problems"] = {one.experiment.name: list(one.problems) for one in shown_tables if one.problems}
        console.result(record | {"page": str(page) if page else None}, text)
        if outcome:
            _require_all(outcome)
        _require_sound(broken)


def _require_sound(broken: Mapping[str, str]) -> None:
    """Leave with the code for experiments that cannot be run, if there are any."""
    for name, problem in broken.items():
        raise UnlearnableError(
            f"The experiment {name} fails: {problem}", "Correct its file; the others are done."
        )


def _require_all(outcome: RunOutcome) -> None:
    """Leave with the code for the cells that are not done."""
    from unlearnable.plugins import words

    for cell, error in outcome.failed.items():
        raise UnlearnableError(
            f"{counted(len(outcome.failed), 'cell')} failed. The first, {cell.label}: {words(error)}",
            "Correct the cause and run the same command again; finished cells are not run again.",
        )
    if outcome.missing:
        raise Unfinished(
            f"The time is up and {counted(len(outcome.missing), 'cell', 'is')} left.",
            "Run the same command again to resume.",
        )
    if outcome.without_data:
        problems = dict.fromkeys(str(error) for error in outcome.without_data.values())
        raise DataError(
            f"{counted(len(outcome.without_data), 'cell', 'has')} no data. {next(iter(problems))}"
        )


def _list(console: Console, entries: list[Entry], files: Results) -> None:
    done = files.all()
    lines = [
        {
            "row": entry.row,
            "column": entry.column,
            "seed": entry.cell.seed,
            "cell": entry.cell.label,
            "done": entry.cell.text in done,
        }
        for entry in entries
    ]
    shown = [
        f"{'done' if line['done'] else '-   '}  {line['row']} / {line['column']} / seed {line['seed']}"
        for line in lines
    ]
    cells = {entry.cell for entry in entries}
    count = sum(cell.text in done for cell in cells)
    console.result(
        {"cells": lines},
        "\n".join([*shown, f"{count} of {len(cells)} cells are done; tables may share a cell."]),
    )


def _run(console: Console, cells: list[Cell], cell_runner: CellRunner, files: Results) -> RunOutcome:
    from unlearnable.cells import runner

    started = time.monotonic()
    before = files.all()
    left = len({cell for cell in cells if cell.text not in before})
    known = [result.seconds for result in before.values()]
    guess = ""
    if known and left:
        guess = f", about {duration.words(left * statistics.median(known))} and the searches"
    compute = cell_runner.compute
    console.remark(
        f"{left} of {len(set(cells))} cells to do{guess}; {compute.device}, {compute.precision}; "
        f"cache: {cell_runner.cache.folder}"
    )

    def on_result(result: Result, done: int, total: int) -> None:
        console.remark(
            f"{done} of {total}: {result.cell.label}: {result.summary}, {duration.words(result.seconds)}"
        )

    with console.progress() as on_progress:
        cell_runner.on_progress = on_progress
        outcome = runner.run(cells, cell_runner, files, on_result)
    took = duration.words(time.monotonic() - started)
    console.remark(f"{counted(len(outcome.made), 'cell')} made, {len(outcome.there)} done before, {took}")
    for reason in dict.fromkeys(str(error) for error in outcome.without_data.values()):
        count = sum(str(error) == reason for error in outcome.without_data.values())
        console.remark(f"{count} cells are left out: {reason}")
    return outcome
