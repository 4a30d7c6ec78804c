"""Render the tables of docs/detect.md from results/detection/rates.json.

python docs/detection.py
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from statistics import mean
from typing import Any

from unlearnable.experiments.markdown import grid

DOCS = Path(__file__).resolve().parent
FILE = DOCS.parent / "results" / "detection" / "rates.json"
PAGE = DOCS / "detect.md"
BEGIN, END = "<!-- rendered by docs/detection.py -->\n", "<!-- end -->\n"
NETWORKS = ("linear", "convolutional")
ANSWERS = ("probably protected", "cannot tell", "no sign of protection")
Rows = dict[str, dict[str, dict[str, Any]]]


def render(text: str) -> str:
    """Return the page with the tables that the result file has."""
    file = json.loads(FILE.read_text("utf-8"))
    before, _, rest = text.partition(BEGIN)
    environment = file["environment"]
    clean, protected = (
        {name: seeds for name, seeds in file[part].items() if seeds} for part in ("clean", "protected")
    )
    wrong = sum(one["answer"] == ANSWERS[0] for seeds in clean.values() for one in seeds.values())
    total = sum(len(seeds) for seeds in clean.values())
    seconds = sorted(
        one["seconds"] for rows in (clean, protected) for seeds in rows.values() for one in seeds.values()
    )
    words = [
        f"File: `results/detection/rates.json`; command: `{file['command']}`; {file['machine']}, one thread, "
        f"torch {environment['torch']}, {file['date']}. Median time of a comparison: "
        f"{seconds[len(seconds) // 2]:.0f} s, on cores that many other processes shared.",
        f"On clean data, the answer was `probably protected` for {wrong} of {total} sets:",
        table("clean data", clean),
        "On protected data (the share is that of the images with noise):",
        table("data; method; share protected", protected),
    ]
    return before + BEGIN + "\n" + "\n\n".join(words) + "\n\n" + END + rest.partition(END)[2]


def table(title: str, rows: Rows) -> str:
    """Return the number of each answer and the mean leads, one row per set of data."""
    head = [title, *(f"`{answer}`" for answer in ANSWERS), *(f"lead, {name}" for name in NETWORKS)]
    return grid(
        head, [[name, *_counts(seeds.values()), *_leads(seeds.values())] for name, seeds in rows.items()]
    )


def _counts(found: Iterable[dict[str, Any]]) -> list[str]:
    answers = [one["answer"] for one in found]
    return [f"{answers.count(answer)} of {len(answers)}" for answer in ANSWERS]


def _leads(found: Iterable[dict[str, Any]]) -> list[str]:
    found = [one for one in found if one["contrasts"]]
    return [
        f"{mean(one['contrasts'][name]['lead'] for one in found):+.2f}" if found else "" for name in NETWORKS
    ]


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text("utf-8")), "utf-8")
