"""Protect part of CIFAR-10 the paper's way, with a narrow surrogate, and measure what a network learns from it.

    python benchmarks/cifar.py --data-dir FOLDER --form classwise --out
    benchmarks/results/cifar10-classwise.json --seeds 0 1 2

Settings are those of the `paper` preset and targets are trained as the paper trains them, on fewer images and
for fewer epochs. Batches are of 128 and not 512: with a tenth of the images, a round would otherwise have a
tenth of the noise steps.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from shared import head, some, tensors

from unlearnable import methods, presets
from unlearnable.data.benchmarks import benchmark
from unlearnable.evaluation.comparison import Arm, compare
from unlearnable.evaluation.trials import Trial
from unlearnable.methods import Context
from unlearnable.training.compute import Compute
from unlearnable.training.recipe import Recipe
from unlearnable.training.transforms import Transform

TARGET = "resnet18:width=16,stem=cifar"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--form", default="classwise")
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--tests", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument(
        "--schedule", choices=["cosine", "onecycle"], default="cosine", help="of the targets' learning rate"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="KEY=VALUE", help="settings over the paper preset, as TOML"
    )
    args = parser.parse_args()
    compute = Compute.choose()
    given = {
        "form": args.form,
        "surrogate": TARGET,
        "batch": 128,
        **presets.parse("\n".join(args.set).encode(), "--set"),
    }
    method = methods.create("error_minimizing", presets.merge(presets.read("paper"), None, given)).resolve(
        (32, 32), args.count
    )
    train, test = (
        some(benchmark("cifar10", data_dir=args.data_dir), args.count // 10),
        some(benchmark("cifar10", "test", data_dir=args.data_dir), args.tests // 10),
    )
    trial = Trial(
        "CIFAR-10",
        TARGET,
        32,
        Recipe(
            epochs=args.epochs, batch=128, lr=0.1, schedule=args.schedule, transform=Transform("flip-crop")
        ),
    )
    view, tested = train.view(32), tensors(test.view(32))
    result = head(compute, {"FOLDER": args.data_dir}) | {
        "data": f"CIFAR-10, {args.count} training and {args.tests} test images",
        "settings": method.config.model_dump(mode="json"),
        "target": TARGET,
        "recipe": f"{trial.words}, {args.schedule}",
        "seeds": {},
    }
    for seed in args.seeds:
        started = time.monotonic()
        fitted = method.fit(view, Context(seed, compute))
        seconds = time.monotonic() - started
        protected = tensors(train.with_noise(fitted.noise).view(32))
        arms = {"clean": Arm(tensors(view), tested), "protected": Arm(protected, tested)}
        found = compare(
            list(arms), lambda name, _, arms=arms: arms[name], trial, 10, seeds=(seed,), compute=compute
        )
        result["seeds"][seed] = {
            "search_seconds": round(seconds, 1),
            "stopped": fitted.reason,
            "errors": list(fitted.log),
            **{
                arm.name: {
                    "peak": round(arm.peak.value, 4),
                    "last": round(arm.last, 4),
                    "test": [round(share, 4) for share in arm.runs[0].test],
                    "train": [round(share, 4) for share in arm.runs[0].train],
                }
                for arm in found.arms
            },
        }
        rows = list(result["seeds"].values())
        result["summary"] = {
            name: {
                key: round(float(np.mean([row[name][key] for row in rows])), 4) for key in ("peak", "last")
            }
            for name in ("clean", "protected")
        }
        args.out.write_text(json.dumps(result, indent=1) + "\n")
        print(seed, json.dumps(result["seeds"][seed] | {"errors": len(fitted.log)}), flush=True)


if __name__ == "__main__":
    main()
