"""Run the measurements that need a GPU in pieces of at most three minutes, the most informative first.

    PYTHONPATH=src python benchmarks/gpu.py --data-dir FOLDER --out benchmarks/results/gpu

Each call runs the next piece that is missing, or the one that --piece names, and writes its JSON into --out.
A piece that is cut off, by --time-limit or otherwise, resumes in the next call, on another machine too if
--out goes with it. The exit code is 6 while something is left of the piece. FOLDER holds the binary version
of CIFAR-10; `--pack FILE.npz --images 25000` makes one smaller file of it, which --data-dir also takes.
Needs torch, NumPy, Pillow, safetensors and pydantic, and no installation. Render with `make results`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import gpu_data
import smoke
import speed
import torch
from gpu_parts import checkpoint, noise, published, training
from resumable import running
from shared import head
from timing import Part, TimeUp, done, measure, processor

from unlearnable import countermeasures, duration, methods
from unlearnable.data.image_set import ImageSet
from unlearnable.errors import UsageError
from unlearnable.training.compute import Compute

Pieces = dict[str, dict[str, Part]]
QUICK = ("autoregressive", "error_minimizing")  # methods of a quick smoke test
LIMIT = 165.0  # seconds with start-up; a part or a checkpoint that has begun may take some more


def pieces(
    train: ImageSet, test: ImageSet, compute: Compute, quick: bool, seeds: int, work: Path, deadline: float
) -> Pieces:
    """Return the parts of every piece by name, in order.

    Args:
        train: Training images.
        test: Test images.
        compute: Device and precision.
        quick: Whether to take tiny sizes.
        seeds: Networks that are trained on clean images.
        work: Folder of the checkpoints.
        deadline: When long parts stop, a value of ``time.monotonic()``.
    """
    width, count, epochs, T, rounds = (16, 64, 2, 1, 2) if quick else (64, 2048, 24, 20, 100)
    of_speed = speed.parts(compute, quick)

    def starting(*names: str) -> dict[str, Part]:
        return {name: of_speed[name] for start in names for name in of_speed if name.startswith(start)}

    def clean(seed: int) -> dict[str, Part]:
        name = f"clean training, {epochs} epochs, seed {seed}"
        saved = partial(checkpoint, work, name, deadline)
        return {name: lambda: training(train, test, compute, width, epochs, seed, saved())}

    def found(search: str) -> dict[str, Part]:
        name = f"noise, {search}"
        saved = partial(checkpoint, work, name, deadline)
        return {name: lambda: noise(train, compute, search, width, rounds, saved())}

    tried = {f"tried: {name}": part for name, part in speed.attempts(compute, of_batch(quick), T).items()}
    return {
        "smoke": {
            **{
                f"smoke, countermeasure {name}": partial(smoke.countermeasure, name, compute)
                for name in [*countermeasures.names()][: 2 if quick else None]
            },
            **{
                f"smoke, method {name}": partial(smoke.method, name, compute)
                for name in (QUICK if quick else methods.names())
            },
        },
        "inner-loop": {
            **starting("inner loop, width 64", "floor, width 64", "training, width 64"),
            "published round": lambda: published(count, compute, width, T),
            **starting("inner loop", "training", "floor", "profile"),
        },
        "clean": clean(0),
        "noise-exact": found("exact"),
        "noise-fast": found("fast"),
        # on a CPU, compiling takes longer than all the rest
        "compile": {name: part for name, part in tried.items() if not quick or "optimiser" in name},
        "more-networks": {name: part for seed in range(1, seeds) for name, part in clean(seed).items()},
    }


def of_batch(quick: bool) -> int:
    """Return the number of images in a batch."""
    return 8 if quick else 512


def fresh(part: Part, compute: Compute) -> Part:
    """Return the part with the GPU's memory empty and its peak forgotten before it."""

    def run() -> dict[str, Any]:
        if compute.device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        return part()

    return run


def main() -> int:
    started = time.monotonic() - running()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="folder of the results, one file for each piece")
    parser.add_argument("--piece", help="smoke, inner-loop, clean, ...; by default the next that is missing")
    parser.add_argument("--time-limit", default=f"{LIMIT:g}s", help="with start-up, such as 90s or 3m")
    parser.add_argument("--pack", type=Path, help="write the data into this .npz file, and measure nothing")
    parser.add_argument("--images", type=int, default=50_000, help="training images that --pack takes")
    parser.add_argument("--device", default="cuda", help="cpu only with --quick, to try the script")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to try the script")
    parser.add_argument("--seeds", type=int, default=5, help="networks that are trained on clean images")
    args = parser.parse_args()
    if args.pack:
        gpu_data.pack(args.data_dir, args.pack, args.images)
        return 0
    if args.out is None:
        parser.error("--out is missing: the folder of the results")
    if args.device != "cuda" and not args.quick:
        parser.error("without a GPU there is nothing to measure; --quick tries the script")
    try:
        compute = Compute.choose(args.device)
        deadline = started + duration.parse(args.time_limit)
    except UsageError as error:
        parser.error(f"{error.problem} {error.remedy} Without a GPU, --device cpu --quick tries the script.")
    # convolutions in float32 take TF32 on a GPU, so the product that they are compared with has to
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32
    train, test = gpu_data.read(args.data_dir)
    if args.quick:
        train, test = train.subset(train.ids[:: len(train) // 64]), test.subset(test.ids[:: len(test) // 32])
    every = pieces(train, test, compute, args.quick, args.seeds, args.out / "checkpoints", deadline)
    if args.piece is not None and args.piece not in every:
        parser.error(f"there is no piece {args.piece!r}; choose from {', '.join(every)}")
    header = head("speed", compute, {"FOLDER": args.data_dir}) | {"processor": processor()}
    left = [name for name in every if not done(args.out / f"{name}.json", header, every[name], args.quick)]
    name = args.piece or next(iter(left), None)
    if name is None:
        print("Every piece is there.")
        return 0
    parts = {part: fresh(action, compute) for part, action in every[name].items()}
    try:
        measure(args.out / f"{name}.json", header | {"piece": name}, parts, args.quick, deadline=deadline)
    except TimeUp:
        print(json.dumps({"piece": name, "finished": False}), "The same command resumes.")
        return 6
    print(json.dumps({"piece": name, "finished": True, "left": [one for one in left if one != name]}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
