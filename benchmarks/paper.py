r"""Run experiments where nothing can be installed.

    PYTHONPATH=src python benchmarks/paper.py main --data-dir FOLDER --only "cifar10, resnet18" --seed 0 \
        --time-limit 9m --out results --cache FOLDER

It needs torch, NumPy, safetensors, pydantic and filelock only, and renders nothing. `unlearnable experiment
NAME --profile paper` does the same and renders the tables. Results are written to --out, and noise and the
checkpoint of an unfinished search or training to --cache. The same command with both folders resumes, on
another machine too: a search in any case, a training on the same kind of device with the same versions. The
exit code is 6 while cells are left, 1 if one failed.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from resumable import running

from unlearnable import duration, experiments
from unlearnable.cells import runner
from unlearnable.cells.cache import Cache
from unlearnable.cells.cell_runner import CellRunner
from unlearnable.cells.results import Result, Results
from unlearnable.cells.sets import Sets
from unlearnable.errors import UsageError
from unlearnable.experiments import profiles
from unlearnable.plugins import words
from unlearnable.training.compute import Compute

CHECKPOINTS = 20.0  # seconds between two checkpoints


def seconds(text: str) -> float:
    """Return a length of time in seconds, or an error as argparse shows it."""
    try:
        return duration.parse(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(f"{error.problem} {error.remedy}") from error


def main() -> int:
    started = time.monotonic() - running()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="+")
    parser.add_argument("--profile", default="paper")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--seed", type=int, nargs="+", default=[])
    parser.add_argument(
        "--time-limit", type=seconds, default=float("inf"), help="with start-up: 90s, 9m, 1.5h"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    profile = profiles.get(args.profile)
    cells = [
        entry.cell
        for name in args.names
        for entry in experiments.get(name).entries(profile, args.seed, args.only)
    ]
    deadline = started + args.time_limit
    cell_runner = CellRunner(
        Sets(args.data_dir),
        Cache(args.cache),
        Compute.choose(args.device),
        deadline=deadline,
        checkpoint_seconds=CHECKPOINTS,
    )

    def report(result: Result, done: int, total: int) -> None:
        print(f"{done} of {total}", result.cell.label, result.summary, f"{result.seconds} s", flush=True)

    outcome = runner.run(cells, cell_runner, Results(args.out / profile.name / "cells"), report)
    print(f"{len(outcome.made)} made, {len(outcome.there)} were there, {len(outcome.missing)} are missing")
    for cell, error in outcome.failed.items():
        print(f"{cell.label} failed: {words(error)}")
    return 1 if outcome.failed else 6 if outcome.missing else 0


if __name__ == "__main__":
    sys.exit(main())
