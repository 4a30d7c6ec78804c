"""``unlearnable experiment``: a table or figure of the paper, from the noise to the rendered table."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Annotated

import typer

from unlearnable.cli.console import Console, Device, Json, Quiet, duration
from unlearnable.errors import UsageError

UNFINISHED = 4


def experiment(
    names: Annotated[list[str] | None, typer.Argument(help="Experiments, or all; without a name, they are listed.")] = None,
    profile: Annotated[str, typer.Option("--profile", help="smoke, cpu or paper: how large the data and the networks are.")] = "cpu",
    list_: Annotated[bool, typer.Option("--list", help="Only list the cells, and which of them are done.")] = False,
    only: Annotated[str, typer.Option("--only", help="Only cells with this in their row/column.")] = "",
    seed: Annotated[list[int] | None, typer.Option("--seed", help="Only this seed; may be given again [those of the profile].")] = None,
    budget: Annotated[str, typer.Option("--budget", help="Stop after this time, e.g. 10m; the same command goes on later.")] = "",
    render: Annotated[bool, typer.Option("--render", help="Only render the results that are there.")] = False,
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="Folder with the files of benchmarks and folders of photos.")] = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch benchmarks that are not there.")] = False,
    results: Annotated[Path, typer.Option("--results", help="Folder of the results, one JSON file per cell, and the tables.")] = Path(
        "results"
    ),
    cache: Annotated[Path | None, typer.Option("--cache", help="Folder of noise and weights [the user's cache].")] = None,
    device: Device = "auto",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Repeat a table or figure of the paper. Interrupted, it goes on where it was; several processes share the work."""
    console = Console(json, quiet)
    with console.errors(goes_on=True):
        from unlearnable import experiments
        from unlearnable.experiments import pages, profiles, table

        if not names:
            width = max(map(len, experiments.names()))
            console.result(experiments.names(), "\n".join(f"{name.ljust(width)}  {title}" for name, title in experiments.names().items()))
            return
        chosen = [experiments.get(name) for name in (experiments.names() if names == ["all"] else names)]
        scale = profiles.get(profile)
        entries = [entry for one in chosen for entry in one.entries(scale, tuple(seed or ()), only)]
        if not entries:
            raise UsageError("No cell is chosen.", "See --list without --only and --seed.")
        from unlearnable.cells.results import Results

        files = Results(results / scale.name / "cells")
        if list_:
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
            shown = [f"{'done' if line['done'] else '-   '}  {line['row']} / {line['column']} / seed {line['seed']}" for line in lines]
            count, many = len({entry.cell for entry in entries if entry.cell.text in done}), len({entry.cell for entry in entries})
            console.result({"cells": lines}, "\n".join([*shown, f"{count} of {many} cells are done; some are in several places."]))
            return
        missing = 0
        if not render:
            missing = _run(console, [entry.cell for entry in entries], files, data_dir, download, cache, device, budget)
        found = files.all()
        everything = experiments.names() if render or names == ["all"] else [one.name for one in chosen]
        tables = [table.tabulate(experiments.get(name), scale, found) for name in everything]
        filled = [one for one in (table.tabulate(experiments.get(name), scale, found) for name in experiments.names()) if one.places]
        page = pages.render(filled, results / scale.name) if filled else None
        text = "\n\n".join(pages.plain(one) for one in tables)
        record = {
            "tables": {
                one.experiment.name: [
                    {"row": row, "column": column, "last": place.last, "peak": place.peak} for (row, column), place in one.places.items()
                ]
                for one in tables
            },
            "missing": missing, "page": None if page is None else str(page.resolve()),
        }  # fmt: skip
        left = f"\n\n{missing} cells are not done yet; the same command goes on." if missing else ""
        console.result(record, f"{text}{left}" + ("" if page is None else f"\n\nAll tables and pictures: {page.resolve()}"))
        if missing:
            raise typer.Exit(UNFINISHED)


def _run(console, cells, files, data_dir, download, cache, device, budget) -> int:  # type: ignore[no-untyped-def]
    from unlearnable.cells import cache as artefacts
    from unlearnable.cells import runner
    from unlearnable.cells.sets import Sets
    from unlearnable.cells.work import Workshop
    from unlearnable.training.compute import Compute

    compute = Compute.choose(device)
    started = time.monotonic()
    console.say(
        f"{len(set(cells))} cells; {compute.device}, {compute.precision}; noise and weights are kept in {cache or artefacts.usual()}"
    )
    with console.progress() as listen:
        shop = Workshop(
            Sets(data_dir, download), artefacts.Cache(cache or artefacts.usual()), compute, listen,
            deadline=started + seconds(budget) if budget else float("inf"),
        )  # fmt: skip

        def told(result, done, total) -> None:  # type: ignore[no-untyped-def]
            console.say(f"{done} of {total}: {result.cell.label}: {result.last:.1%} (best {result.peak:.1%}), {duration(result.seconds)}")

        outcome = runner.run(cells, shop, files, told)
    console.say(f"{len(outcome.made)} cells made, {len(outcome.there)} were there, {duration(time.monotonic() - started)}")
    return len(outcome.missing)


def seconds(text: str) -> float:
    """Read a length of time: ``90s``, ``10m``, ``1.5h``.

    Raises:
        UsageError: If it is none.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh])", text.strip())
    if found is None:
        raise UsageError(f"--budget {text!r} is no length of time.", "Write it like 90s, 10m or 1.5h.")
    return float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]]
