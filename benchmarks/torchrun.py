"""Time a search of two processes against one, each of one thread, as torchrun starts them.

    python benchmarks/torchrun.py --out benchmarks/results/torchrun.json

An image-step is one image in one training step of the surrogate, or in one noise step. The first round warms
up, and the later ones are timed; starting the processes is not. Pairs take turns. The images are random: the
time of a step does not depend on what they show. Image-steps a second of CPU time are those of the busiest
process: the speed on a machine with a free core for each process, if messages took no time.
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

from unlearnable import methods, portable
from unlearnable.data.arrays import arrays
from unlearnable.events import Event
from unlearnable.files import write
from unlearnable.methods.context import Context
from unlearnable.training.compute import Compute
from unlearnable.training.ranks import joined

WANTED = "Wanted: 1.7 times the image-steps a second with 2 processes."
CPU = Compute("cpu", "float32")
SETTINGS = {"form": "samplewise", "train_batches": 2, "steps": 2, "stop_error": 0.0, "measure": "training"}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=1, help="timed rounds")
    parser.add_argument("--surrogate", default="resnet18:width=32,stem=cifar")
    parser.add_argument("--side", type=int, default=32, help="side of the images in pixels")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--count", type=int, default=256, help="images")
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
        pair = {"alone": alone, "together": together, "load_before": round(load, 2), "ratios": {}}
        for kind, measured in alone.items():
            pair["ratios"][kind] = {
                name: round(together[kind][name] / value, 3) for name, value in measured.items()
            }
        result["pairs"].append(pair)
        print(pair, flush=True)
        # after each pair, because one takes minutes
        result["ratios"] = ratios(result["pairs"])
        write(args.out, (json.dumps(result, indent=1) + "\n").encode())
    print(json.dumps(result, indent=1))


def ratios(pairs: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return median and range of the ratios of all pairs, by kind of step."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for kind in ("all", "train", "move"):
        for name in ("speed", "cpu_speed"):
            some = sorted(pair["ratios"][kind][name] for pair in pairs)
            found.setdefault(kind, {})[name] = {
                "median": statistics.median(some),
                "range": [some[0], some[-1]],
            }
    return found


def searched(count: int) -> dict[str, dict[str, float]]:
    """Search in processes of their own.

    Returns:
        Image-steps a second of each kind of step and of all: by the clock, and by the CPU time of the busiest
        process.
    """
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
    found: list[dict[str, dict[str, float]]] = [json.loads(one) for one in said]
    # the processes take their steps together, so the first one has the time, and the busiest one the CPU time
    return {
        kind: {"speed": found[0]["speed"][kind], "cpu_speed": min(one["cpu_speed"][kind] for one in found)}
        for kind in found[0]["speed"]
    }


def once(args: argparse.Namespace) -> None:
    """Search as one of the processes, and print the speed of this one."""
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
    times, used = [], []

    def watch(event: Event) -> None:
        if event.total:
            times.append(time.perf_counter())
            used.append(time.process_time())

    with joined() as ranks:
        method = method.resolve(images.frame, len(images))
        method.fit(images.view(args.side), Context(0, CPU, ranks), watch)
    found = {"speed": speeds(times, batches, args, steps), "cpu_speed": speeds(used, batches, args, steps)}
    print(json.dumps(found))


def speeds(times: list[float], batches: int, args: argparse.Namespace, steps: int) -> dict[str, float]:
    """Return image-steps a second of training steps, of noise steps and of all, after the first round.

    Args:
        times: When each step ended, by the clock or by the seconds of the processor that it took.
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
