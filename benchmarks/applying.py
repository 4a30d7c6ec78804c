"""Time applying noise to large photos against Pillow, which decodes them and encodes the protected pixels.

    python benchmarks/applying.py PHOTOS --out benchmarks/results/applying.json
    python benchmarks/applying.py PHOTOS --out benchmarks/results/applying-12.json --megapixels 12 --count 12
    --pairs 1
    python benchmarks/applying.py PHOTOS --out benchmarks/results/applying-02.json --megapixels 0.2
    --count 1000
    python benchmarks/applying.py PHOTOS --out benchmarks/results/protecting-02.json --megapixels 0.2
    --count 1000 --viewed

Without PHOTOS, the two photos that come with scikit-learn are used again and again, a pixel further to the
left each time.

Both sides read the same files and write to the same disk with as many processes, start of the processes
included; pairs take turns. Ours also checks every photo, adds the noise, decodes what it wrote, compares
every pixel and keeps the list. With --viewed, it reads all photos once more before, and makes the squares
that a search works on: everything that `protect` does except the search. Memory is the larger of the resident
sizes of our process and of its largest worker, with few photos and with all. CPU seconds count what the
processes used, whatever else ran on the machine.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import cycle, islice
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image
from shared import head
from sklearn.datasets import load_sample_images

from unlearnable import methods
from unlearnable.api import fit
from unlearnable.data.folder import folder
from unlearnable.data.image_set import ImageSet
from unlearnable.files import write
from unlearnable.publish import publish
from unlearnable.runs import RunFolder
from unlearnable.training.compute import Compute

SIZE = (1152, 868)  # one megapixel
VIEWED = 48  # pixels a side of the squares of a search
FEW = 4  # photos, to see whether memory grows with their number
WANTED = "Wanted: at least the speed of Pillow, files at most 20% larger, memory that does not grow."


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "photos", type=Path, nargs="?", default=Path(load_sample_images().filenames[0]).parent
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--data", default="Photos, enlarged", help="what the photos are, for the record")
    parser.add_argument("--megapixels", type=float, default=1)
    parser.add_argument("--viewed", action="store_true", help="make the squares of a search before")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--once", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.once:
        print(json.dumps(applied(args.photos, args.once, args.workers, args.viewed)))
        return
    result = head("applying", Compute("cpu"), {"PHOTOS": args.photos}) | {
        "about": WANTED,
        "data": args.data,
        "megapixels": args.megapixels if args.megapixels % 1 else int(args.megapixels),
        "viewed": args.viewed,
        "count": args.count,
        "workers": args.workers,
        "pairs": [],
        "peak_megabytes": {},
    }
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        if args.count > FEW:  # also a warm-up
            few = enlarge(args.photos, place / "few", FEW, args.megapixels)
            result["peak_megabytes"][FEW] = apart(few, place / "fewer", args.workers, args.viewed)[
                "megabytes"
            ]
        made = enlarge(args.photos, place / "photos", args.count, args.megapixels)
        for pair in range(args.pairs):
            ours = apart(made, place / f"ours{pair}", args.workers, args.viewed)
            if pair == 0:
                pixels(place / "ours0" / "out", place / "pixels")
            started, used = time.perf_counter(), cpu_seconds()
            plain_bytes = plainly(made, place / "pixels", place / f"plain{pair}", args.workers)
            plain, plain_cpu = time.perf_counter() - started, cpu_seconds() - used
            result["pairs"].append(
                {
                    "ours_seconds": round(ours["seconds"], 2),
                    "plain_seconds": round(plain, 2),
                    "ratio": round(plain / ours["seconds"], 3),
                    "ours_cpu_seconds": round(ours["cpu_seconds"], 2),
                    "plain_cpu_seconds": round(plain_cpu, 2),
                    "cpu_ratio": round(plain_cpu / ours["cpu_seconds"], 3),
                }
            )
            print(result["pairs"][-1], flush=True)
        result["peak_megabytes"][args.count] = ours["megabytes"]
        result["speed_over_plain"] = round(statistics.median(pair["ratio"] for pair in result["pairs"]), 3)
        result["cpu_over_plain"] = round(statistics.median(pair["cpu_ratio"] for pair in result["pairs"]), 3)
        result["size_over_plain"] = round(ours["bytes"] / plain_bytes, 4)
    write(args.out, (json.dumps(result, indent=1) + "\n").encode())
    print(json.dumps(result, indent=1))


def cpu_seconds() -> float:
    """Return the processor seconds of this process and of its children that have ended."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(used.ru_utime + used.ru_stime for used in both)


def apart(photos: Path, place: Path, workers: int, viewed: bool) -> dict[str, float]:
    """Apply in a process of its own, so that its memory can be told from that of others."""
    command = [
        sys.executable,
        __file__,
        str(photos),
        "--out",
        "-",
        "--once",
        str(place),
        "--workers",
        str(workers),
        *(["--viewed"] if viewed else []),
    ]
    answer: dict[str, float] = json.loads(
        subprocess.run(command, check=True, capture_output=True, text=True).stdout
    )
    return answer


def applied(photos: Path, place: Path, workers: int, viewed: bool) -> dict[str, float]:
    """Time our way from the folder on: check, add, write, decode, compare.

    Returns seconds, processor seconds, bytes written and peak memory in megabytes.
    """
    started, before = time.perf_counter(), cpu_seconds()
    images = folder(photos)
    if viewed:
        images = images.readable(side=VIEWED)
    noise = fit(
        some(images), methods.create("random", {"form": "classwise"}), seed=0, compute=Compute("cpu")
    ).noise
    with RunFolder(place / "run").open() as run:
        publish(images, noise, place / "out", run, workers=workers)
    seconds, cpu = time.perf_counter() - started, cpu_seconds() - before
    used = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    written = sum(path.stat().st_size for path in (place / "out").rglob("*.png"))
    return {"seconds": seconds, "cpu_seconds": cpu, "megabytes": round(used / 1024, 1), "bytes": written}


def some(images: ImageSet) -> ImageSet:
    """One image of every class: all that class-wise noise needs to know."""
    return images.subset({images.class_of[id]: id for id in images.ids}.values())


def plainly(photos: Path, protected: Path, target: Path, workers: int) -> int:
    """The plain way. Returns bytes written."""
    target.mkdir()
    files = sorted(path for path in photos.rglob("*.jpg"))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        list(pool.map(partial(one, protected=protected, target=target), files))
    return sum(path.stat().st_size for path in target.rglob("*.png"))


def one(photo: Path, protected: Path, target: Path) -> None:
    """Decode one photo, encode its protected pixels."""
    with Image.open(photo) as image:
        np.asarray(image.convert("RGB"))
    Image.fromarray(np.load(protected / f"{photo.stem}.npy")).save(target / f"{photo.stem}.png")


def pixels(protected: Path, target: Path) -> None:
    """Keep protected pixels where the plain way finds them at no cost worth mentioning."""
    target.mkdir()
    for path in protected.rglob("*.png"):
        with Image.open(path) as image:
            np.save(target / f"{path.stem}.npy", np.asarray(image))


def enlarge(photos: Path, target: Path, count: int, megapixels: int) -> Path:
    """Photos of some megapixels, two classes, as JPEG."""
    width, height = (round(side * megapixels**0.5) for side in SIZE)
    files = sorted(path for path in photos.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    for index, path in enumerate(islice(cycle(files[:: max(1, len(files) // count)]), count)):
        place = target / f"class{index % 2}"
        place.mkdir(parents=True, exist_ok=True)
        with Image.open(path) as image:
            box = (index // len(files), 0, *image.size)  # so that no two are alike
            image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS, box).save(
                place / f"p{index:04d}.jpg", quality=90
            )
    return target


if __name__ == "__main__":
    main()
