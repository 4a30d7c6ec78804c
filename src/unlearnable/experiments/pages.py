"""Render result files as Markdown, CSV and figures, and as one HTML page with everything."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from unlearnable.experiments import figures, markdown, table
from unlearnable.experiments.table import Table
from unlearnable.files import write

NAMESPACES = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'


def render(tables: Iterable[Table], folder: Path) -> Path:
    """Write ``NAME.md``, ``NAME.csv`` and ``NAME.svg`` of every table, and ``index.html`` with all of them.

    Returns:
        The path of the page.
    """
    shown = []
    for one in tables:
        name, drawn = one.experiment.name, figures.draw(one) if one.begun else ""
        if drawn:
            write(folder / f"{name}.svg", standalone(drawn).encode())
        write(folder / f"{name}.csv", table.to_csv(one).encode())
        write(
            folder / f"{name}.md",
            ("#" + markdown.section(one, f"{name}.svg", gallery(one, folder))[3:]).encode(),
        )
        shown.append((one, drawn))
    write(folder / "index.html", page(shown, folder).encode())
    return folder / "index.html"


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
    title = f"{one.experiment.title} ({one.profile.name})"
    return "\n".join([title, markdown.caption(one), "", *shown, *outcomes])


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
                "about": markdown.about(one).replace("`", ""),
            }
            for one, drawn in shown
        ],
    }
    return environment.get_template("page.html").render(values)
