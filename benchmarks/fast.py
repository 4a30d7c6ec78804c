"""The same search plainly, by the engine and with `--search fast`, for several seeds: what is saved, and whether it protects as well.

    python benchmarks/fast.py --data digits --out benchmarks/results/fast-digits.json --seeds 0 1 2 3 4
    python benchmarks/fast.py --data cifar10 --data-dir FOLDER --out benchmarks/results/fast-cifar10.json
    --seeds 0 1 2 3 4 python benchmarks/fast.py --data photos --data-dir FOLDER --out
    benchmarks/results/fast-photos.json --seeds 0 1 2 3 4

Digits with the settings of the demo, whose `fast` is that of the preset `paper`; CIFAR-10 with the preset
`small`, photos with `laptop`. FOLDER has the binary version of CIFAR-10, or folders `train` and `val` of
photos. More arms: `float32` is the exact search in float32, `settled` the exact search that leaves alone what
`paper` would leave alone when it is fast, `half` the exact search in half the rounds. The JSON is written
after every run, and what it holds already is not run again.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared import head, some, tensors
from unlearnable.evaluation.trials import Trial

from unlearnable import methods, presets
from unlearnable.data.benchmarks import benchmark
from unlearnable.data.digits import INK, SIDE, digits
from unlearnable.data.folder import folder
from unlearnable.data.image_set import ImageSet
from unlearnable.demo import HELD_OUT, SETTINGS
from unlearnable.evaluation.comparison import Arm, compare
from unlearnable.files import write
from unlearnable.methods import Context
from unlearnable.training.compute import Compute
from unlearnable.training.recipe import Recipe
from unlearnable.training.transforms import Transform

HALF = "resnet18:width=16,stem=half"
ARMS = ("clean", "exact", "fast", "float32", "settled", "half")
SKIPPING = presets.fast(presets.read("paper"), "samplewise")


@dataclass(frozen=True)
class Case:
    """Images, how noise is found for them, and how they are learned from."""

    train: ImageSet
    test: ImageSet
    settings: dict[str, dict[str, Any]]
    trial: Trial
    side: int  # of the squares that are trained on

    def method(self, arm: str) -> methods.Method[Any]:
        """The search of an arm, resolved."""
        settings = self.settings["fast" if arm == "fast" else "exact"]
        method = methods.create("error_minimizing", settings).resolve(
            self.train.photo(self.train.ids[0]).size, len(self.train)
        )
        changes = {"settled": SKIPPING, "half": {"max_rounds": int(method.config.max_rounds) // 2}}.get(
            arm, {}
        )
        return methods.create("error_minimizing", method.config.model_dump() | changes)

    def run(self, arm: str, seed: int) -> dict[str, Any]:
        """One search, but for clean images, and one training."""
        compute, images, found = Compute.choose(), self.train, {}
        if arm != "clean":
            method = self.method(arm)
            view, started = self.train.view(int(method.config.resolution), method.zoom), time.monotonic()
            fitted = method.fit(
                view, Context(seed, Compute.choose(precision="float32") if arm == "float32" else compute)
            )
            found = {"rounds": len(fitted.log), "search_seconds": round(time.monotonic() - started, 1)}
            images = self.train.with_noise(fitted.noise)
        one = Arm(tensors(images.view(self.side)), tensors(self.test.view(self.side)))
        result = compare(
            ["arm"], lambda *_: one, self.trial, len(self.train.classes), seeds=(seed,), compute=compute
        ).arms[0]
        late = result.runs[0].test[self.trial.recipe.epochs // 2 :]
        return {
            "peak": round(result.peak.value, 4),
            "late": round(sum(late) / len(late), 4),
            "last": round(result.last, 4),
            **found,
        }


def cases(args: argparse.Namespace) -> Iterator[tuple[int, Case]]:
    """The case of every seed."""
    form = {"form": args.form}
    if args.data == "digits":
        # a form of the demo is searched by settings of its own
        plain = (SETTINGS.samplewise if args.form == "samplewise" else SETTINGS.classwise) | {
            "skip_below": 0.0
        }
        settings = {"exact": plain, "fast": {**plain, **SKIPPING}}
        for seed in args.seeds:
            yield seed, Case(*digits(SIDE, INK).split(HELD_OUT, seed), settings, SETTINGS.trial, SIDE)
        return
    if args.data == "cifar10":
        train, test = (benchmark("cifar10", part, data_dir=args.data_dir) for part in ("train", "test"))
        preset, more, size, side = "small", {"surrogate": HALF}, 32, 32
        recipe = Recipe(epochs=30, batch=128, lr=0.1, schedule="cosine", transform=Transform("flip-crop"))
    else:
        train, test = (folder(args.data_dir / part) for part in ("train", "val"))
        preset, more, size, side = (
            "laptop",
            {},
            64,
            96,
        )  # squares larger than what a network sees, so that a crop magnifies what is there
        recipe = Recipe(epochs=45, batch=64, lr=0.1, schedule="onecycle", transform=Transform("photo"))
    train, test = some(train, args.count // 10), some(test, args.tests // 10)
    settings = {
        search: presets.merge(presets.read(preset), None, {**form, **more, "search": search})
        for search in ("exact", "fast")
    }
    for seed in args.seeds:
        yield seed, Case(train, test, settings, Trial(args.data, HALF, size, recipe), side)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=["digits", "cifar10", "photos"], required=True)
    parser.add_argument("--data-dir", type=Path, help="where CIFAR-10 or the photos are")
    parser.add_argument("--form", default="samplewise")
    parser.add_argument("--count", type=int, default=2000, help="training images, but of the digits")
    parser.add_argument("--tests", type=int, default=1000, help="test images, but of the digits")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=ARMS[:3])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    args = parser.parse_args()
    result = json.loads(args.out.read_text("utf-8")) if args.out.exists() else {"runs": {}}
    result |= head(Compute.choose(), {"FOLDER": args.data_dir} if args.data_dir else {})
    for seed, case in cases(args):
        result["data"] = (
            f"{args.data}, {args.form}, {len(case.train)} training and {len(case.test)} test images"
        )
        result["settings"] = case.settings
        for arm in args.arms:
            done = result["runs"].setdefault(arm, {})
            if str(seed) in done:
                continue
            done[str(seed)] = case.run(arm, seed)
            write(args.out, (json.dumps(result, indent=1) + "\n").encode())
            print(seed, arm, json.dumps(done[str(seed)]), flush=True)


if __name__ == "__main__":
    main()
