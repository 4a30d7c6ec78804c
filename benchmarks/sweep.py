"""Change one setting of the photo defaults at a time, on five classes only; the defaults rest on this and are claimed on the others.

    python benchmarks/sweep.py PHOTOS --test TEST --form classwise --out
    benchmarks/results/sweep-classwise.json --seeds 0 1 2

Everything is measured in memory, on squares of the photos that are large enough for the trainer's crops.
Beside best and last epoch stands the mean over the second half of the epochs, which depends least on luck.
The JSON is written after every run, and what it holds already is not run again.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from shared import head, laptop, some, tensors

from unlearnable.data.folder import folder
from unlearnable.data.image_set import ImageSet
from unlearnable.data.view import View
from unlearnable.evaluation.comparison import Arm, compare
from unlearnable.evaluation.trials import PHOTOS, trials
from unlearnable.methods import Context
from unlearnable.training.compute import Compute

CHANGES: dict[str, list[dict[str, object]]] = {
    "classwise": [
        {},
        {"step_schedule": "cosine"},
        {"transforms": "none"},
        {"step_schedule": "cosine", "step_size": 1.6},
        {"step_schedule": "cosine", "step_size": 0.4},
        {"step_schedule": "cosine", "train_epochs": 0.5},
        {"grid": 32},
        {"max_rounds": 360},
        {"restart_error": 0.05, "min_rounds": 120},
        {"samples": 2},
        {"tile": 16},
        {"interpolation": "nearest"},
        {"zoom": 1.0},
        {"crop_min": 0.2},
        {"resolution": 48},
        {"init": "zero"},
        {"batch": 32},
        {"surrogate": "cnn:width=16"},
    ],
    "samplewise": [
        {},
        {"step_schedule": "cosine"},
        {"transforms": "none"},
        {"max_rounds": 360, "train_epochs": 0.5},
        {"step_size": 0.8},
        {"step_size": 3.2},
        {"grid": 32},
        {"steps": 5, "max_rounds": 60},
    ],
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path)
    parser.add_argument("--test", type=Path, required=True, help="folder of clean test photos")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write, or to go on with")
    parser.add_argument("--form", choices=list(CHANGES), default="classwise")
    parser.add_argument("--data", default="Imagenette", help="what the photos are, for the record")
    parser.add_argument("--classes", default=":5", help="a slice of the class names")
    parser.add_argument("--per-class", type=int, default=100)
    parser.add_argument("--test-per-class", type=int, default=100)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument(
        "--first",
        type=int,
        default=0,
        help="only the first of the changes, the most important ones; 0 for all",
    )
    args = parser.parse_args()
    compute = Compute.choose()
    photos = some(folder(args.photos), args.per_class, args.classes)
    test = some(folder(args.test), args.test_per_class, args.classes)
    result = json.loads(args.out.read_text()) if args.out.exists() else {"runs": {}}
    result |= head(compute, {"PHOTOS": args.photos, "TEST": args.test})
    result |= {
        "data": f"{args.data}: {len(photos.classes)} classes, {len(photos)} photos, {len(test)} test photos",
        "form": args.form,
    }
    trial = trials(PHOTOS, len(photos))[0]
    tested, views = tensors(test.view(PHOTOS.side)), dict[int, View]()
    for seed in args.seeds:
        for change in ("clean", *CHANGES[args.form][: args.first or None]):
            words = (
                "clean"
                if change == "clean"
                else ", ".join(f"{key} {value}" for key, value in change.items()) or "defaults"
            )
            done = result["runs"].setdefault(words, {})
            if str(seed) in done:
                continue
            started = time.monotonic()
            protected, rounds = (
                (photos, 0) if change == "clean" else protect(photos, args.form, change, seed, compute, views)
            )
            seconds = time.monotonic() - started
            arm = Arm(tensors(protected.view(PHOTOS.side)), tested)
            found = compare(
                ["arm"], lambda *_, arm=arm: arm, trial, len(photos.classes), seeds=(seed,), compute=compute
            ).arms[0]
            tests = found.runs[0].test
            done[str(seed)] = {
                "peak": round(max(tests), 4),
                "late": round(float(np.mean(tests[len(tests) // 2 :])), 4),
                "last": round(tests[-1], 4),
                "rounds": rounds,
                "search_seconds": round(seconds, 1),
            }
            args.out.write_text(json.dumps(result, indent=1) + "\n")
            print(seed, words, json.dumps(done[str(seed)]), flush=True)


def protect(
    photos: ImageSet,
    form: str,
    change: dict[str, object],
    seed: int,
    compute: Compute,
    views: dict[int, View],
) -> tuple[ImageSet, int]:
    """Photos with noise found with the laptop preset, changed, and the number of rounds that took."""
    method = laptop(photos, len(photos), form=form, **change)
    side = round(int(method.config.resolution) * method.zoom)
    if side not in views:
        views[side] = photos.view(int(method.config.resolution), method.zoom)
    fitted = method.fit(views[side], Context(seed, compute))
    return photos.with_noise(fitted.noise), len(fitted.log)


if __name__ == "__main__":
    main()
