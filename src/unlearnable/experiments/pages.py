"""Render result files as Markdown, CSV and figures, and as one HTML page with everything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from unlearnable.experiments import figures, markdown, table
from unlearnable.experiments.table import Table
from unlearnable.files import write
from unlearnable.plugins import words

NAMESPACES = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'


def render(tables: Iterable[Table], folder: Path) -> Path:
    """Write ``NAME.md``, ``NAME.csv`` and ``NAME.svg`` of every table, and ``index.html`` with all of them.

    Returns:
        The path of the page.
    """
    shown = []
    for given in tables:
        one, drawn = _drawn(given)
        name = one.experiment.name
        if drawn:
            write(folder / f"{name}.svg", standalone(drawn).encode())
        write(folder / f"{name}.csv", table.to_csv(one).encode())
        write(
            folder / f"{name}.md",
            ("#" + markdown.section(one, f"{name}.svg" if drawn else "", gallery(one, folder))[3:]).encode(),
        )
        shown.append((one, drawn))
    write(folder / "index.html", page(shown, folder).encode())
    return folder / "index.html"


def _drawn(one: Table) -> tuple[Table, str]:
    """Return a table and its figure; without a figure, and with the problem, if it cannot be drawn."""
    try:
        return one, figures.draw(one) if one.begun else ""
    # rows and numbers may be those of a plugin, which matplotlib refuses in many ways
    except Exception as error:
        return replace(one, problems=(*one.problems, f"The figure cannot be drawn. {words(error)}")), ""


def standalone(svg: str) -> str:
    """Return an SVG as a file of its own, which must name its namespaces; inside an HTML page it need not."""
    return svg.replace("<svg", NAMESPACES, 1)


def plain(one: Table, columns: int | None = None) -> str:
    """Return a table as text for a terminal.

    Args:
        one: The table.
        columns: Columns of the terminal; in a wider table, every row is a block with a line for each of its
            columns. None for no limit.
    """
    title = f"{one.experiment.title} ({one.profile.name})"
    problems = [f"  Failed: {problem}" for problem in one.problems]
    if not one.rows:
        return "\n".join([title, *problems])
    lines = [
        [one.experiment.rows, *one.columns],
        *([row, *(table.text(one.measured.get((row, name))) for name in one.columns)] for row in one.rows),
    ]
    shown = _aligned(lines)
    shown.insert(1, "-" * len(shown[0]))
    if columns is not None and max(map(len, shown)) > columns:
        blocks = (
            [[f"  {name}", cell] for name, cell in zip(one.columns, row[1:], strict=True)]
            for row in lines[1:]
        )
        shown = [
            line for row, block in zip(one.rows, blocks, strict=True) for line in (row, *_aligned(block))
        ]
    outcomes = [f"  {markdown.claim(outcome).replace('**', '')}" for outcome in one.outcomes]
    notes = [f"  {note}" for note in markdown.notes(one)]
    return "\n".join([title, markdown.caption(one), "", *shown, *notes, *outcomes, *problems])


def _aligned(lines: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]


def gallery(one: Table, folder: Path) -> str:
    """Return the file name of the picture of a table's noise; empty if the folder has none."""
    name = f"{one.experiment.name}-noise.png"
    return name if one.experiment.gallery and (folder / name).exists() else ""


def record(one: Table) -> list[dict[str, Any]]:
    """Return a table for a program: the accuracies of every seed at every position, as shares in [0, 1]."""
    return [
        {"row": row, "column": column, "last": measured.last, "peak": measured.peak}
        for (row, column), measured in one.measured.items()
    ]


def page(shown: list[tuple[Table, str]], folder: Path) -> str:
    """Return one HTML page of tables and figures, to be written into ``folder`` beside the galleries."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    loader = PackageLoader("unlearnable.experiments", ".")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    values: dict[str, Any] = {
        "profile": shown[0][0].profile,
        "sections": [
            {
                "table": one,
                "rows": [
                    (row, [table.text(one.measured.get((row, column))) for column in one.columns])
                    for row in one.rows
                ],
                "gallery": gallery(one, folder),
                "figure": Markup(drawn),  # our own drawing; matplotlib escapes the names in it
                "outcomes": [
                    (outcome.word, markdown.claim(outcome).partition(": ")[2]) for outcome in one.outcomes
                ],
                "caption": markdown.caption(one),
                "notes": markdown.notes(one),
                "about": markdown.about(one).replace("`", ""),
            }
            for one, drawn in shown
        ],
    }
    return environment.get_template("page.html").render(values)
