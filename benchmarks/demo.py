"""Run the demo's walk with default settings for several seeds: four commands, each as a reader runs it.

python benchmarks/demo.py --out benchmarks/results/demo.json --seeds 20 30 40 50 60

A seed that is in the file already is not run again, so the script resumes after an interruption. With
``--again``, it repeats the seeds of the file in place, for times on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from shared import head

from unlearnable.files import write
from unlearnable.training.compute import Compute

WANTED = (
    "Wanted for each seed: the verdict `protected`, with the walk in at most 5 minutes on two cores that do "
    "nothing else and have AVX2 and nothing newer, and `unlearnable demo` in at most 3."
)
# `verify` uses three seeds from the one given, so these share none. The settings were chosen on others.
SEEDS = [20, 30, 40, 50, 60]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--again", action="store_true", help="Repeat the seeds that are in the file already.")
    parser.add_argument("--walk-only", action="store_true", help="Leave out `unlearnable demo` by itself.")
    parser.add_argument("--note", default="", help="What else the machine did.")
    args = parser.parse_args()
    result = head("walk", Compute.choose(), {}) | {
        "about": WANTED,
        "data": "1,000 squares of ten photographs that come with dependencies",
        "cpu": f"{os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}",
        "seeds": {},
    }
    if args.out.exists():
        result["seeds"] = json.loads(args.out.read_text("utf-8"))["seeds"]
    for seed in args.seeds:
        if args.again or str(seed) not in result["seeds"]:
            result["seeds"][str(seed)] = walk(seed, args.walk_only) | {"note": args.note}
            write(args.out, (json.dumps(result, indent=1) + "\n").encode())
        print(seed, json.dumps(result["seeds"][str(seed)]["steps"]), flush=True)


def walk(seed: int, walk_only: bool) -> dict[str, Any]:
    """Return results and times of the walk and, unless ``walk_only``, of the demo itself, with one seed."""
    with tempfile.TemporaryDirectory() as folder:
        steps = {
            "demo --photos": ["demo", "--photos", "photos"],
            "protect": ["protect", "photos", "protected", "--seed", str(seed)],
            "verify": ["verify", "photos", "protected", "--seed", str(seed)],
            "inspect": ["inspect", "photos.unlearnable/protected"],
        } | ({} if walk_only else {"demo": ["demo", "--seed", str(seed)]})
        ran = {name: command(arguments, Path(folder)) for name, arguments in steps.items()}
    verified, shown = ran["verify"][0], ran["demo"][0] if "demo" in ran else {"trials": []}
    return {
        "verdict": verified["verdict"],
        "trials": [trial(one) for one in verified["trials"]],
        "unmeasured": verified["unmeasured"],
        "seen": verified["seen"],
        "demo": [trial(one) for one in shown["trials"]],
        "environment": verified["environment"],
        "date": verified["date"],
        "steps": {name: times for name, (_, times) in ran.items()},
    }


def command(arguments: list[str], folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run a command in a folder, and return its JSON and its times."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "unlearnable", *arguments, "--json"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    wall, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"unlearnable {' '.join(arguments)}: {done.stderr}")
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    announced = next((line for line in done.stderr.splitlines() if "about" in line or "at most" in line), "")
    return json.loads(done.stdout), {
        "wall_seconds": round(wall, 1),
        "cpu_seconds": round(used, 1),
        "announced": announced,
    }


def trial(one: dict[str, Any]) -> dict[str, Any]:
    """Return what the tables show of a trial, and its settings."""
    return {
        **{key: one[key] for key in ("name", "target", "countermeasure", "recipe", "settings", "tested")},
        "arms": {
            arm["name"]: {key: arm[key] for key in ("peak", "last", "retained", "verdict")}
            for arm in one["arms"]
        },
    }


if __name__ == "__main__":
    main()
