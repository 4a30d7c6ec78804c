"""Experiments where nothing can be installed: needs torch, NumPy, safetensors, pydantic and filelock, and renders nothing.

    PYTHONPATH=src python benchmarks/paper.py main --data-dir FOLDER --only "cifar10, resnet18" --seed 0
    --budget 9 --out results

Elsewhere, `unlearnable experiment NAME --profile paper` does the same and renders the tables. Results, noise
and the checkpoint of a search that the time was not enough for are in FOLDERs of --out and --cache; the same
command goes on with both.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from unlearnable import experiments
from unlearnable.cells import runner
from unlearnable.cells.cache import Cache
from unlearnable.cells.cell_runner import CellRunner
from unlearnable.cells.results import Result, Results
from unlearnable.cells.sets import Sets
from unlearnable.experiments import profiles
from unlearnable.training.compute import Compute


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="+")
    parser.add_argument("--profile", default="paper")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--seed", type=int, nargs="+", default=[])
    parser.add_argument("--budget", type=float, default=float("inf"), help="minutes")
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
    deadline = time.monotonic() + 60 * args.budget
    cell_runner = CellRunner(
        Sets(args.data_dir),
        Cache(args.cache),
        Compute.choose(args.device),
        deadline=deadline,
        checkpoint_seconds=20.0,
    )

    def told(result: Result, done: int, total: int) -> None:
        print(
            f"{done} of {total}",
            result.cell.label,
            result.last,
            result.peak,
            f"{result.seconds} s",
            flush=True,
        )

    outcome = runner.run(cells, cell_runner, Results(args.out / profile.name / "cells"), told)
    print(f"{len(outcome.made)} made, {len(outcome.there)} were there, {len(outcome.missing)} are missing")


if __name__ == "__main__":
    main()
