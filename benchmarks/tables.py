"""Render docs/results.md from the result files: the paper's experiments from `results`, measurements of the tool from `benchmarks/results`.

python benchmarks/tables.py
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean, median, pstdev
from typing import Any

from unlearnable import experiments
from unlearnable.cells.results import Results
from unlearnable.experiments import profiles
from unlearnable.experiments.markdown import section
from unlearnable.experiments.pages import gallery
from unlearnable.experiments.table import tabulate

ROOT = Path(__file__).resolve().parent
DOCS = ROOT.parent / "docs" / "results.md"
RESULTS = ROOT.parent / "results"
INTRO = """# Results

Rendered from result files by `python benchmarks/tables.py`; nothing here is typed by hand, and a test compares. All runs are on two shared
CPU cores with bfloat16 instructions, one thread each except for the demo, so times are upper bounds. GPU rows are missing: no GPU has been
at hand yet.

- [The paper's experiments](#the-papers-experiments), from `results/`
- [Measurements of the tool](#measurements-of-the-tool): photos, the demo, speed of applying, from `benchmarks/results/`
"""
EXPERIMENTS = """## The paper's experiments

[How to run them](experiments.md). {about} The numbers are therefore not the paper's; the orderings can be compared.

Accuracy on clean test images in percent after the last epoch, ± standard deviation over seeds where there are several; in brackets after
the best epoch, chosen on the test images, which is what early stopping could reach at most. A seed is one noise and one training. A claim
holds if it holds for the means; `within the spread` says that the gap is smaller than the spread of the seeds. With one seed there is no
spread, and a few points mean nothing. The tables are also in [one page](../results/cpu/index.html) and as CSV, a line for each seed, in
`results/cpu/`.
"""
PAPER = """### With the paper's data and settings

Not run yet: no GPU has been at hand. Each command goes on where it stopped; `--budget 10m` ends it in time, `--seed 0` runs one seed first.
"""
TOOL = """## Measurements of the tool

Accuracies are balanced accuracies on clean test images: mean over seeds of the best epoch (chosen on the test images, which favours
whoever trains), with the last epoch beside it. The mean over the second half of the epochs depends least on luck. A seed is one noise and
one pair of networks. Every file holds the command, the settings, the seeds, the versions and every repetition.
"""
GOALS = {
    "imagenette500-classwise": "Wanted: clean at least 45%, protected at most 20%, protecting in at most 10 minutes.",
    "imagenette500-rounds360": "Twice the rounds of `imagenette500-classwise`.",
    "imagenette500-transfer": "Other networks, sizes, crops and treatments, with one noise.",
    "imagenette3000-classwise": "Wanted: clean at least 60%, protected at most 22%.",
    "imagenette3000-samplewise": "The same photos with a noise of their own each.",
    "fast-cifar10": "The preset `small`, the surrogate a network that halves the image first.",
    "fast-cifar10-classwise": "The preset `small`, class-wise, with that network.",
    "fast-digits": "The settings of the demo, which leaves settled noise alone; so does the preset `paper` when it is `fast`.",
    "fast-photos": "The preset `laptop`.",
    "cifar10-classwise": "Wanted: clean at least 64%, protected at most 15% (published figures are of the last epoch).",
    "cifar10-samplewise": "Wanted: clean at least 64%, protected at most 25% (published figures are of the last epoch).",
    "cifar10-samplewise-epochs": "The search that the preset `small` does sample-wise. Wanted: clean at least 64%, protected at most 25%.",
    "cifar10-samplewise-restarts": "As in the demo: few surrogate batches a round, and a new surrogate for one that errs no more.",
    "applying": "Wanted: at least the speed of Pillow, files at most 20% larger, memory that does not grow.",
    "applying-12": "The same with larger photos.",
    "applying-48": "The same with photos as a camera makes them.",
    "sweep-classwise": "Settings of the preset for photos, changed.",
    "sweep-samplewise": "Settings of the preset for photos, changed.",
    "jpeg-photos": "Class-wise noise, published as JPEG of several qualities, 4:4:4.",
    "jpeg-digits": "Class-wise noise, published as JPEG of several qualities, 4:4:4, found without and with JPEG inside the search.",
    "extend": "Noise found on a share of the photos and made for the others with `extend`; all of them are protected.",
    "demo": "Wanted, for each seed: clean at least 97%, sample-wise at most 20%, class-wise at most 30%, in at most 3 minutes.",
}


WAYS = {
    "fast": "what `--search fast` does there",
    "float32": "the exact search in float32",
    "settled": "the exact search that leaves settled noise alone",
    "half": "the exact search in half the rounds",
}


def percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def demo(result: dict[str, Any]) -> str:
    arms = ("clean", "sample-wise", "class-wise")
    rows = [
        [
            seed,
            *(f"{percent(one[arm]['peak'])} ({percent(one[arm]['last'])})" for arm in arms),
            f"{one['seconds']:.0f} s",
        ]
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
            percent(row["late"]),
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
    words += (
        f" PSNR {seen['psnr']:.1f} dB, SSIM {seen['ssim']:.3f}."
        if seen and seen["psnr"] and seen["ssim"]
        else ""
    )
    head = [
        "trial",
        "network",
        "trained on",
        "best epoch ± sd over seeds",
        "mean of the second half",
        "last",
        "seeds",
    ]
    return words + "\n\n" + table(head, rows)


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
    return table(
        ["seed", "clean, best epoch (last)", "protected, best epoch (last)", "search", "stopped because"],
        rows,
    )


def runs(result: dict[str, Any]) -> str:
    """Runs by what was changed, each over the same seeds."""
    rows = []
    columns = {"peak": "best epoch", "late": "mean of the second half", "last": "last"}
    for words, seeds in result["runs"].items():
        found = list(seeds.values())
        columns = {key: name for key, name in columns.items() if key in found[0]}
        more = (
            [f"{median(one['search_seconds'] for one in found) / 60:.1f} min"]
            if "search_seconds" in found[0]
            else []
        )
        more += [
            f"{one['mean_bytes'] / 1000:.1f} kB, {one['mean_change']:.1f} levels"
            for one in found[:1]
            if "mean_bytes" in one
        ]
        rows.append(
            [words, *(average([one[key] for one in found]) for key in columns), str(len(found)), *more]
        )
    extra = (
        ["search, median" if "search_seconds" in found[0] else "mean size and change of a file"]
        if more
        else []
    )
    return table(["what", *columns.values(), "seeds", *extra], rows)


def searches(result: dict[str, Any]) -> str:
    """Ways of searching, each over the same seeds, and how far they are from the exact one seed by seed."""
    exact, rows = result["runs"]["exact"], []
    for arm, seeds in result["runs"].items():
        found, both = (
            list(seeds.values()),
            [seed for seed in seeds if seed in exact and arm not in ("clean", "exact")],
        )
        apart = [100 * (seeds[seed]["late"] - exact[seed]["late"]) for seed in both]
        spread = f" ± {pstdev(apart):.1f}" if len(apart) > 1 else ""
        faster = [exact[seed]["search_seconds"] / seeds[seed]["search_seconds"] for seed in both]
        took = f"{median(one['search_seconds'] for one in found):.0f} s" if arm != "clean" else ""
        cells = [average([one[key] for one in found]) for key in ("peak", "late", "last")]
        rows.append(
            [
                arm,
                *cells,
                str(len(found)),
                f"{mean(apart):+.1f}{spread}" if apart else "",
                took,
                f"{median(faster):.2f}" if both else "",
            ]
        )
    columns = [
        "best epoch",
        "mean of the second half",
        "last",
        "seeds",
        "second half, away from exact",
        "search, median",
        "times as fast as exact",
    ]
    ways = "; ".join(f"`{arm}` is {words}" for arm, words in WAYS.items() if arm in result["runs"])
    return f"{ways}. Times are of one thread beside another.\n\n" + table(["search", *columns], rows)


def average(shares: list[float]) -> str:
    return percent(mean(shares)) + (f" ± {100 * pstdev(shares):.1f}" if len(shares) > 1 else "")


def applying(result: dict[str, Any]) -> str:
    keys = ("ours_seconds", "plain_seconds", "ratio")
    pairs = [
        [str(number), *(f"{pair[key]:.2f}" for key in keys)] for number, pair in enumerate(result["pairs"], 1)
    ]
    peaks = ", ".join(
        f"{megabytes:.0f} MB with {count} photos" for count, megabytes in result["peak_megabytes"].items()
    )
    size = "one megapixel" if result.get("megapixels", 1) == 1 else f"{result['megapixels']} megapixels"
    words = f"{result['count']} photos of {size}, {result['workers']} processes: {result['speed_over_plain']:.2f} times as fast as"
    words += f" Pillow (median), files of {result['size_over_plain']:.3f} times the size. Peak memory of the largest process: {peaks}."
    return (
        words
        + "\n\n"
        + table(
            ["pair", "ours, everything included, s", "Pillow, decode and encode, s", "Pillow over ours"],
            pairs,
        )
    )


KINDS = {
    "demo": demo,
    "cifar10": cifar,
    "sweep": runs,
    "extend": runs,
    "fast": searches,
    "jpeg": runs,
    "applying": applying,
    "imagenette": photos,
}


def experiments_of_the_paper() -> list[str]:
    """The section of the paper's experiments: those of the profile `cpu` that were run, and commands for those on a GPU."""
    found = Results(RESULTS / "cpu" / "cells").all()
    tables = [tabulate(experiments.get(name), profiles.CPU, found) for name in experiments.names()]
    parts = [EXPERIMENTS.format(about=profiles.CPU.about)]
    for one in tables:
        noise = gallery(one, RESULTS / "cpu")
        parts.append(
            section(one, f"../results/cpu/{one.experiment.name}.svg", noise and f"../results/cpu/{noise}")
        )
    grids = {name: experiments.get(name).entries(profiles.PAPER) for name in experiments.names()}
    ready = [
        [
            title,
            str(len({entry.cell for entry in grids[name]})),
            f"`unlearnable experiment {name} --profile paper`",
        ]
        for name, title in experiments.names().items()
    ]
    return [*parts, PAPER, table(["experiment", "trainings", "command"], ready)]


def render() -> str:
    parts = [INTRO, *experiments_of_the_paper(), TOOL]
    for path in sorted((ROOT / "results").glob("*.json")):
        if path.stem.startswith("speed"):  # docs/performance.md has those
            continue
        result = json.loads(path.read_text("utf-8"))
        kind = next(kind for name, kind in KINDS.items() if path.stem.startswith(name))
        parts.append(f"### {path.stem}\n")
        parts.append(
            f"{result.get('data', 'Imagenette photos, enlarged')}. {GOALS.get(path.stem, '')}".strip()
            + f"\nFile: `benchmarks/results/{path.name}`; command: `{result['command']}`.\n"
        )
        if "note" in result:
            parts.append(f"{result['note']}\n")
        parts.append(kind(result))
    return "\n".join(parts)


if __name__ == "__main__":
    DOCS.write_text(render())
