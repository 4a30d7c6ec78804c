"""Protect photos, publish them as JPEG of several qualities, and measure what a network learns from the files.

    python benchmarks/jpeg.py PHOTOS --test TEST --out benchmarks/results/jpeg-photos.json
    python benchmarks/jpeg.py --out benchmarks/results/jpeg-digits.json

Without PHOTOS it takes scikit-learn's digits and the demo's settings; at their 32 px the JPEG inside the
search is JPEG itself. For each seed and each setting of the search (as it is by default, and with JPEG inside
it) noise is found once; every quality is then encoded at full colour resolution (4:4:4), as `--format jpeg`
does, decoded again and trained on. Sizes are of the files. The JSON is written after every run, and what it
holds already is not run again.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from shared import head, laptop, tensors
from unlearnable.evaluation.trials import PHOTOS, trials

from unlearnable import methods
from unlearnable.data.decoding import decode
from unlearnable.data.digits import digits
from unlearnable.data.encoding import Encoding, encode
from unlearnable.data.folder import folder
from unlearnable.data.image_set import ImageSet, from_entries
from unlearnable.data.photo import Photo
from unlearnable.demo import HELD_OUT, SETTINGS
from unlearnable.evaluation.comparison import Arm, compare
from unlearnable.methods import Context
from unlearnable.training.compute import Compute


@dataclass
class Files:
    """Files in memory, as a source of photos."""

    data: dict[str, bytes]

    def load(self, id: str) -> tuple[Photo, str]:
        """Decode one."""
        return decode(self.data[id], id), id

    def stamp(self, id: str) -> str:
        """They do not change."""
        return id

    def origin(self, id: str) -> Photo:
        """Decode one."""
        return self.load(id)[0]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path, nargs="?")
    parser.add_argument("--test", type=Path, help="folder of clean test photos")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write, or to go on with")
    parser.add_argument("--data", default="Imagenette", help="what the photos are, for the record")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--qualities", type=int, nargs="+", default=[95, 85, 75, 50])
    parser.add_argument(
        "--inside", type=int, nargs="+", default=[0, 75], help="qualities inside the search; 0 for none"
    )
    args = parser.parse_args()
    compute = Compute.choose()
    result = json.loads(args.out.read_text()) if args.out.exists() else {"runs": {}}
    result |= head(compute, {"PHOTOS": args.photos, "TEST": args.test} if args.photos else {})
    for seed in args.seeds:
        if args.photos:
            photos, test, side = folder(args.photos), folder(args.test), PHOTOS.side
            trial = trials(PHOTOS, len(photos))[0]
        else:
            photos, test = digits().split(HELD_OUT, seed)
            trial, side = SETTINGS.trial, SETTINGS.trial.size
        tested = tensors(test.view(side))
        name = args.data if args.photos else "scikit-learn's digits"
        result["data"] = (
            f"{name}: {len(photos.classes)} classes, {len(photos)} images, {len(test)} test images"
        )
        for inside in args.inside:
            wanted = {
                f"JPEG {inside} in the search, published as {name}"
                if inside
                else f"published as {name}": quality
                for quality, name in (
                    (0, "PNG"),
                    *((quality, f"JPEG {quality}") for quality in args.qualities),
                )
            }
            if all(str(seed) in result["runs"].get(words, {}) for words in wanted):
                continue
            if args.photos:
                method = laptop(photos, len(photos), form="classwise", jpeg=inside)
            else:
                digital = methods.create("error_minimizing", {**SETTINGS.classwise, "jpeg": inside})
                method = digital.resolve((side, side), len(photos))
            noise = method.fit(
                photos.view(int(method.config.resolution), method.zoom), Context(seed, compute)
            ).noise
            protected = photos.with_noise(noise)
            for words, quality in wanted.items():
                done = result["runs"].setdefault(words, {})
                if str(seed) in done:
                    continue
                published = written(protected, Encoding("jpeg", quality) if quality else Encoding())
                arm = Arm(tensors(published.view(side)), tested)
                found = compare(
                    ["arm"],
                    lambda *_, arm=arm: arm,
                    trial,
                    len(photos.classes),
                    seeds=(seed,),
                    compute=compute,
                ).arms[0]
                sizes = [len(data) for data in published.source.data.values()]
                moved = [
                    noise.budget.change(photos.photo(id).rgb(), published.photo(id).rgb())
                    for id in photos.ids[::10]
                ]
                done[str(seed)] = {
                    "peak": round(found.peak.value, 4),
                    "last": round(found.last, 4),
                    "mean_bytes": round(float(np.mean(sizes))),
                    "largest_change": max(largest for largest, _ in moved),
                    "mean_change": round(float(np.mean([m for _, m in moved])), 2),
                }
                args.out.write_text(json.dumps(result, indent=1) + "\n")
                print(seed, words, json.dumps(done[str(seed)]), flush=True)


def written(images: ImageSet, encoding: Encoding) -> ImageSet:
    """The images as files of an encoding."""
    files = Files({id: encode(images.photo(id), encoding) for id in images.ids})
    return from_entries(((id, images.class_of[id]) for id in images.ids), files)


if __name__ == "__main__":
    main()
