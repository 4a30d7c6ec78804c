"""The same search, exact and fast, for several seeds: what is saved, and whether it protects as well.

    python benchmarks/fast.py --data digits --out benchmarks/results/fast-digits.json --seeds 0 1 2 3 4
    python benchmarks/fast.py --data cifar10 --data-dir FOLDER --out benchmarks/results/fast-cifar10.json --seeds 0 1 2 3 4

Sample-wise, the only form in which `fast` leaves anything out. Digits as in the demo; CIFAR-10 as the preset `small` does it. The JSON is
written after every run, and what it holds already is not run again.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from shared import head, some, tensors

from unlearnable import methods, presets
from unlearnable.data.benchmarks import benchmark
from unlearnable.data.digits import INK, SIDE, digits
from unlearnable.demo import HELD_OUT, SETTINGS
from unlearnable.evaluation.comparison import Arm, compare
from unlearnable.evaluation.trials import Trial
from unlearnable.methods import Context
from unlearnable.training.compute import Compute
from unlearnable.training.loop import Recipe
from unlearnable.training.transforms import Transform

NARROW = "resnet18:width=16,stem=cifar"
CIFAR_TRIAL = Trial("CIFAR-10", NARROW, 32, Recipe(epochs=25, batch=128, lr=0.1, schedule="cosine", transform=Transform("flip-crop")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=["digits", "cifar10"], required=True)
    parser.add_argument("--data-dir", type=Path, help="where the binary version of CIFAR-10 is")
    parser.add_argument("--count", type=int, default=2000, help="training images of CIFAR-10")
    parser.add_argument("--tests", type=int, default=1000, help="test images of CIFAR-10")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    args = parser.parse_args()
    compute = Compute.choose()
    result = json.loads(args.out.read_text()) if args.out.exists() else {"runs": {}}
    result |= head(compute, {"FOLDER": args.data_dir} if args.data_dir else {})
    if args.data == "digits":
        settings, trial, size = {**SETTINGS.samplewise}, SETTINGS.trial, SIDE
    else:
        settings, trial, size = presets.merge(presets.read("small"), None, {"form": "samplewise"}), CIFAR_TRIAL, 32
        train = some(benchmark("cifar10", data_dir=args.data_dir), args.count // 10)
        test = some(benchmark("cifar10", "test", data_dir=args.data_dir), args.tests // 10)
    for seed in args.seeds:
        if args.data == "digits":
            train, test = digits(SIDE, INK).split(HELD_OUT, seed)
        view, tested = train.view(size), tensors(test.view(size))
        result["data"] = f"{args.data}, {len(train)} training and {len(test)} test images"
        result["settings"] = settings
        for name in ("clean", "exact", "fast"):
            done = result["runs"].setdefault(name, {})
            if str(seed) in done:
                continue
            images, seconds, rounds, started = train, 0.0, 0, time.monotonic()
            if name != "clean":
                method = methods.create("error_minimizing", {**settings, "search": name}).resolve(view.frame, len(view.ids))
                fitted = method.fit(view, Context(seed, compute))
                seconds, rounds, images = time.monotonic() - started, len(fitted.log), train.with_noise(fitted.noise)
            arm = Arm(tensors(images.view(size)), tested)
            found = compare(["arm"], lambda *_, arm=arm: arm, trial, 10, seeds=(seed,), compute=compute).arms[0]
            done[str(seed)] = {
                "peak": round(found.peak.value, 4), "last": round(found.last, 4), "rounds": rounds, "search_seconds": round(seconds, 1),
            }  # fmt: skip
            args.out.write_text(json.dumps(result, indent=1) + "\n")
            print(seed, name, json.dumps(done[str(seed)]), flush=True)


if __name__ == "__main__":
    main()
