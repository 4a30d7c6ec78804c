"""The HTML page: one file that loads nothing from elsewhere."""

from __future__ import annotations

from typing import Any

from unlearnable import duration
from unlearnable.evaluation.verdict import EXPLANATIONS
from unlearnable.report import card_picture, figures, text
from unlearnable.report.record import Record


def environment() -> Any:
    """Return the environment of the templates, a ``jinja2.Environment``."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("unlearnable.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "percent": text.percent,
        "spread": text.spread,
        "duration": duration.words,
        "estimated": text.estimated,
    }
    return made


def page(record: Record) -> str:
    """Return the HTML page of a record."""
    from markupsafe import Markup

    trial, clean, headline = record.main
    by_class = figures.classes(record)
    values: dict[str, Any] = {
        "record": record,
        "trial": trial,
        "clean": clean,
        "headline": headline,
        "sentence": text.sentence(record).partition(": ")[2],
        "words": EXPLANATIONS[headline.verdict or "cannot tell"],
        "rows": [
            (one, first, arm, text.network(one), text.label(one, arm, record.kind))
            for one, first, arm in text.rows(record)
        ],
        # Safe: matplotlib escapes the names in its SVG.
        "curves": Markup("\n").join(map(Markup, figures.curves(record))),
        "bars": Markup(card_picture.bars(record)) if record.kind == "verify" else None,
        "card_figures": text.card_figures(record),
        "by_class": None if by_class is None else Markup(by_class),
        "seeds": len(clean.curves),
    }
    text_of_page: str = environment().get_template("page.html").render(values)
    return text_of_page
