"""Make a result file of the JSON of ``verify --report-card``, without curves, pictures and paths.

unlearnable verify PHOTOS PROTECTED --report-card --json > card.json
python benchmarks/report_card.py card.json --data "500 photos of Imagenette, class-wise noise" \
    --command "unlearnable verify train protected --report-card" --out results/report-card/class-wise.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from unlearnable.files import write


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("card", type=Path, help="The output of verify.")
    parser.add_argument("--data", required=True, help="The photos and the noise, in a few words.")
    parser.add_argument("--about", default="", help="Anything else that a reader should know.")
    parser.add_argument("--command", required=True, help="The command, without paths of this machine.")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    record = json.loads(given.card.read_text("utf-8"))
    file = result(record) | {"data": given.data, "about": given.about, "command": given.command}
    write(given.out, (json.dumps(file, indent=1) + "\n").encode())


def result(record: dict[str, Any]) -> dict[str, Any]:
    """Return the result file of a report card, from the JSON of ``verify --report-card``."""
    return {
        "kind": "report-card",
        **{key: record[key] for key in ("conditions", "as_it_is", "broken_by", "weakened_by", "card")},
        "rows": [row(trial) for trial in record["trials"]],
        "unmeasured": [one["name"] for one in record["unmeasured"]],
        "seeds": [curve["seed"] for curve in record["trials"][0]["arms"][0]["curves"]],
        **{key: record[key] for key in ("pairs", "classes", "environment", "version", "date")},
    }


def row(trial: dict[str, Any]) -> dict[str, Any]:
    """Return a row: accuracies as shares at the last and at the best epoch, means over the seeds."""
    clean, protected = trial["arms"]
    return {
        **{key: trial[key] for key in ("name", "target", "countermeasure", "about", "recipe", "chance")},
        "tested": trial["tested"],
        "clean": {"last": clean["last"], "peak": clean["peak"]["value"]},
        "protected": {"last": protected["last"], "peak": protected["peak"]["value"]},
        "retained": protected["retained"],
        "verdict": protected["verdict"],
    }


if __name__ == "__main__":
    main()
