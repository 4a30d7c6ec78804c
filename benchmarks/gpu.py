"""Run every measurement that needs a GPU; resume after an interruption, also in the middle of a search.

    PYTHONPATH=src python benchmarks/gpu.py --data-dir FOLDER --out benchmarks/results/speed-gpu.json

FOLDER holds the binary version of CIFAR-10. Needs torch, NumPy, safetensors and pydantic, and no
installation. First the engine against the baseline (`speed.py`, in batches of 512) and one published
round on some images, then a ResNet-18 on clean CIFAR-10, which should reach 94%, then the noise for all of
CIFAR-10 by the `paper` preset, exact and fast, then four more of the networks.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import speed
import torch
from engine import Engine
from shared import head
from timing import Part, code, measure, processor

from unlearnable import methods, presets
from unlearnable.data.benchmarks import benchmark
from unlearnable.data.image_set import ImageSet
from unlearnable.errors import UsageError
from unlearnable.events import OnProgress, silent
from unlearnable.files import write_by
from unlearnable.methods import Context
from unlearnable.training.compute import Compute
from unlearnable.training.victim import Epoch, Labelled, Victim, learn


def noise(
    images: ImageSet,
    compute: Compute,
    search: str,
    width: int,
    rounds: int,
    kept: Path,
    on_progress: OnProgress = silent,
    every: float = 60.0,
) -> dict[str, Any]:
    """Find sample-wise noise by the `paper` preset, to its stop. ``kept`` is its checkpoint."""
    given = {
        "form": "samplewise",
        "search": search,
        "surrogate": f"resnet18:width={width},stem=cifar",
        "max_rounds": rounds,
    }
    method = methods.create("error_minimizing", presets.merge(presets.read("paper"), None, given)).resolve(
        (32, 32), len(images)
    )
    view, before = images.view(32), torch.load(kept, weights_only=True) if kept.exists() else {}
    before = before if before.get("code") == code() else {}
    spent, started = before.get("seconds", 0.0), time.perf_counter()

    def save(state: dict[str, Any]) -> None:
        now = {"code": code(), "seconds": spent + time.perf_counter() - started, "state": state}
        write_by(kept, lambda draft: torch.save(now, draft))

    fitted = method.fit(
        view, Context(0, compute), on_progress, state=before.get("state"), save=save, every=every
    )
    seconds = spent + time.perf_counter() - started
    kept.unlink(missing_ok=True)
    return {
        "images": len(images),
        "seconds": round(seconds, 2),
        "rounds": len(fitted.log),
        "errors": list(fitted.log),
        "stopped": fitted.reason,
        "resumed": bool(before),
        **memory(compute),
    }


def published(count: int, compute: Compute, width: int, T: int) -> dict[str, Any]:
    """One round of the baseline, after one on a single batch."""
    Engine(min(count, 512), width, min(count, 512), compute, T).published().round(1, 1)
    search = Engine(count, width, min(count, 512), compute, T).published()
    started = time.perf_counter()
    search.round(10, T)
    seconds = time.perf_counter() - started
    return {
        "images": count,
        "seconds": round(seconds, 2),
        "seconds_per_image": round(seconds / count, 6),
        "steps": T,
        **memory(compute),
    }


def training(
    train: ImageSet, test: ImageSet, compute: Compute, width: int, epochs: int, seed: int
) -> dict[str, Any]:
    """Train a network on clean images: test accuracy and seconds so far after every epoch, tests included."""
    model = f"resnet18:width={width},stem=cifar"
    victim = Victim(model=model, epochs=epochs, batch=512, lr=0.2, schedule="onecycle")
    views = [images.view(32) for images in (train, test)]
    first, tested = (
        Labelled(torch.from_numpy(view.pixels), torch.from_numpy(view.labels), 10) for view in views
    )
    found = list[tuple[float, float]]()

    def hear(epoch: Epoch) -> None:
        found.append((round(epoch.test_accuracy, 4), round(time.perf_counter() - started, 2)))

    # the device chooses its kernels in the first batches, which are not timed
    few = Labelled(first.pixels[:1024], first.labels[:1024], 10)
    learn(Victim(model=model, epochs=1, batch=512), few, tested, 0, compute)
    started = time.perf_counter()
    learn(victim, first, tested, seed, compute, on_epoch=hear)
    accuracy, seconds = zip(*found, strict=True)
    return {
        "epochs": epochs,
        "seconds": seconds[-1],
        "accuracy": accuracy[-1],
        "accuracy_by_epoch": accuracy,
        "seconds_by_epoch": seconds,
        "seconds_to_94": next((at for share, at in found if share >= 0.94), None),
        **memory(compute),
    }


def memory(compute: Compute) -> dict[str, int]:
    """Peak memory of the GPU since the part began, in megabytes."""
    return (
        {"peak_gpu_megabytes": torch.cuda.max_memory_allocated() // 2**20} if compute.device == "cuda" else {}
    )


def fresh(part: Part, compute: Compute) -> Part:
    """The part, with the GPU's memory empty and its peak forgotten before it."""

    def run() -> dict[str, Any]:
        if compute.device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        return part()

    return run


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cuda", help="cpu only with --quick, to try the script")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to try the script")
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--seeds", type=int, default=5, help="networks that are trained on clean images")
    parser.add_argument("--only", default="", help="parts whose name begins so")
    args = parser.parse_args()
    if args.device != "cuda" and not args.quick:
        parser.error("without a GPU there is nothing to measure; --quick tries the script")
    try:
        compute = Compute.choose(args.device)
    except UsageError as error:
        parser.error(f"{error.problem} There is nothing to measure; --device cpu --quick tries the script.")
    # convolutions in float32 take TF32 on a GPU, so the product that they are compared with has to
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32
    train, test = (benchmark("cifar10", part, data_dir=args.data_dir) for part in ("train", "test"))
    width, count, epochs, T, rounds = (16, 64, 1, 1, 2) if args.quick else (64, 2048, args.epochs, 20, 100)
    if args.quick:
        train, test = train.subset(train.ids[:: len(train) // 64]), test.subset(test.ids[:: len(test) // 32])

    def clean(seed: int) -> dict[str, Part]:
        return {
            f"clean training, {epochs} epochs, seed {seed}": lambda: training(
                train, test, compute, width, epochs, seed
            )
        }

    todo: dict[str, Part] = {
        **{
            name: part
            for name, part in speed.parts(compute, args.quick).items()
            if not name.startswith(("whole", "start"))
        },
        "published round": lambda: published(count, compute, width, T),
        **clean(0),
        "noise, exact": lambda: noise(train, compute, "exact", width, rounds, args.out.with_suffix(".exact")),
        "noise, fast": lambda: noise(train, compute, "fast", width, rounds, args.out.with_suffix(".fast")),
        **{name: part for seed in range(1, args.seeds) for name, part in clean(seed).items()},
    }
    todo = {name: fresh(part, compute) for name, part in todo.items()}
    measure(
        args.out,
        head("speed", compute, {"FOLDER": args.data_dir}) | {"processor": processor()},
        todo,
        args.quick,
        args.only,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
