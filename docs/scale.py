"""Render the figures of docs/scale.md from benchmarks/results/scale.json.

python docs/scale.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from unlearnable.experiments.markdown import grid

DOCS = Path(__file__).resolve().parent
FILE = DOCS.parent / "benchmarks" / "results" / "scale.json"
PAGE = DOCS / "scale.md"
BEGIN, END = "<!-- rendered by docs/scale.py -->\n", "<!-- end -->\n"
TARGETS = {"parts": 1.9, "ray": 0.9, "memory": 0.05}


def render(text: str) -> str:
    """Return the page with the tables that the result file has."""
    file = json.loads(FILE.read_text("utf-8"))
    found = file["parts"]
    before, _, rest = text.partition(BEGIN)
    made = found["parts"]["made"]
    commands = dict.fromkeys(part["made"]["command"] for part in found.values())
    words = [
        f"File: `benchmarks/results/scale.json`; {made['machine']}, torch {made['environment']['torch']}, "
        f"{made['date']}; commands: {', '.join(f'`{one}`' for one in commands)}.",
        measured(found),
        simulated(found["simulation"]),
    ]
    return before + BEGIN + "\n" + "\n\n".join(words) + "\n\n" + END + rest.partition(END)[2]


def measured(found: dict[str, Any]) -> str:
    """Return the table of measurements."""
    parts, ray, memory = found["parts"], found["ray"], found["memory"]
    peaks = ", ".join(f"{peak:.1f} MB over {count}" for count, peak in memory["peak_megabytes"].items())
    rows = [
        [
            f"two parts against one process, {parts['photos']:,} photos of {parts['megapixels']} megapixels",
            f"{TARGETS['parts']} times as fast",
            f"{parts['ratio']:.2f} ({_range(parts['pairs'], 'ratio')})",
        ],
        [
            f"`--engine ray` against `--engine local`, two workers, {ray['photos']:,} photos",
            f"{TARGETS['ray']} times as fast",
            f"{ray['ratio']:.2f} ({_range(ray['pairs'], 'ratio')}); without the start of the cluster "
            f"{ray['ratio_without_start']:.2f}",
        ],
        [
            f"memory of one process, tar shards of {memory['photos_a_shard']} photos",
            f"within {TARGETS['memory']:.0%}",
            f"{peaks} shards: {memory['growth']:.1%}",
        ],
        ["one core, per photo", "", f"{1000 * parts['cpu_seconds_a_photo']:.0f} ms"],
        ["start of a process whose shards are finished", "", f"{parts['start_seconds']:.1f} s"],
    ]
    return grid(["what", "wanted", "measured (range of the pairs)"], rows)


def simulated(found: dict[str, Any]) -> str:
    """Return the assumptions and the table of simulated jobs."""
    cluster = found["cluster"]
    seconds = cluster["new_seconds"] + cluster["start_seconds"]
    words = (
        f"Jobs on many machines were simulated from {1000 * found['seconds_a_photo']:.0f} ms a photo, with "
        f"shards of {found['photos_a_shard']:,} photos and {cluster['cores']} processes a machine. Each "
        f"process is killed every {cluster['hours_between_kills']:g} hours on average, and {seconds:.0f} s "
        f"later another takes its place. {cluster['slow_share']:.0%} of the machines are "
        f"{cluster['slowdown']:g} times as slow. Reading and writing are those of a local disk. The price is "
        f"an example: {found['price_a_core_hour']} a core-hour."
    )
    rows = [
        [
            f"{one['photos']:,}",
            f"{one['machines']:,}",
            f"{one['parts']:,}" if one["parts"] else "a queue of shards",
            f"{one['hours']:,.1f}",
            f"{one['core_hours']:,.0f}",
            f"{one['core_hours'] * found['price_a_core_hour']:,.0f}",
            f"{one['kills']:,}",
            f"{one['lost_share']:.2%}",
        ]
        for one in found["rows"]
    ]
    head = ["photos", "machines", "parts", "hours", "core-hours", "price", "kills", "work lost"]
    return words + "\n\n" + grid(head, rows)


def _range(pairs: list[dict[str, Any]], name: str) -> str:
    found = [pair[name] for pair in pairs]
    if len(found) == 1:
        return "one pair"
    return f"{min(found):.2f} to {max(found):.2f}"


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text("utf-8")), "utf-8")
