"""Protect a folder of photos and measure what a network learns, for several seeds; every figure of docs/results.md on photos.

    python benchmarks/photos.py PHOTOS --test TEST --out benchmarks/results/NAME.json --seeds 0 1 2

For each seed the noise is found anew (its seed is the target's too), written through PNG files at the photos'
own size into a scratch folder, and read back from there. The JSON is written after every seed, so what is
done is kept if the machine sleeps.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from shared import head, some
from unlearnable.evaluation.trials import Job

from unlearnable import api, methods, presets
from unlearnable.data.folder import folder
from unlearnable.data.image_set import ImageSet
from unlearnable.evaluation.verification import Preparation, prepare
from unlearnable.report import Record
from unlearnable.training.compute import Compute
from unlearnable.training.transforms import Transform

# side of the squares in memory over the side that a network sees, so that a crop magnifies what is in the
# photo
ENLARGED = 1.5


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path)
    parser.add_argument("--test", type=Path, required=True, help="folder of clean test photos")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--data", default="", help="what the photos are, in words, for the record")
    parser.add_argument("--form", default="classwise")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--per-class", type=int, default=0, help="photos per class, the first by name; 0 for all"
    )
    parser.add_argument("--test-per-class", type=int, default=0)
    parser.add_argument("--classes", default="", help="only these classes: a slice such as 0:5")
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="KEY=VALUE", help="settings over the laptop preset, as TOML"
    )
    parser.add_argument(
        "--everything",
        action="store_true",
        help="other networks, recipes and treatments too, on the first seed",
    )
    return parser.parse_args()


def main() -> None:
    args = arguments()
    compute = Compute.choose()
    given = {"form": args.form, **presets.parse("\n".join(args.set).encode(), "--set")}
    method = methods.create("error_minimizing", presets.merge(presets.read("laptop"), None, given))
    photos = some(folder(args.photos), args.per_class, args.classes)
    test = some(folder(args.test), args.test_per_class, args.classes)
    result = head(compute, {"PHOTOS": args.photos, "TEST": args.test}) | {
        "data": args.data,
        "photos": len(photos),
        "test": len(test),
        "classes": len(photos.classes),
        "settings": method.config.model_dump(mode="json"),
        "seeds": {},
    }
    for seed in args.seeds:
        with tempfile.TemporaryDirectory() as scratch:
            result["seeds"][seed] = one(
                photos, test, method, seed, compute, Path(scratch), args.everything and seed == args.seeds[0]
            )
        result["summary"] = summary(list(result["seeds"].values()))
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(result, indent=1) + "\n")
        print(seed, json.dumps(result["summary"]), flush=True)


def one(
    photos: ImageSet,
    test: ImageSet,
    method: methods.Method,
    seed: int,
    compute: Compute,
    scratch: Path,
    everything: bool,
) -> dict:
    source = scratch / "photos"
    for id in photos.ids:
        (source / id).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(photos.source.origin(id), source / id)
    started = time.monotonic()
    published = api.protect(source, scratch / "protected", method, seed=seed, compute=compute)
    seconds = time.monotonic() - started
    prepared = prepare(
        source,
        scratch / "protected",
        test=test,
        run=published.run,
        seeds=(seed,),
        time_limit=1e9,
        compute=compute,
    )
    first = prepared.plan.jobs[0]
    groups = (
        [prepared.plan.jobs, *((job,) for job in wider(first))]
        if everything
        else [(replace(first, arms=("clean", "protected")),)]
    )
    records = [measured(prepared, jobs) for jobs in groups]
    seen = records[0].seen
    fitted = published.fitted
    assert fitted is not None
    return {
        "protect_seconds": round(seconds, 1),
        "rounds": len(fitted.log),
        "stopped": fitted.reason,
        "largest_change": published.largest,
        "seen": seen.model_dump() if seen else None,
        "trials": [trial.model_dump(mode="json") for record in records for trial in record.trials],
    }


def wider(first: Job) -> list[Job]:
    """Trials that ``verify`` does not have: crops that keep less of a photo, and networks that see more pixels."""
    small = replace(first.trial.recipe, transform=Transform("photo", (0.08, 1.0)))
    imagenet = "resnet18:width=16,stem=imagenet"
    more = [
        replace(first.trial, name="crops of 0.08 to 1", recipe=small),
        replace(first.trial, name="128 px", size=128, target=imagenet),
        replace(first.trial, name="224 px", size=224, target=imagenet),
    ]
    return [Job(trial, ("clean", "protected")) for trial in more]


def measured(prepared: Preparation, jobs: tuple[Job, ...]) -> Record:
    """Measure jobs that see images of one size."""
    side = max(prepared.material.settings.side, round(ENLARGED * jobs[0].trial.size))
    material = replace(
        prepared.material, settings=replace(prepared.material.settings, side=side), _treated={}
    )
    prepared = replace(prepared, material=material, plan=replace(prepared.plan, jobs=jobs))
    return Record.of(prepared.measure(), "photos", "protected")


def summary(seeds: list[dict]) -> list[dict]:
    rows = []
    for index, trial in enumerate(seeds[0]["trials"]):
        for arm in range(len(trial["arms"])):
            tried = [seed["trials"][index]["arms"] for seed in seeds if index < len(seed["trials"])]
            arms = [arms[arm] for arms in tried if arm < len(arms)]
            peaks = [arm["peak"]["value"] for arm in arms]
            tests = [arm["curves"][0]["test"] for arm in arms]
            rows.append(
                {
                    "trial": trial["name"],
                    "target": trial["target"],
                    "arm": arms[0]["name"],
                    "peak": round(float(np.mean(peaks)), 4),
                    "spread": round(float(np.std(peaks)), 4),
                    "late": round(float(np.mean([np.mean(test[len(test) // 2 :]) for test in tests])), 4),
                    "last": round(float(np.mean([arm["last"] for arm in arms])), 4),
                    "seeds": len(arms),
                }
            )
    return rows


if __name__ == "__main__":
    main()
