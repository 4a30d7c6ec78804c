"""``unlearnable experiment``: a table or figure of the paper, from the noise to the rendered table."""

from __future__ import annotations

import re
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unlearnable.cli.console import Console, Device, Json, Precision, Quiet, duration
from unlearnable.errors import UsageError

if TYPE_CHECKING:
    from unlearnable.cells import Cell
    from unlearnable.cells.cell_runner import CellRunner
    from unlearnable.cells.results import Result, Results
    from unlearnable.experiments import Entry

UNFINISHED = 4


def experiment(
    names: Annotated[
        list[str] | None, typer.Argument(help="Experiments, or all; without a name, they are listed.")
    ] = None,
    profile: Annotated[
        str, typer.Option("--profile", help="smoke, cpu or paper: how large the data and the networks are.")
    ] = "cpu",
    list_: Annotated[
        bool, typer.Option("--list", help="Only list the cells, and which of them are done.")
    ] = False,
    only: Annotated[str, typer.Option("--only", help="Only cells with this in their row/column.")] = "",
    seed: Annotated[
        list[int] | None,
        typer.Option("--seed", help="Only this seed; may be given again [those of the profile]."),
    ] = None,
    budget: Annotated[
        str, typer.Option("--budget", help="Stop after this time, e.g. 10m; the same command goes on later.")
    ] = "",
    render: Annotated[bool, typer.Option("--render", help="Only render the results that are there.")] = False,
    data_dir: Annotated[
        Path | None,
        typer.Option("--data-dir", help="Folder with the files of benchmarks and folders of photos."),
    ] = None,
    download: Annotated[
        bool, typer.Option("--download", help="Fetch benchmarks that are not there.")
    ] = False,
    results: Annotated[
        Path, typer.Option("--results", help="Folder of the results, one JSON file per cell, and the tables.")
    ] = Path("results"),
    cache: Annotated[
        Path | None, typer.Option("--cache", help="Folder of noise and weights [the user's cache].")
    ] = None,
    device: Device = "auto",
    precision: Precision = "auto",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Repeat a table or figure of the paper. Interrupted, it goes on where it was; several processes share the work."""
    console = Console(json, quiet)
    with console.errors(goes_on=True):
        from unlearnable import experiments
        from unlearnable.cells import cache as artefacts
        from unlearnable.cells.cell_runner import CellRunner
        from unlearnable.cells.results import Results
        from unlearnable.cells.sets import Sets
        from unlearnable.experiments import gallery, pages, profiles, table
        from unlearnable.training.compute import Compute

        if not names:
            width = max(map(len, experiments.names()))
            console.result(
                experiments.names(),
                "\n".join(f"{name.ljust(width)}  {title}" for name, title in experiments.names().items()),
            )
            return
        chosen = [experiments.get(name) for name in (experiments.names() if names == ["all"] else names)]
        scale = profiles.get(profile)
        folder = results / scale.name
        files = Results(folder / "cells")
        entries = [entry for one in chosen for entry in one.entries(scale, tuple(seed or ()), only)]
        if not entries:
            raise UsageError("No cell is chosen.", "See --list without --only and --seed.")
        if list_:
            _list(console, entries, files)
            return
        missing = 0
        if not render:
            deadline = time.monotonic() + seconds(budget) if budget else float("inf")
            cell_runner = CellRunner(
                Sets(data_dir, download),
                artefacts.Cache(cache or artefacts.usual()),
                Compute.choose(device, precision),
                deadline=deadline,
            )
            missing = _run(console, [entry.cell for entry in entries], cell_runner, files)
            for one in chosen:
                if one.gallery:
                    gallery.write_gallery(
                        table.tabulate(one, scale, files.all()), cell_runner, folder / f"{one.name}-noise.png"
                    )
        filled = [
            one
            for one in (
                table.tabulate(experiments.get(name), scale, files.all()) for name in experiments.names()
            )
            if one.begun
        ]
        page = pages.render(filled, folder) if filled else None
        shown = [table.tabulate(one, scale, files.all()) for one in chosen]
        text = "\n\n".join(map(pages.plain, shown))
        text += f"\n\n{missing} cells are not done yet; the same command goes on." if missing else ""
        text += f"\n\nAll tables and pictures: {page.resolve()}" if page else ""
        record = {"tables": {one.experiment.name: pages.record(one) for one in shown}, "missing": missing}
        console.result(record | {"page": str(page.resolve()) if page else None}, text)
        if missing:
            raise typer.Exit(UNFINISHED)


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
        "\n".join([*shown, f"{count} of {len(cells)} cells are done; some are in several places."]),
    )


def _run(console: Console, cells: list[Cell], cell_runner: CellRunner, files: Results) -> int:
    from unlearnable.cells import runner

    started = time.monotonic()
    before = files.all()
    left = len({cell for cell in cells if cell.text not in before})
    known = [result.seconds for result in before.values()]
    guess = f", about {duration(left * statistics.median(known))} and the searches" if known and left else ""
    compute = cell_runner.compute
    console.say(
        f"{left} of {len(set(cells))} cells to do{guess}; {compute.device}, {compute.precision}; cache: {cell_runner.cache.folder}"
    )

    def told(result: Result, done: int, total: int) -> None:
        console.say(f"{done} of {total}: {result.cell.label}: {result.summary}, {duration(result.seconds)}")

    with console.progress() as on_progress:
        cell_runner.on_progress = on_progress
        outcome = runner.run(cells, cell_runner, files, told)
    console.say(
        f"{len(outcome.made)} cells made, {len(outcome.there)} were there, {duration(time.monotonic() - started)}"
    )
    for reason in dict.fromkeys(str(error) for error in outcome.without_data.values()):
        count = sum(str(error) == reason for error in outcome.without_data.values())
        console.say(f"{count} cells were left out: {reason}")
    return len(outcome.missing) + len(outcome.without_data)


def seconds(text: str) -> float:
    """Read a length of time: ``90s``, ``10m``, ``1.5h``.

    Raises:
        UsageError: If it is none.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh])", text.strip())
    if found is None:
        raise UsageError(f"--budget {text!r} is no length of time.", "Write it like 90s, 10m or 1.5h.")
    return float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]]
