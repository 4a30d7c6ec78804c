"""Find noise on a share of the photos, make noise for the others with ``extend``, and measure what a network learns from all of them.

    python benchmarks/extend.py PHOTOS --test TEST --out benchmarks/results/extend.json

The share is taken from every class. The JSON is written after every run, and what it holds already is not run
again.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from shared import head, laptop, some, tensors

from unlearnable.data.folder import folder
from unlearnable.evaluation.comparison import Arm, compare
from unlearnable.evaluation.trials import PHOTOS, trials
from unlearnable.methods import Context
from unlearnable.training.compute import Compute

SHARES = (0.1, 0.2, 0.5, 1.0)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path)
    parser.add_argument("--test", type=Path, required=True, help="folder of clean test photos")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write, or to go on with")
    parser.add_argument("--data", default="Imagenette", help="what the photos are, for the record")
    parser.add_argument("--per-class", type=int, default=100)
    parser.add_argument("--test-per-class", type=int, default=100)
    parser.add_argument(
        "--forms", nargs="+", choices=["classwise", "samplewise"], default=["classwise", "samplewise"]
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    args = parser.parse_args()
    compute = Compute.choose()
    photos, test = some(folder(args.photos), args.per_class), some(folder(args.test), args.test_per_class)
    result = json.loads(args.out.read_text()) if args.out.exists() else {"runs": {}}
    result |= head(compute, {"PHOTOS": args.photos, "TEST": args.test})
    result["data"] = (
        f"{args.data}: {len(photos.classes)} classes, {len(photos)} photos, {len(test)} test photos"
    )
    trial, tested = trials(PHOTOS, len(photos))[0], tensors(test.view(PHOTOS.side))
    for seed in args.seeds:
        for form, share in [("clean", 0.0), *((form, share) for form in args.forms for share in SHARES)]:
            done = result["runs"].setdefault(form if not share else f"{form}, {share:.0%}", {})
            if str(seed) in done:
                continue
            protected = photos
            if share:
                fitted_on = some(photos, round(share * args.per_class))
                method = laptop(photos, len(fitted_on), form=form)
                size = int(method.config.resolution)
                fitted = method.fit(fitted_on.view(size, method.zoom), Context(seed, compute))
                noise, others = fitted.noise, sorted(set(photos.ids) - set(fitted_on.ids))
                if others and form == "samplewise":  # class-wise noise holds for every photo of its class
                    view = photos.subset(others).view(size, method.zoom)
                    noise = noise.joined(method.extend(fitted, view, Context(seed, compute)))
                protected = photos.with_noise(noise)
            arm = Arm(tensors(protected.view(PHOTOS.side)), tested)
            found = compare(
                ["arm"], lambda *_, arm=arm: arm, trial, len(photos.classes), seeds=(seed,), compute=compute
            ).arms[0]
            done[str(seed)] = {"peak": round(found.peak.value, 4), "last": round(found.last, 4)}
            args.out.write_text(json.dumps(result, indent=1) + "\n")
            print(seed, form, share, json.dumps(done[str(seed)]), flush=True)


if __name__ == "__main__":
    main()
