"""Time a search of two processes against one, each of one thread, as torchrun starts them.

    python benchmarks/torchrun.py --out benchmarks/results/torchrun.json

An image-step is one image in one training step of the surrogate, or in one noise step. The first round warms
up, and the later ones are timed; starting the processes is not. Pairs take turns. The images are random: the
time of a step does not depend on what they show.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from shared import head

import unlearnable as un
from unlearnable import methods, portable
from unlearnable.data.arrays import arrays
from unlearnable.events import Event
from unlearnable.files import write
from unlearnable.training.compute import Compute
from unlearnable.training.launch import Launch

WANTED = "Wanted: 1.7 times the image-steps a second with 2 processes."
CPU = Compute("cpu", "float32")
SETTINGS = {"form": "samplewise", "train_batches": 4, "steps": 3, "stop_error": 0.0, "measure": "training"}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=2, help="timed rounds")
    parser.add_argument("--surrogate", default="resnet18:width=32,stem=cifar")
    parser.add_argument("--side", type=int, default=32, help="side of the images in pixels")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--count", type=int, default=512, help="images")
    args = parser.parse_args()
    if args.out is None:
        once(args)
        return
    result = head("torchrun", CPU, {}) | {
        "about": WANTED,
        "data": f"Random images of {args.side} px",
        "surrogate": args.surrogate,
        "batch": args.batch,
        "count": args.count,
        "processes": args.processes,
        "pairs": [],
    }
    result["environment"]["threads"] = 1
    for _ in range(args.pairs):
        load = portable.load()
        alone, together = searched(1), searched(args.processes)
        ratios = {f"{kind}_ratio": round(together[kind] / alone[kind], 3) for kind in alone}
        result["pairs"].append({"alone": alone, "together": together, "load_before": round(load, 2)} | ratios)
        print(result["pairs"][-1], flush=True)
    for kind in ("train", "move", "all"):
        found = sorted(pair[f"{kind}_ratio"] for pair in result["pairs"])
        result[f"{kind}_ratio"] = statistics.median(found)
        result[f"{kind}_range"] = [found[0], found[-1]]
    write(args.out, (json.dumps(result, indent=1) + "\n").encode())
    print(json.dumps(result, indent=1))


def searched(count: int) -> dict[str, float]:
    """Search in processes of their own; return the image-steps a second of each kind of step and of all."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    place = {"WORLD_SIZE": count, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": 1}
    words = [sys.executable, __file__, *sys.argv[1:]]
    del words[words.index("--out") : words.index("--out") + 2]
    group = [
        subprocess.Popen(
            words,
            env=os.environ
            | {name: str(value) for name, value in place.items()}
            | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]
    said = [process.communicate()[0] for process in group]
    if any(process.returncode for process in group):
        raise SystemExit("A search failed; see above.")
    answer: dict[str, float] = json.loads(said[0])
    return answer


def once(args: argparse.Namespace) -> None:
    """Search, and let the first process print the speed."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (args.count, args.side, args.side, 3), dtype=np.uint8)
    images = arrays(pixels, [number % 10 for number in range(args.count)])
    rounds = {
        "min_rounds": 1,
        "max_rounds": args.rounds + 1,
        "batch": args.batch,
        "surrogate": args.surrogate,
    }
    method = methods.create("error_minimizing", {**SETTINGS, **rounds})
    batches, steps = SETTINGS["train_batches"], SETTINGS["steps"]
    assert isinstance(batches, int)
    assert isinstance(steps, int)
    times: list[float] = []

    def watch(event: Event) -> None:
        if event.total:
            times.append(time.perf_counter())

    un.fit(images, method, seed=0, compute=CPU, on_progress=watch)
    if Launch.of().rank == 0:
        print(json.dumps(speeds(times, batches, args, steps)))


def speeds(times: list[float], batches: int, args: argparse.Namespace, steps: int) -> dict[str, Any]:
    """Return image-steps a second of training steps, of noise steps and of all, after the first round.

    Args:
        times: When each step ended.
        batches: Training steps of a round; they come first.
        args: The size of the search.
        steps: Noise steps on each image.
    """
    a_round = batches + args.count // args.batch
    seconds = {"train": 0.0, "move": 0.0}
    for number in range(a_round, len(times)):
        kind = "train" if number % a_round < batches else "move"
        seconds[kind] += times[number] - times[number - 1]
    work = {
        "train": args.rounds * batches * args.batch,
        "move": args.rounds * args.count // args.batch * args.batch * steps,
    }
    found = {kind: round(work[kind] / seconds[kind], 2) for kind in work}
    return found | {"all": round(sum(work.values()) / sum(seconds.values()), 2)}


if __name__ == "__main__":
    main()
