"""Time the engine against the baseline, and against the rate of the machine's matrix product.

    python benchmarks/speed.py --out benchmarks/results/speed-cpu.json

Both sides of a ratio are timed in turns in one process, after a warm-up, on the same images (random ones: the
time does not depend on what they show). The JSON is written after every part, with every repetition; a part
that the same code has measured is not run again.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import tried
import workers
from engine import CLASSES, SIDE, Engine
from floor import floor, profile
from shared import head
from timing import Part, against, measure, processor, turns

from unlearnable.training import side_by_side
from unlearnable.training.compute import Compute


def inner(width: int, batch: int, compute: Compute, T: int, repetitions: int) -> dict[str, Any]:
    """T sign steps on a batch, gathering and storing noise included: image-steps per second."""
    ours = {
        one.precision: Engine(batch, width, batch, one, T)
        for one in (compute, Compute(compute.device, "float32"))
    }
    published, index = ours[compute.precision].published(), torch.arange(batch)
    actions: dict[str, Callable[[], object]] = {"published": lambda: published.move(index, T)}
    actions |= {name: lambda e=engine: e.method.move(e.plan, e.state, 0) for name, engine in ours.items()}
    return {"steps": T, "batch": batch, **against(turns(actions, repetitions, compute.device), batch * T)}


def training(width: int, batch: int, compute: Compute, repetitions: int) -> dict[str, Any]:
    """One training batch of the surrogate: images per second."""
    ours = {
        one.precision: Engine(batch, width, batch, one, 1)
        for one in (compute, Compute(compute.device, "float32"))
    }
    published, index = ours[compute.precision].published(), torch.arange(batch)
    actions: dict[str, Callable[[], object]] = {"published": lambda: published.train(index)}
    actions |= {name: lambda e=engine: e.method.train(e.plan, e.state, 0) for name, engine in ours.items()}
    return {"batch": batch, **against(turns(actions, repetitions, compute.device), batch)}


def graphed(width: int, batch: int, compute: Compute, T: int) -> dict[str, Any]:
    """The inner loop on a batch that is on the device, as it is and as a CUDA graph."""
    engine = Engine(batch, width, batch, compute, T)
    given, model, rng = (
        engine.plan.batch_of(torch.arange(batch)),
        engine.plan.frozen(engine.state),
        engine.ctx.rng("bench"),
    )
    d = engine.plan.noise_of(given.rows, engine.state["noise"])
    return tried.graphed(lambda: engine.method.sign_steps(engine.plan, model, given, d, 0, rng), batch, T, 15)


def beside(
    width: int, batch: int, compute: Compute, repetitions: int, act: Callable[[Engine], object]
) -> dict[str, Any]:
    """A batch of training, or a sign step, with small images convolved one by one and side by side."""
    engines, pays = {}, side_by_side.pays
    for name, answer in (("plain", False), ("side by side", True)):
        side_by_side.pays = lambda answer=answer: answer  # type: ignore[assignment]
        engines[name] = Engine(batch, width, batch, compute, 1)
        engines[name].plan.frozen(engines[name].state)
    side_by_side.pays = pays
    found = turns({name: lambda e=one: act(e) for name, one in engines.items()}, repetitions, compute.device)
    return {"batch": batch, "used": pays(), **against(found, batch)}


def whole(compute: Compute, T: int, M: int, sizes: dict[int, int], batch: int) -> dict[str, Any]:
    """Time one round at width 16: published and ours on few images, ours on more, and the growth per image.

    Growth is that of the noise steps too, because the training batches of a round are as many for few images
    as for many.
    """
    fewest, per_image, per_step, peaks, result = min(sizes), {}, {}, {}, {}
    for count, repetitions in sizes.items():
        engine = Engine(count, 16, min(batch, count), compute, T)
        moving: list[float] = []
        actions: dict[str, Callable[[], object]] = {}
        if count == fewest:
            actions["published"] = partial(engine.published().round, M, T)
        actions["ours"] = lambda engine=engine, moving=moving: moving.append(engine.round())
        found = turns(actions, repetitions, compute.device, warm=True)
        result[str(count)] = against(found, count)
        per_image[count] = statistics.median(found["ours"]) / count
        per_step[count] = statistics.median(moving) / count
        peaks[count] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    result["peak_megabytes"], result["peaks"] = peaks[max(sizes)], peaks
    *_, before, last = sizes
    result["growth"] = {
        "from": before,
        "to": last,
        "time_per_image": round(per_image[last] / per_image[before], 3),
        "time_per_image_step": round(per_step[last] / per_step[before], 3),
    }
    return result


def searches(compute: Compute, T: int, M: int, count: int, rounds: int, pairs: int) -> dict[str, Any]:
    """Time the first rounds of a whole search at width 16: exact and fast, and one of the baseline.

    On digits, because what `fast` leaves out depends on what the images show. Every repetition is a search
    from its start; seconds are of one round.
    """
    from unlearnable.data.digits import digits  # not where there is a GPU and little else

    view = digits(SIDE).first(count // CLASSES).view(SIDE)
    active: list[int] = []

    def published() -> None:
        Engine(view, 16, 128, compute, T).published().round(M, T)

    def ours(search: str) -> None:
        engine = Engine(view, 16, 128, compute, T, search)
        active.clear()
        for _ in range(rounds):
            engine.round()
            active.append(len(engine.plan.active(engine.state)))

    actions: dict[str, Callable[[], object]] = {
        "published": published,
        "exact": lambda: ours("exact"),
        "fast": lambda: ours("fast"),
    }
    found = turns(actions, pairs, compute.device, warm=True)
    found = {
        name: [one / (1 if name == "published" else rounds) for one in taken] for name, taken in found.items()
    }
    return {
        "images": count,
        "rounds": rounds,
        "moved by fast in each round": list(active),
        **against(found, count),
    }


def start(repetitions: int) -> dict[str, list[float]]:
    """Seconds from the start of a process to an import, to help, and to the end of a first batch."""
    here = str(Path(__file__).resolve().parent)
    first = (
        f"import sys; sys.path.insert(0, {here!r}); import engine; "
        "e = engine.Engine(64, 16, 64, engine.Compute.choose(), 1)"
    )
    first += "; e.method.advance(e.state, e.view, e.ctx)"
    commands = {
        "import": "import unlearnable",
        "help": "from unlearnable.cli.app import app; app(['--help'])",
        "first batch": first,
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(repetitions):
        for name, code in commands.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
            seconds[name].append(round(time.perf_counter() - started, 3))
    return seconds


def parts(compute: Compute, quick: bool) -> dict[str, Part]:
    """What is measured, by name."""
    gpu, plain = compute.device == "cuda", Compute(compute.device, "float32")
    batch, size = (8, 1024) if quick else (512, 4096) if gpu else (128, 2048)
    # on a GPU as many steps as the paper takes: what the baseline does once a batch weighs more there
    T = 1 if quick else 20 if gpu else 5
    sizes = {8: 1, 16: 1, 32: 1} if quick else {250: 5, 1000: 3, 4000: 1}
    widths = (16,) if quick else (16, 64)
    found: dict[str, Part] = {}
    for width in widths:
        slow = width == 64 and not gpu
        sign_steps, pairs = 1 if slow else T, 1 if quick else 3 if slow else 9
        found[f"inner loop, width {width}"] = partial(inner, width, batch, compute, sign_steps, pairs)
        found[f"training, width {width}"] = partial(training, width, batch, compute, pairs)
        for one in {one.precision: one for one in (plain, compute)}.values():
            found[f"floor, width {width}, {one.precision}"] = partial(
                floor, width, batch, one, sign_steps, size
            )
    found["profile, width 16"] = partial(profile, 16, batch, compute, T)
    found["whole noise, one round, width 16"] = partial(
        whole, compute, 2 if quick else 20, 10, sizes, 128
    )  # 10 as in the preset
    if not gpu:
        first = (1, 2, 20, 2, 1) if quick else (20, 10, 250, 5, 2)
        found["whole search, five rounds, width 16"] = partial(searches, compute, *first)
    if not quick:
        found |= {f"tried: {name}": part for name, part in attempts(compute, batch, T).items()}
    found["start"] = partial(start, 1 if quick else 5)
    return found


def attempts(compute: Compute, batch: int, T: int) -> dict[str, Part]:
    """What was tried, by name. At width 64, compiling would take a CPU longer than all the rest."""
    found: dict[str, Part] = {
        "fused optimiser, width 16": partial(
            tried.optimisers, "resnet18:width=16,stem=cifar", batch, compute, 15
        )
    }
    for width in (16, 64):
        if compute.device == "cuda" or width == 16:
            spec = f"resnet18:width={width},stem=cifar"
            found[f"compiled, width {width}"] = partial(tried.compiled, spec, batch, compute, 15)
        if compute.device == "cuda":
            found[f"graphed, width {width}"] = partial(graphed, width, batch, compute, T)
        else:
            acts = {
                "a sign step": lambda e: e.method.move(e.plan, e.state, 0),
                "training": lambda e: e.method.train(e.plan, e.state, 0),
            }
            spec = f"resnet18:width={width},stem=cifar"
            found[f"float32, arrangement of a sign step, width {width}"] = partial(
                tried.arranged, spec, 64, 5
            )
            for channels, side in ((width, SIDE), (4 * width, SIDE // 4)):
                name = f"float32, a 3x3 convolution of {channels} channels, {side} px"
                found[name] = partial(tried.convolutions, channels, side, 64, 15)
            for name in acts:
                found[f"float32, memory of freed tensors, {name}, width {width}"] = partial(
                    workers.memory, width, 64, "float32", name, 5
                )
                found[f"float32, {name}, width {width}, a process a core"] = partial(
                    workers.processes, width, 64, "float32", name, 5
                )
            for name, act in acts.items():
                found[f"small images side by side, {name}, width {width}"] = partial(
                    beside, width, batch, compute, 5, act
                )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--only", default="", help="parts whose name begins so")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to try the script")
    args = parser.parse_args()
    compute = Compute.choose(args.device)
    measure(
        args.out,
        head("speed", compute, {}) | {"processor": processor()},
        parts(compute, args.quick),
        args.quick,
        args.only,
    )


if __name__ == "__main__":
    main()
