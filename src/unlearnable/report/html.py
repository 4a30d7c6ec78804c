"""The page: one file, nothing fetched from anywhere."""

from __future__ import annotations

from typing import Any

from unlearnable.report import figures, text
from unlearnable.report.record import Record

WORDS = {
    "protected": "In every test that could tell, networks learned next to nothing from the published photos.",
    "weakened": "Networks learned clearly less from the published photos than from the originals, but they did learn something.",
    "not protected": "Networks learned about as much from the published photos as from the originals.",
    "cannot tell": "The originals themselves taught the network too little to compare with, or too few photos were held out.",
}


def page(record: Record) -> str:
    """Return the HTML page of a record."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("unlearnable.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": text.percent, "spread": text.spread, "minutes": text.minutes}
    trial, clean, headline = record.main
    by_class = figures.classes(record)
    values: dict[str, Any] = {
        "record": record,
        "trial": trial,
        "clean": clean,
        "headline": headline,
        "sentence": text.sentence(record).partition(": ")[2],
        "words": WORDS[headline.verdict or "cannot tell"],
        "rows": [
            (one, first, arm, text.network(one), text.label(one, arm, record.kind))
            for one, first, arm in text.rows(record)
        ],
        "curves": Markup(figures.curves(record)),  # our own drawing; matplotlib escapes the names in it
        "by_class": None if by_class is None else Markup(by_class),
        "seeds": len(clean.curves),
    }
    return environment.get_template("page.html").render(values)
