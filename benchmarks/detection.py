"""Measure how often `detect` is right: on clean data sets, and on data protected by every method.

    python benchmarks/detection.py --cifar FOLDER --photos FOLDER --faces FOLDER

The settings of `detect` were chosen with CIFAR-10 seeds 0 and 4 and noise seed 0, which are not run here.
Rows that the result file has already are left alone, so an interrupted run resumes.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from shared import head

import unlearnable as un
from unlearnable import presets
from unlearnable.data.demo_photos import demo_photos
from unlearnable.data.digits import digits
from unlearnable.data.image_set import ImageSet
from unlearnable.data.photo import Photo
from unlearnable.data.source import Change
from unlearnable.evaluation.detection import detect
from unlearnable.hashing import derive

OUT = Path(__file__).resolve().parent.parent / "results" / "detection" / "rates.json"
FORMS = ("classwise", "samplewise")
SURROGATE = "cnn:width=8"
# searches in small, so that all of them take an hour; full searches are stronger
ROBUST = {"adversarial_steps": 2, "adversarial_step_size": 4.0, "samples": 1, "steps": 3, "max_rounds": 6}
MAXIMIZING = {"batch": 128, "pretrain_epochs": 12, "transforms": "flip-crop"}
MAXIMIZING_BY_FORM = {
    "samplewise": {"steps": 20, "stop_error": 0.9, "max_rounds": 1},
    "classwise": {"steps": 1, "stop_error": 0.8, "max_rounds": 15},
}
METHODS = ("random", "error_minimizing", "error_maximizing", "robust_error_minimizing")


def method(name: str, form: str, photos: bool) -> Any:
    """Return a method with the settings of this measurement."""
    search = {"form": form, "surrogate": SURROGATE}
    if name == "random":
        return un.Random(form=form, **({"resolution": 64, "grid": 64} if photos else {}))
    if name == "error_minimizing":
        preset = presets.read("laptop" if photos else "small")
        return un.ErrorMinimizing(**presets.merge(preset, None, {**search, "max_rounds": 10}))
    if name == "error_maximizing":
        return un.ErrorMaximizing(**search, **MAXIMIZING, **MAXIMIZING_BY_FORM[form])
    return un.RobustErrorMinimizing(**search, **ROBUST)


def some(images: ImageSet, each: int, seed: int) -> ImageSet:
    """Return ``each`` random images of every class."""
    rng, ids = np.random.default_rng(1000 + seed), []
    for name in images.classes:
        members = [id for id in images.ids if images.class_of[id] == name]
        ids += [members[place] for place in rng.permutation(len(members))[:each]]
    return images.subset(ids)


def jpeg(quality: int, classes: tuple[str, ...] | None, class_of: Any) -> Change:
    """Return a change that re-encodes photos as JPEG, of some classes or of all."""

    def change(id: str, photo: Photo, digest: str) -> Photo:
        if classes is not None and class_of[id] not in classes:
            return photo
        file = BytesIO()
        Image.fromarray(photo.opaque).save(file, "JPEG", quality=quality)
        return replace(photo, pixels=np.asarray(Image.open(file)))

    return change


def half(id: str, photo: Photo, digest: str) -> Photo:
    """Return a photo at half its size."""
    height, width = photo.size
    small = Image.fromarray(photo.opaque).resize((width // 2, height // 2), Image.Resampling.BICUBIC)
    return replace(photo, pixels=np.asarray(small))


def clean(cifar: ImageSet, photos: Path, faces: Path, seed: int) -> Iterator[tuple[str, Any]]:
    """Yield names of clean data sets and functions that make them."""
    thousand = some(cifar, 100, seed)
    yield "CIFAR-10, 1,000 images", lambda: thousand
    for each in (50, 20, 10):
        yield f"CIFAR-10, {10 * each} images", lambda each=each: some(cifar, each, seed)
    for quality in (75, 30):
        change = jpeg(quality, None, thousand.class_of)
        yield f"CIFAR-10, JPEG {quality}", lambda change=change: thousand.changed(change)
    five = jpeg(50, thousand.classes[:5], thousand.class_of)
    yield "CIFAR-10, five classes JPEG 50, five not", lambda: thousand.changed(five)
    yield "CIFAR-10, half size", lambda: thousand.changed(half)
    yield "digits, faint", lambda: some(digits(), 100, seed)
    yield "digits, black on white", lambda: some(digits(ink=255), 100, seed)
    yield "the demo's squares", lambda: some(demo_photos(), 60, seed)
    train, other = un.load(str(photos / "train")), un.load(str(photos / "val"))
    yield "Imagenette, 400 photos", lambda: some(train, 40, seed)
    yield "Imagenette, 150 photos", lambda: some(other, 15, seed)
    again = jpeg(50, None, train.class_of)
    yield "Imagenette, 400 photos, JPEG 50", lambda: some(train, 40, seed).changed(again)
    people = un.load(str(faces))
    ten = tuple(np.random.default_rng(seed).permutation(people.classes)[:10])
    yield "faces, 10 people, 200 photos", lambda: people.first(20, ten)


def protected(cifar: ImageSet, photos: Path, seed: int, cache: Path) -> Iterator[tuple[str, str, float, Any]]:
    """Yield set, method, share and a function that makes the protected set."""
    thousand = some(cifar, 100, seed)
    train = un.load(str(photos / "train"))
    sets = {
        "CIFAR-10, 1,000 images": (f"cifar-{seed}", thousand, METHODS),
        "Imagenette, 500 photos": ("photos-0", train, METHODS[:2]),
        "digits, faint": ("digits-0", digits(), METHODS[:2]),
    }
    for title, (key, images, names) in sets.items():
        for name in names:
            for form in FORMS:
                for share in (1.0, 0.5) if title.startswith("CIFAR") else (1.0,):

                    def make(key=key, images=images, name=name, form=form, share=share) -> ImageSet:  # type: ignore[no-untyped-def]
                        noise = searched(cache, key, images, name, form, seed)
                        return partly(images, images.with_noise(noise), share, seed)

                    yield title, f"{name}, {form}", share, make
                if title.startswith("CIFAR"):

                    def one(key=key, images=images, name=name, form=form) -> ImageSet:  # type: ignore[no-untyped-def]
                        noise = searched(cache, key, images, name, form, seed)
                        return with_one_class(images, images.with_noise(noise))

                    yield title, f"{name}, {form}, one class of ten", 0.1, one


def searched(cache: Path, key: str, images: ImageSet, name: str, form: str, seed: int) -> un.Noise:
    """Return the noise of a method for images, from the cache if it is there."""
    file = cache / f"{key}-{name}-{form}-{seed}.safetensors"
    if not file.exists():
        chosen = method(name, form, key.startswith("photos"))
        fitted = un.fit(images, chosen, seed=seed, compute=un.Compute("cpu", "float32"))
        cache.mkdir(parents=True, exist_ok=True)
        fitted.noise.save(file)
    return un.Noise.load(file)


def partly(images: ImageSet, noisy: ImageSet, share: float, seed: int) -> ImageSet:
    """Return images of which a random share is protected."""
    chosen = {id for id in images.ids if derive(seed, "share", id) % 1000 < 1000 * share}
    return images.changed(lambda id, photo, digest: noisy.photo(id) if id in chosen else photo)


def with_one_class(images: ImageSet, noisy: ImageSet) -> ImageSet:
    """Return images of which the last class is protected."""
    last = images.classes[-1]
    return images.changed(lambda id, photo, digest: noisy.photo(id) if images.class_of[id] == last else photo)


def record(images: ImageSet, seed: int) -> dict[str, Any]:
    """Return the answer of `detect` and its figures."""
    compute = un.Compute("cpu", "float32")
    found = detect(images, seeds=(seed, seed + 100, seed + 200), compute=compute)
    contrasts = {
        one.network: {
            "fine": round(float(np.mean(one.fine)), 4),
            "coarse": round(float(np.mean(one.coarse)), 4),
            **{name: round(getattr(one, name), 3) for name in ("lead", "low", "high")},
        }
        for one in found.contrasts
    }
    return {
        "answer": found.answer,
        "classes": list(found.classes),
        "images": found.images,
        "seconds": round(found.seconds, 1),
        "contrasts": contrasts,
    }


def main() -> None:
    """Measure the missing rows, and save after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--cifar", "--photos", "--faces"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--noise", type=Path, default=Path("build/detection"))
    parser.add_argument("--only", choices=["clean", "protected"])
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    folders = {"CIFAR": asked.cifar, "PHOTOS": asked.photos, "FACES": asked.faces}
    file = head("detection", un.Compute("cpu", "float32"), folders) | {"clean": {}, "protected": {}}
    if asked.out.exists():
        file = json.loads(asked.out.read_text("utf-8"))
    cifar = un.load("cifar10", data_dir=asked.cifar)
    for seed in asked.seeds:
        rows = [("clean", name, make) for name, make in clean(cifar, asked.photos, asked.faces, seed)] + [
            ("protected", f"{title}; {name}; {share:.0%}", make)
            for title, name, share, make in protected(cifar, asked.photos, seed, asked.noise)
        ]
        for part, name, make in rows:
            done = file[part].setdefault(name, {})
            if asked.only in (None, part) and str(seed) not in done:
                started = time.perf_counter()
                done[str(seed)] = record(make(), seed)
                asked.out.parent.mkdir(parents=True, exist_ok=True)
                asked.out.write_text(json.dumps(file, indent=1) + "\n", "utf-8")
                answer, took = done[str(seed)]["answer"], time.perf_counter() - started
                print(f"{seed} {name}: {answer} ({took:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
