"""Render docs/results.md from the result files.

python benchmarks/tables.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
DOCS = ROOT.parent / "docs" / "results.md"
INTRO = """# Results

Rendered from the files in `benchmarks/results` by `python benchmarks/tables.py`; nothing here is typed by hand, and a test compares.
Every file holds the command, the settings, the seeds, the versions and every repetition. All runs are on two shared CPU cores
with bfloat16 instructions, one thread each, so times are upper bounds. GPU rows are missing: no GPU has been at hand yet.

Accuracies are balanced accuracies on clean test images: mean over seeds of the best epoch (chosen on the test images, which favours
whoever trains), with the last epoch beside it. A seed is one noise and one pair of networks.
"""
GOALS = {
    "imagenette500-classwise": "Wanted: clean at least 45%, protected at most 20%, protecting in at most 10 minutes.",
    "imagenette3000-classwise": "Wanted: clean at least 60%, protected at most 22%.",
    "cifar10-classwise": "Wanted: clean at least 64%, protected at most 15%.",
    "cifar10-samplewise": "Wanted: clean at least 64%, protected at most 25%.",
    "demo": "Wanted, for each seed: clean at least 97%, sample-wise at most 20%, class-wise at most 30%, in at most 3 minutes.",
}


def percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def demo(result: dict[str, Any]) -> str:
    arms = ("clean", "sample-wise", "class-wise")
    rows = [
        [seed, *(f"{percent(one[arm]['peak'])} ({percent(one[arm]['last'])})" for arm in arms), f"{one['seconds']:.0f} s"]
        for seed, one in result["seeds"].items()
    ]
    return table(["seed", *(f"{arm}, best epoch (last)" for arm in arms), "time"], rows)


def photos(result: dict[str, Any]) -> str:
    rows = [
        [
            row["trial"],
            row["target"],
            row["arm"],
            percent(row["peak"]) + (f" ± {100 * row['spread']:.1f}" if row["seeds"] > 1 else ""),
            percent(row["last"]),
            str(row["seeds"]),
        ]
        for row in result["summary"]
    ]
    seeds = list(result["seeds"].values())
    times = ", ".join(f"{one['protect_seconds'] / 60:.1f}" for one in seeds)
    rounds = ", ".join(str(one["rounds"]) for one in seeds)
    seen = seeds[0]["seen"]
    words = f"{result['photos']} photos, {result['test']} clean test photos. Protecting took {times} minutes ({rounds} rounds)."
    words += f" PSNR {seen['psnr']:.1f} dB, SSIM {seen['ssim']:.3f}." if seen and seen["psnr"] and seen["ssim"] else ""
    return words + "\n\n" + table(["trial", "network", "trained on", "best epoch ± sd over seeds", "last", "seeds"], rows)


def cifar(result: dict[str, Any]) -> str:
    rows = [
        [
            seed,
            *(f"{percent(one[arm]['peak'])} ({percent(one[arm]['last'])})" for arm in ("clean", "protected")),
            f"{one['search_seconds']:.0f} s",
            one["stopped"],
        ]
        for seed, one in result["seeds"].items()
    ]
    return table(["seed", "clean, best epoch (last)", "protected, best epoch (last)", "search", "stopped because"], rows)


def render() -> str:
    parts = [INTRO]
    for path in sorted((ROOT / "results").glob("*.json")):
        result = json.loads(path.read_text("utf-8"))
        kind = demo if path.stem.startswith("demo") else cifar if path.stem.startswith("cifar10") else photos
        parts.append(f"## {path.stem}\n")
        parts.append(
            f"{result['data']}. {GOALS.get(path.stem, '')}".strip()
            + f"\nFile: `benchmarks/results/{path.name}`; command: `{result['command']}`.\n"
        )
        parts.append(kind(result))
    return "\n".join(parts)


if __name__ == "__main__":
    DOCS.write_text(render())
