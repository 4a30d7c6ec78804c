"""Everything that needs a GPU, in at most ten minutes; goes on where it stopped.

    PYTHONPATH=src python benchmarks/gpu.py --data-dir FOLDER --out benchmarks/results/speed-gpu.json

FOLDER holds the binary version of CIFAR-10. Needs torch, NumPy, safetensors and pydantic, and no installation. First the engine against
the published way (`speed.py`, in batches of 512), then the noise for all of CIFAR-10 by the `paper` preset, exact and fast, beside one
published round on fewer images, then a ResNet-18 on clean CIFAR-10, which should reach 94%.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import speed
import torch

from unlearnable import methods, presets
from unlearnable.data.benchmarks import benchmark
from unlearnable.data.image_set import ImageSet
from unlearnable.methods import Context
from unlearnable.training.compute import Compute
from unlearnable.training.loop import Epoch, Recipe, fit_model
from unlearnable.training.transforms import Transform


def noise(images: ImageSet, compute: Compute, search: str, width: int) -> dict[str, Any]:
    """Sample-wise noise by the `paper` preset, to its stop."""
    given = {"form": "samplewise", "search": search, "surrogate": f"resnet18:width={width},stem=cifar"}
    method = methods.create("error_minimizing", presets.merge(presets.read("paper"), None, given)).resolve((32, 32), len(images))
    view = images.view(32)
    started = time.perf_counter()
    fitted = method.fit(view, Context(0, compute))
    seconds = time.perf_counter() - started
    return {
        "images": len(images), "seconds": round(seconds, 2), "rounds": len(fitted.log), "errors": list(fitted.log),
        "stopped": fitted.reason, **memory(compute),
    }  # fmt: skip


def published(count: int, compute: Compute, width: int, T: int) -> dict[str, Any]:
    """One round the published way, after one on a single batch."""
    speed.Engine(min(count, 512), width, min(count, 512), compute, T).published().round(1, 1)
    search = speed.Engine(count, width, min(count, 512), compute, T).published()
    started = time.perf_counter()
    search.round(10, T)
    return {"images": count, "seconds": round(time.perf_counter() - started, 2), "steps": T}


def training(train: ImageSet, test: ImageSet, compute: Compute, width: int, epochs: int) -> dict[str, Any]:
    """A network on clean images: its accuracy after the last epoch, and the seconds of training, the choice of kernels apart."""
    recipe = Recipe(epochs=epochs, batch=512, lr=0.2, schedule="onecycle", transform=Transform("flip-crop"))
    views = [images.view(32) for images in (train, test)]
    arms = [(torch.from_numpy(view.pixels), torch.from_numpy(view.labels)) for view in views]
    spec, found, started = f"resnet18:width={width},stem=cifar", list[float](), 0.0

    def hear(epoch: Epoch) -> None:
        found.append(round(epoch.test_accuracy, 4))

    warm = Recipe(epochs=1, batch=512, transform=Transform("flip-crop"))
    fit_model(spec, (arms[0][0][:1024], arms[0][1][:1024]), arms[1], 10, warm, 32, 0, compute)
    started = time.perf_counter()
    fit_model(spec, arms[0], arms[1], 10, recipe, 32, 0, compute, hear, test_every=epochs)
    return {"epochs": epochs, "seconds": round(time.perf_counter() - started, 2), "accuracy": found[-1], **memory(compute)}


def memory(compute: Compute) -> dict[str, int]:
    """Peak memory of the GPU so far, in megabytes."""
    return {"peak_gpu_megabytes": torch.cuda.max_memory_allocated() // 2**20} if compute.device == "cuda" else {}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cuda", help="cpu only with --quick, to try the script")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to try the script")
    parser.add_argument("--epochs", type=int, default=24)
    args = parser.parse_args()
    if args.device != "cuda" and not args.quick:
        parser.error("without a GPU there is nothing to measure; --quick tries the script")
    compute = Compute.choose(args.device)
    train, test = (benchmark("cifar10", part, data_dir=args.data_dir) for part in ("train", "test"))
    width, count, epochs, T = (8, 64, 1, 1) if args.quick else (64, 2048, args.epochs, 20)
    if args.quick:
        train, test = train.subset(train.ids[:: len(train) // 64]), test.subset(test.ids[:: len(test) // 32])
    todo: dict[str, Callable[[], dict[str, Any]]] = {
        **{name: part for name, part in speed.parts(compute, args.quick).items() if not name.startswith(("whole", "start"))},
        "published round": lambda: published(count, compute, width, T),
        "noise, exact": lambda: noise(train, compute, "exact", width),
        "noise, fast": lambda: noise(train, compute, "fast", width),
        "clean training": lambda: training(train, test, compute, width, epochs),
    }
    result = json.loads(args.out.read_text()) if args.out.exists() else {"parts": {}}
    result |= speed.head(compute, {"FOLDER": args.data_dir}) | {"commit": speed.commit(), "quick": args.quick}
    for name, part in todo.items():
        if name in result["parts"]:
            continue
        result["parts"][name] = part()
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(result, indent=1) + "\n")
        print(f"{name}: {json.dumps(result['parts'][name])}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
