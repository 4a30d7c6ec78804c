"""The table of docs/verify.md: sets of images whose true answer is known, and the answer of ``verify``."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from unlearnable.data.arrays import arrays
from unlearnable.data.image_set import ImageSet
from unlearnable.errors import DataError
from unlearnable.evaluation import Verification, verify
from unlearnable.evaluation.gathering import gather
from unlearnable.evaluation.schedule import SMALL
from unlearnable.training.compute import Compute
from unlearnable.training.victim import Victim

CPU = Compute("cpu", "float32")
TINY = "cnn:width=8,depth=2"
SIDE = 24
NAMES = ("apple", "birch", "cedar", "daisy")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    small = Victim(model=TINY, size=SIDE, batch=16, lr=0.05, schedule="cosine", transform="none")
    settings = replace(SMALL, victim=small, other=TINY, side=SIDE, unseen={}, epochs=(8, 8))
    monkeypatch.setattr("unlearnable.evaluation.gathering.defaults", lambda frame: settings)


def stripes(rng: np.random.Generator, label: int) -> np.ndarray:
    """A noisy image with faint stripes of about the angle of its class, uint8 (SIDE, SIDE, 3)."""
    angle, (y, x) = np.pi * (label + rng.uniform(-0.3, 0.3)) / 4, np.mgrid[:SIDE, :SIDE]
    along = (x * np.cos(angle) + y * np.sin(angle)) * rng.uniform(0.9, 1.5) + rng.uniform(0, 6)
    image = 128 + 10 * rng.uniform(0.5, 1.5) * np.sin(along) + rng.normal(0, 10, (SIDE, SIDE))
    return np.repeat(image.astype(np.uint8)[..., None], 3, axis=2)


def noise(rng: np.random.Generator, label: int) -> np.ndarray:
    return rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)


# one tint a class, in levels
TINTS = np.array([[45, -45, 0], [-45, 45, 0], [0, 45, -45], [-45, 0, 45]])


def shortcut(image: np.ndarray, label: int) -> np.ndarray:
    """Tint the image in the colour of its class, which is all that a network needs to know."""
    return np.clip(image.astype(int) + TINTS[label], 0, 255).astype(np.uint8)


def made(picture, classes=range(4), count: int = 60, change=None, seed: int = 0) -> ImageSet:  # type: ignore[no-untyped-def]
    """Return photos of some classes; a change gives the published images of the same ids."""
    pixels, labels = [], []
    for label in classes:
        for number in range(count):
            image = picture(np.random.default_rng([seed, label, number]), label)
            pixels.append(image if change is None else change(image, label))
            labels.append(NAMES[label])
    ids = [f"{name}/{number:03d}" for number, name in enumerate(labels)]
    return arrays(np.stack(pixels), labels, ids=ids)


def answer(photos: ImageSet, public: ImageSet, **options: object) -> Verification:
    settings = {"seeds": (0,), "targets": (TINY,), "compute": CPU, "time_limit": 0.001}
    return verify(photos, public, **{**settings, **options})  # type: ignore[arg-type]


def brighter(image: np.ndarray, label: int) -> np.ndarray:
    """A change that hides nothing."""
    return np.clip(image.astype(int) + 4, 0, 255).astype(np.uint8)


def test_photos_of_pure_noise_cannot_tell() -> None:
    found = answer(made(noise, count=40), made(noise, count=40, change=shortcut), seeds=(0, 1, 2))
    assert found.verdict == "cannot tell"
    clean = found.comparisons[0].arm("clean").peak
    assert clean.low < 0.25 < clean.high


def test_photos_without_protection_are_not_protected() -> None:
    photos = made(stripes, count=40)
    assert answer(photos, made(stripes, count=40)).verdict == "not protected"
    assert answer(photos, made(stripes, count=40, change=brighter)).verdict == "not protected"


def test_a_perfect_shortcut_protects() -> None:
    found = answer(made(stripes, count=120), made(stripes, count=120, change=shortcut))
    comparison = found.comparisons[0]
    assert found.verdict == "protected"
    assert comparison.arm("clean").peak.low > 0.8
    assert comparison.arm("protected").peak.value < 0.4
    assert comparison.arm("clean").false_positives is None


JUDGED = {"one class of two": ((0,), (1,)), "one of four": ((0,), (1, 2, 3)), "two of four": ((0, 1), (2, 3))}


@pytest.mark.parametrize(("own", "others"), JUDGED.values(), ids=JUDGED.keys())
@pytest.mark.parametrize(
    ("picture", "change", "expected"),
    [
        (noise, shortcut, "cannot tell"),
        # brighter photos beside a context that is not would be a shortcut
        (stripes, None, "not protected"),
        (stripes, shortcut, "protected"),
    ],
    ids=["pure noise", "no protection", "a perfect shortcut"],
)
def test_classes_with_a_context(own, others, picture, change, expected: str) -> None:  # type: ignore[no-untyped-def]
    photos, public = made(picture, own, 120), made(picture, own, 120, change)
    found = answer(photos, public, context=made(picture, others, 120 // len(others)))
    comparison = found.comparisons[0]
    assert found.verdict == expected
    assert comparison.chance == 1 / (len(own) + 1)
    assert (comparison.tested, comparison.tested_context) == (30 * len(own), 30)
    clean, protected = comparison.arm("clean"), comparison.arm("protected")
    assert len(clean.recall) == len(own)
    score = np.mean([*clean.recall, 1 - (clean.false_positives or 0.0)])
    assert clean.peak.value == pytest.approx(score)
    if picture is noise:
        # recall alone would reach 100% by answering the judged class to every image
        assert clean.peak.low < comparison.chance + 0.1
    if expected == "protected":
        assert clean.false_positives is not None
        assert clean.false_positives < 0.2
        assert protected.peak.value < comparison.chance + 0.1


def test_a_context_is_held_out_beside_a_folder_of_test_images() -> None:
    photos, public = made(stripes, (0,), 90), made(stripes, (0,), 90, shortcut)
    found = answer(
        photos, public, context=made(stripes, (1,), 90), test=made(stripes, (0,), 30, seed=7), seeds=(0, 1, 2)
    )
    comparison = found.comparisons[0]
    assert found.verdict == "protected"
    assert (comparison.tested, comparison.tested_context) == (30, 22)
    assert "context images held out" in found.tested_on
    for clean, protected in zip(*(arm.runs for arm in comparison.arms), strict=True):
        assert np.array_equal(clean.labels, protected.labels)
    # the photos' test images are shared by the seeds, those of the context are not
    images = [set(run.images.tolist()) for run in comparison.arm("clean").runs if run.images is not None]
    assert len(set.intersection(*images)) >= 30
    assert len(set.union(*images)) > 52


def again(image: np.ndarray) -> np.ndarray:
    """The same picture from another JPEG file."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=92, subsampling=0)
    return np.asarray(Image.open(file))


@pytest.mark.parametrize("across", [False, True], ids=["within a class", "across classes"])
@pytest.mark.parametrize("change", [lambda image: image, again], ids=["equal", "encoded again"])
def test_twins_are_on_one_side_and_pure_noise_cannot_tell(across: bool, change) -> None:  # type: ignore[no-untyped-def]
    originals = [noise_with_areas(np.random.default_rng([3, number])) for number in range(60)]
    pixels = np.stack([*originals, *(change(image) for image in originals)])
    labels = [NAMES[number % 2] for number in range(60)] + [
        NAMES[(number + across) % 2] for number in range(60)
    ]
    ids = [f"{number:03d}" for number in range(120)]
    photos = arrays(pixels, labels, ids=ids)
    public = arrays(pixels // 2 + 60, labels, ids=ids)
    pairs = gather(photos, public)
    for seed in range(3):
        out = pairs.held_out(seed)
        assert np.array_equal(out[:60], out[60:])
        assert 0 < out.sum() <= 30
    found = answer(photos, public, seeds=(0, 1, 2))
    assert found.near_duplicates == 120
    assert found.verdict == "cannot tell"


def noise_with_areas(rng: np.random.Generator) -> np.ndarray:
    """A picture of random areas, which survive JPEG: uint8 (SIDE, SIDE, 3)."""
    areas = Image.fromarray(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8))
    return np.asarray(areas.resize((SIDE, SIDE), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("classes", [2, 4, 30])
def test_one_to_five_photos_a_class_cannot_tell(count: int, classes: int) -> None:
    """Even if many classes have many test images together, and every network is right."""
    rng = np.random.default_rng(0)
    labels = [f"c{label:02d}" for label in range(classes) for _ in range(count)]
    colours = rng.integers(0, 256, (classes, 3))
    pixels = np.stack([np.full((SIDE, SIDE, 3), colours[int(label[1:])], np.uint8) for label in labels])
    pixels += rng.integers(0, 5, pixels.shape, dtype=np.uint8)
    ids = [f"{number:03d}" for number in range(len(labels))]
    photos, public = arrays(pixels, labels, ids=ids), arrays(pixels // 2 + 60, labels, ids=ids)
    if count == 1:
        with pytest.raises(DataError, match=r"Give more photos, at least \d+ of each class"):
            answer(photos, public)
        return
    assert answer(photos, public).verdict == "cannot tell"


def test_context_images_wear_no_noise_and_tests_are_clean() -> None:
    photos, public = made(stripes, (0,), 40), made(stripes, (0,), 40, shortcut)
    context = made(stripes, (1, 2), 40)
    pairs = gather(photos, public, context=context)
    clean = {image.tobytes() for image in context.view(SIDE).pixels}
    original = {image.tobytes() for image in photos.view(SIDE).pixels}
    noisy = {image.tobytes() for image in public.view(SIDE).pixels}
    for name in ("clean", "protected"):
        arm = pairs.arm(name, 0)
        trained = [row.numpy().tobytes() for row in arm.train.pixels]
        tested = [row.numpy().tobytes() for row in arm.test.pixels]
        assert set(trained[30:]) | set(tested[10:]) == clean
        assert set(tested[:10]) < original
        assert set(trained[:30]) < (original if name == "clean" else noisy)
        assert not set(trained) & set(tested)
        assert torch.bincount(arm.test.labels).tolist() == [10, 10, 10]
        assert torch.bincount(arm.train.labels).tolist() == [30, 30, 30]
