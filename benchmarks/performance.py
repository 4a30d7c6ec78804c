"""Render docs/performance.md from the result files.

python benchmarks/performance.py
"""

from __future__ import annotations

import json
from typing import Any

from tables import ROOT, table

DOCS = ROOT.parent / "docs" / "performance.md"
TARGETS = {  # times as fast as the published way, in the precision that the machine has instructions for, and in float32
    "inner loop, width 16": {"bfloat16": 4.0, "float32": 1.6},
    "inner loop, width 64": {"bfloat16": 5.0, "float32": 2.0},
}
TEXT = (ROOT / "performance.md").read_text("utf-8")


def ratios(parts: dict[str, Any]) -> str:
    rows = []
    for name, part in parts.items():
        if not name.startswith(("inner", "training")):
            continue
        for way in [key for key in part if key not in ("steps", "batch", "published")]:
            one, wanted = part[way], TARGETS.get(name, {}).get(way)
            spread = f"{min(one['ratios']):.2f} to {max(one['ratios']):.2f}"
            seen = [f"{part['published']['per_second']:,.0f}", f"{one['per_second']:,.0f}", f"{one['ratio']:.2f} ({spread})"]
            rows.append([name, way, str(part["batch"]), *seen, f"{wanted:g}" if wanted else ""])
    head = ["what", "precision", "batch", "published, per second", "ours, per second", "times as fast (pairs)", "wanted"]
    return table(head, rows)


def floors(parts: dict[str, Any]) -> str:
    rows = [
        [
            name.removeprefix("floor, "),
            f"{part['operations_per_image_step'] / 1e6:,.0f} million",
            f"{part['bytes_per_image_step'] / 1e6:.2f} MB",
            f"{part['product_gigaflops']:,.0f}",
            f"{part['reached_gigaflops']:,.0f}",
            f"{part['share']:.0%}",
        ]
        for name, part in parts.items()
        if name.startswith("floor")
    ]
    head = ["what", "operations per image-step", "bytes per image-step", "matrix product, GFLOP/s", "inner loop, GFLOP/s", "share"]
    return table(head, rows)


def whole(part: dict[str, Any]) -> str:
    rows = [
        [count, way, f"{sum(one['seconds']) / len(one['seconds']):.1f} s", str(len(one["seconds"])), f"{one['ratio']:.2f}"]
        for count, ways in part.items()
        if count.isdigit()
        for way, one in ways.items()
    ]
    growth = part["growth"]
    words = f"""
An image-step takes {growth["time_per_image_step"]:.3f} times as long at {growth["to"]} images as at {growth["from"]} (wanted: 1.05).
Peak memory of the process, published way included: {part["peak_megabytes"]:,} MB."""
    return table(["images", "", "a round, mean", "repetitions", "times as fast as the first row"], rows) + words


def profile(part: dict[str, float]) -> str:
    return table(["operation", "share of the time"], [[f"`{name}`", f"{share:.1%}"] for name, share in part.items()])


def attempts(parts: dict[str, Any]) -> str:
    rows = []
    for name, part in parts.items():
        if name.startswith("tried"):
            one = {key: value for key, value in part.items() if isinstance(value, dict) and key != "plain"}
            first = f"; compiling takes {part['compiling_seconds']:.0f} s" if "compiling_seconds" in part else ""
            ratio = "".join(f"{way['ratio']:.2f} ({min(way['ratios']):.2f} to {max(way['ratios']):.2f})" for way in one.values())
            rows.append([name.removeprefix("tried: "), ratio + first if ratio else part["skipped"]])
    return table(["tried, and not used", "times as fast as without (pairs)"], rows)


def starts(part: dict[str, list[float]]) -> str:
    rows = [[name, f"{sorted(one)[len(one) // 2]:.2f} s", f"{min(one):.2f} to {max(one):.2f} s"] for name, one in part.items()]
    return table(["from the start of a process", "median", "all"], rows)


def render() -> str:
    path = ROOT / "results" / "speed-cpu.json"
    result: dict[str, Any] = json.loads(path.read_text("utf-8"))
    parts = result["parts"]
    found = {
        "RUN": f"`benchmarks/results/{path.name}`: {result['machine']}, {result['processor']}, torch {result['environment']['torch']},"
        f" {result['environment']['threads']} threads, {result['date']}, commit {result['commit']}.",
        "RATIOS": ratios(parts), "FLOORS": floors(parts), "WHOLE": whole(parts["whole noise, one round, width 16"]),
        "PROFILE": profile(parts["profile, width 16"]),
        "STARTS": starts(parts["start"]), "TRIED": attempts(parts),
    }  # fmt: skip
    text = TEXT
    for name, words in found.items():
        text = text.replace("{" + name + "}", words.rstrip("\n"))
    return text


if __name__ == "__main__":
    DOCS.write_text(render())
