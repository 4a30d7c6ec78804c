"""The engine against the published way of making noise, and against what the machine can do at most.

    python benchmarks/speed.py --out benchmarks/results/speed-cpu.json

Both sides of a ratio are timed in turns in one process, after a warm-up, on the same images (random ones: the time does not depend on what
they show). The JSON is written after every part, with every repetition; a part that the same code has measured is not run again.
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
from engine import CLASSES, SIDE, Engine
from floor import floor, profile
from shared import head
from timing import against, measure, processor, turns

from unlearnable.methods import steps
from unlearnable.training import strip
from unlearnable.training.compute import Compute


def inner(width: int, batch: int, compute: Compute, T: int, repetitions: int) -> dict[str, Any]:
    """T sign steps on a batch, gathering and storing noise included: image-steps per second."""
    ours = {one.precision: Engine(batch, width, batch, one, T) for one in (compute, Compute(compute.device, "float32"))}
    published, index = ours[compute.precision].published(), torch.arange(batch)
    actions: dict[str, Callable[[], object]] = {"published": lambda: published.move(index, T)}
    actions |= {name: lambda e=engine: steps.move(e.plan, e.state, 0) for name, engine in ours.items()}
    return {"steps": T, "batch": batch, **against(turns(actions, repetitions, compute.device), batch * T)}


def training(width: int, batch: int, compute: Compute, repetitions: int) -> dict[str, Any]:
    """One training batch of the surrogate: images per second."""
    ours = {one.precision: Engine(batch, width, batch, one, 1) for one in (compute, Compute(compute.device, "float32"))}
    published, index = ours[compute.precision].published(), torch.arange(batch)
    actions: dict[str, Callable[[], object]] = {"published": lambda: published.train(index)}
    actions |= {name: lambda e=engine: steps.train(e.plan, e.state, 0) for name, engine in ours.items()}
    return {"batch": batch, **against(turns(actions, repetitions, compute.device), batch)}


def graphed(width: int, batch: int, compute: Compute, T: int) -> dict[str, Any]:
    """The inner loop on a batch that is on the device, as it is and as a CUDA graph."""
    engine = Engine(batch, width, batch, compute, T)
    given, model, rng = engine.plan.batch_of(torch.arange(batch)), engine.plan.frozen(engine.state), engine.ctx.rng("bench")
    d = engine.plan.noise_of(given.rows, engine.state["noise"])
    return tried.graphed(lambda: steps.descend(engine.plan, model, given, d, 0, rng), batch, T, 15)


def beside(width: int, batch: int, compute: Compute, repetitions: int, act: Callable[[Engine], object]) -> dict[str, Any]:
    """A batch of training, or a sign step, with small images convolved one by one and side by side."""
    engines, pays = {}, strip.pays
    for name, answer in (("plain", False), ("side by side", True)):
        strip.pays = lambda answer=answer: answer  # type: ignore[assignment]
        engines[name] = Engine(batch, width, batch, compute, 1)
        engines[name].plan.frozen(engines[name].state)
    strip.pays = pays
    found = turns({name: lambda e=one: act(e) for name, one in engines.items()}, repetitions, compute.device)
    return {"batch": batch, "used": pays(), **against(found, batch)}


def whole(compute: Compute, T: int, M: int, sizes: dict[int, int], pairs: int, batch: int) -> dict[str, Any]:
    """One round at width 16: published and ours on the fewest images, ours on more of them, and how the time of an image grows.

    Growth is that of the noise steps too, because the training batches of a round are as many for few images as for many.
    """
    fewest, per_image, per_step, peaks, result = min(sizes), {}, {}, {}, {}
    for count, repetitions in sizes.items():
        engine = Engine(count, 16, min(batch, count), compute, T)
        moving: list[float] = []
        actions: dict[str, Callable[[], object]] = {}
        if count == fewest:
            actions["published"] = partial(engine.published().round, M, T)
        actions["ours"] = lambda engine=engine, moving=moving: moving.append(engine.round())
        found = turns(actions, pairs if count == fewest else repetitions, compute.device, warm=True)
        result[str(count)] = against(found, count)
        per_image[count] = statistics.median(found["ours"]) / count
        per_step[count] = statistics.median(moving[-len(found["ours"]) :]) / count
        peaks[count] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    result["peak_megabytes"], result["peaks"] = peaks[max(sizes)], peaks
    *_, before, last = sizes
    result["growth"] = {
        "from": before, "to": last, "time_per_image": round(per_image[last] / per_image[before], 3),
        "time_per_image_step": round(per_step[last] / per_step[before], 3),
    }  # fmt: skip
    return result


def searches(compute: Compute, T: int, M: int, count: int, rounds: int, pairs: int) -> dict[str, Any]:
    """The first rounds of a whole search at width 16: exact and fast, and one of the published way, which does the same in every round.

    On digits, because what `fast` leaves out depends on what the images show. Every repetition is a search from its start; seconds are of
    one round.
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

    actions: dict[str, Callable[[], object]] = {"published": published, "exact": lambda: ours("exact"), "fast": lambda: ours("fast")}
    found = turns(actions, pairs, compute.device, warm=True)
    found = {name: [one / (1 if name == "published" else rounds) for one in taken] for name, taken in found.items()}
    return {"images": count, "rounds": rounds, "moved by fast in each round": list(active), **against(found, count)}


def start(repetitions: int) -> dict[str, list[float]]:
    """Seconds from the start of a process to an import, to help, and to the end of a first batch."""
    here = str(Path(__file__).resolve().parent)
    first = f"import sys; sys.path.insert(0, {here!r}); import engine; e = engine.Engine(64, 16, 64, engine.Compute.choose(), 1)"
    first += "; e.method.advance(e.state, e.view, e.ctx)"
    commands = {"import": "import unlearnable", "help": "from unlearnable.cli.app import app; app(['--help'])", "first batch": first}
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(repetitions):
        for name, code in commands.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
            seconds[name].append(round(time.perf_counter() - started, 3))
    return seconds


def parts(compute: Compute, quick: bool) -> dict[str, Callable[[], dict[str, Any]]]:
    """What is measured, by name."""
    batch = 8 if quick else 512 if compute.device == "cuda" else 128
    # on a GPU as many steps as the paper takes: what the published way does once a batch weighs more there
    T, pairs = (1, 1) if quick else (20, 5) if compute.device == "cuda" else (5, 5)
    plain = Compute(compute.device, "float32")
    sizes = {8: 1, 16: 1, 32: 1} if quick else {250: 5, 1000: 3, 4000: 1}
    size = 1024 if quick else 4096 if compute.device == "cuda" else 2048
    widths = (16,) if quick else (16, 64)
    found: dict[str, Callable[[], dict[str, Any]]] = {}
    for width in widths:
        few = pairs if width == 16 or compute.device == "cuda" else 3
        found[f"inner loop, width {width}"] = lambda width=width, few=few: inner(width, batch, compute, 1 if few == 3 else T, few)
        found[f"training, width {width}"] = lambda width=width, few=few: training(width, batch, compute, few)
        for one in {one.precision: one for one in (plain, compute)}.values():
            name = f"floor, width {width}, {one.precision}"
            found[name] = lambda width=width, one=one, few=few: floor(width, batch, one, 1 if few == 3 else T, size)
    found["profile, width 16"] = lambda: profile(16, batch, compute, T)
    found["whole noise, one round, width 16"] = lambda: whole(compute, 2 if quick else 20, 10, sizes, pairs, 128)  # 10 as in the preset
    if compute.device == "cpu":
        few = (1, 2, 20, 2, 1) if quick else (20, 10, 250, 5, 2)
        found["whole search, five rounds, width 16"] = lambda: searches(compute, *few)
    if not quick:  # compiling takes longer than all the rest
        spec = "resnet18:width={},stem=cifar"
        for width in widths if compute.device == "cuda" else (16,):
            found[f"tried: compiled, width {width}"] = lambda width=width: tried.compiled(spec.format(width), batch, compute, 15)
        found["tried: fused optimiser, width 16"] = lambda: tried.optimisers(spec.format(16), batch, compute, 15)
    if compute.device == "cpu" and not quick:
        acts: dict[str, Callable[[Engine], object]] = {
            "a sign step": lambda e: steps.move(e.plan, e.state, 0),
            "training": lambda e: steps.train(e.plan, e.state, 0),
        }
        for width in widths:
            for name, act in acts.items():
                part = f"tried: small images side by side, {name}, width {width}"
                found[part] = lambda width=width, act=act: beside(width, batch, compute, 5, act)
    if compute.device == "cuda":
        for width in widths:
            found[f"tried: graphed, width {width}"] = lambda width=width: graphed(width, batch, compute, T)
    found["start"] = lambda: start(1 if quick else 5)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--only", default="", help="parts whose name begins so")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to try the script")
    args = parser.parse_args()
    compute = Compute.choose(args.device)
    measure(args.out, head(compute, {}) | {"processor": processor()}, parts(compute, args.quick), args.quick, args.only)


if __name__ == "__main__":
    main()
