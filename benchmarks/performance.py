"""Render docs/performance.md from the result files, one for each machine.

python benchmarks/performance.py
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gpu_rows

from unlearnable.experiments.markdown import grid

Parts = dict[str, Any]

ROOT = Path(__file__).resolve().parent
DOCS = ROOT.parent / "docs" / "performance.md"
# times as fast as the baseline, in the precision that the machine has instructions for, and in float32
TARGETS = {
    "inner loop, width 16": {"bfloat16": 4.0, "float32": 1.6},
    "inner loop, width 64": {"bfloat16": 5.0, "float32": 2.0},
}
WHOLE = 8.0
TEXT = (ROOT / "performance.md").read_text("utf-8")


def times(one: dict[str, Any]) -> str:
    return f"{one['ratio']:.2f} ({min(one['ratios']):.2f} to {max(one['ratios']):.2f})"


def ways(part: dict[str, Any]) -> dict[str, Any]:
    """What was timed in a part, by name."""
    return {name: one for name, one in part.items() if isinstance(one, dict) and "ratios" in one}


def ratios(parts: Parts) -> list[list[str]]:
    rows = []
    for name, part in parts.items():
        if name.startswith(("inner", "training")):
            for way, one in list(ways(part).items())[1:]:
                wanted = TARGETS.get(name, {}).get(way)
                rates = [f"{part['published']['per_second']:,.0f}", f"{one['per_second']:,.0f}"]
                rows.append(
                    [name, way, str(part["batch"]), *rates, times(one), f"{wanted:g}" if wanted else ""]
                )
    return rows


def floors(parts: Parts) -> list[list[str]]:
    return [
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


def profile(parts: Parts) -> list[list[str]]:
    return [[f"`{name}`", f"{share:.1%}"] for name, share in parts.get("profile, width 16", {}).items()]


def whole(parts: Parts) -> list[list[str]]:
    rows = []
    for count, found in parts.get("whole noise, one round, width 16", {}).items():
        for way, one in found.items() if count.isdigit() else ():
            mean = f"{sum(one['seconds']) / len(one['seconds']):.1f} s"
            rows.append(
                [
                    "one round",
                    count,
                    way,
                    mean,
                    str(len(one["seconds"])),
                    times(one) if len(found) > 1 and way != "published" else "",
                    "",
                ]
            )
    part = parts.get("whole search, five rounds, width 16", {})
    for way, one in ways(part).items():
        mean = f"{sum(one['seconds']) / len(one['seconds']):.1f} s"
        ratio = [times(one) if way != "published" else "", f"{WHOLE:g}" if way == "fast" else ""]
        rows.append(
            [
                f"one of {part['rounds']} rounds",
                str(part["images"]),
                way,
                mean,
                str(len(one["seconds"])),
                *ratio,
            ]
        )
    return rows


def growth(parts: Parts) -> list[list[str]]:
    part = parts.get("whole noise, one round, width 16")
    if part is None:
        return []
    found = part["growth"]
    return [
        [
            f"{found['from']} to {found['to']}",
            f"{found['time_per_image_step']:.3f}",
            "1.05",
            f"{part['peak_megabytes']:,} MB",
        ]
    ]


def attempts(parts: Parts) -> list[list[str]]:
    rows = []
    for name, part in parts.items():
        if name.startswith("tried"):
            compiling = f"{part['compiling_seconds']:.0f} s" if "compiling_seconds" in part else ""
            found, used = list(ways(part).items())[1:], "yes" if part.get("used") else "no"
            name = name.removeprefix("tried: ")
            if not found:
                rows.append([name, part["skipped"], compiling, used])
            for way, one in found:
                label = name if len(found) == 1 else f"{name}: {way}"
                rows.append([label, times(one), compiling, used])
    return rows


def starts(parts: Parts) -> list[list[str]]:
    found = parts.get("start", {}).items()
    return [
        [name, f"{sorted(one)[len(one) // 2]:.2f} s", f"{min(one):.2f} to {max(one):.2f} s"]
        for name, one in found
    ]


def commands(files: dict[str, dict[str, Any]]) -> list[list[str]]:
    """The rows of whole commands: on, command, time, announced, CPU time, memory, photos."""

    def on(file: dict[str, Any]) -> str:
        name = called(file["processor"].partition(",")[0])
        return f"{name}, {file['capability']}, {file['environment']['precision']}"

    return [
        [
            on(file),
            f"`{command}`" if " " not in command else command,
            f"{one['wall_seconds']:.0f} s",
            one["announced"],
            f"{one['cpu_seconds']:.0f} s",
            f"{one['peak_megabytes']:,} MB",
            "" if command == "demo" else f"{file['photos']}",
        ]
        for file in files.values()
        if file["kind"] == "commands"
        for command, one in file["commands"].items()
    ]


TABLES: dict[str, tuple[list[str], Callable[[Parts], list[list[str]]]]] = {
    "RATIOS": (
        [
            "what",
            "precision",
            "batch",
            "published, per second",
            "ours, per second",
            "times as fast (pairs)",
            "goal",
        ],
        ratios,
    ),
    "FLOORS": (
        [
            "what",
            "operations per image-step",
            "bytes per image-step",
            "product, GFLOP/s",
            "inner loop, GFLOP/s",
            "share",
        ],
        floors,
    ),
    "PROFILE": (["operation", "share of the time"], profile),
    "WHOLE": (
        ["search", "images", "way", "mean", "repetitions", "times as fast as published (pairs)", "goal"],
        whole,
    ),
    "GROWTH": (
        ["images", "time per image-step, larger over smaller", "goal", "peak memory, baseline included"],
        growth,
    ),
    "TRIED": (["tried", "times as fast as without (pairs)", "time to compile", "used there"], attempts),
    "STARTS": (["from the start of the process to", "median", "range"], starts),
}


def name_of(result: dict[str, Any]) -> str:
    """The GPU, or the processor without the words that every processor has."""
    found = result["environment"]
    if found["device"] == "cuda":
        return str(found["device_name"])
    return called(result["processor"])


def called(processor: str) -> str:
    """The name of a processor without the words that every one has."""
    return " ".join(processor.replace("(R)", "").replace("Processor", "").split())


def machines(results: dict[str, dict[str, Any]]) -> dict[str, Parts]:
    """Return the parts that were measured on every machine, by its name; those of a newer file count."""
    found: dict[str, Parts] = {}
    # the sort leaves files of one day in their order
    dates = {name: result["date"] for name, result in results.items()}
    for name in results:
        found.setdefault(name_of(results[name]), {})
    for name in sorted(results, key=dates.__getitem__):
        found[name_of(results[name])] |= results[name]["parts"]
    return found


def render() -> str:
    # a script on a GPU writes a folder of files, one for each piece of its work
    paths = sorted((ROOT / "results").rglob("*.json"))
    files = {
        path.relative_to(ROOT / "results").as_posix(): json.loads(path.read_text("utf-8")) for path in paths
    }
    results = {name: file for name, file in files.items() if file["kind"] == "speed"}
    text = TEXT.replace(
        "{RUNS}",
        "\n".join(
            f"- **{name_of(result)}**: `benchmarks/results/{file}`: {result['machine']},"
            f" torch {result['environment']['torch']},"
            f" {result['environment']['threads']} threads, {result['date']}, commit {result['commit']}."
            for file, result in results.items()
        ),
    )
    found_on = machines(results)
    gpus = [name_of(one) for one in results.values() if one["environment"]["device"] == "cuda"]
    head = ["on", "command", "time", "announced", "CPU time", "largest memory", "photos"]
    text = text.replace("{COMMANDS}", grid(head, commands(files)).rstrip("\n"))
    text = text.replace(
        "{GPU}",
        grid(["what", "goal", "measured"], gpu_rows.rows(found_on[gpus[0]] if gpus else {})).rstrip("\n"),
    )
    for key, (head, rows) in TABLES.items():
        found = [[name, *row] for name, parts in found_on.items() for row in rows(parts)]
        text = text.replace("{" + key + "}", grid(["on", *head], found).rstrip("\n"))
    return text


if __name__ == "__main__":
    DOCS.write_text(render())
