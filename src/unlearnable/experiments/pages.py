"""Everything that is rendered from result files: Markdown, CSV, pictures, and one page with all of it."""

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
        name, drawn = one.experiment.name, figures.draw(one) if one.places else ""
        if (
            drawn
        ):  # a picture that is a file of its own says what its elements are; one inside a page need not
            write(folder / f"{name}.svg", drawn.replace("<svg", NAMESPACES, 1).encode())
        write(folder / f"{name}.csv", table.to_csv(one).encode())
        write(
            folder / f"{name}.md",
            ("#" + markdown.section(one, f"{name}.svg", gallery(one, folder))[3:]).encode(),
        )
        shown.append((one, drawn))
    write(folder / "index.html", page(shown, folder).encode())
    return folder / "index.html"


def plain(one: Table) -> str:
    """Write a table for a terminal."""
    lines = [
        [one.experiment.rows, *one.columns],
        *([row, *(table.text(one.places.get((row, name))) for name in one.columns)] for row in one.rows),
    ]
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    out = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    verdicts = [f"  {markdown.claim(verdict).replace('**', '')}" for verdict in one.verdicts]
    return "\n".join(
        [f"{one.experiment.title} ({one.profile.name})", "", out[0], "-" * len(out[0]), *out[1:], *verdicts]
    )


def gallery(one: Table, folder: Path) -> str:
    """Return the name of the picture of a table's noise, drawn where the noise was found; empty if there is none."""
    name = f"{one.experiment.name}-noise.png"
    return name if one.experiment.gallery and (folder / name).exists() else ""


def record(one: Table) -> list[dict[str, Any]]:
    """Return a table for a program: a number per seed at every place."""
    return [
        {"row": row, "column": column, "last": place.last, "peak": place.peak}
        for (row, column), place in one.places.items()
    ]


def page(shown: list[tuple[Table, str]], folder: Path) -> str:
    """Return one HTML page of tables and their pictures, which lies in a folder and fetches nothing from elsewhere."""
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
                    (row, [table.text(one.places.get((row, column))) for column in one.columns])
                    for row in one.rows
                ],
                "gallery": gallery(one, folder),
                "figure": Markup(drawn),  # our own drawing; matplotlib escapes the names in it
                "verdicts": [
                    (verdict.word, markdown.claim(verdict).partition(": ")[2]) for verdict in one.verdicts
                ],
                "about": markdown.about(one).replace("`", ""),
            }
            for one, drawn in shown
        ],
    }
    return environment.get_template("page.html").render(values)
