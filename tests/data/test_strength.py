"""How strong the noise of each file is: alike for small photos, recorded, and named where it is little."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import unlearnable as un
from corpus import colours
from unlearnable import lifting, methods
from unlearnable.budget import Budget
from unlearnable.data.encoding import Encoding
from unlearnable.data.photo import Photo, squash
from unlearnable.noise import Noise
from unlearnable.runs import RunFolder
from unlearnable.training.compute import Compute
from unlearnable.training.trainer_view import TrainerView
from unlearnable.training.transforms import Transform
from unlearnable.worker import LITTLE, Task, make

MIDDLE = np.full((300, 400, 3), 128, np.uint8)


def bank(seed: int = 0, grid: int = 64) -> np.ndarray:
    return np.random.default_rng(seed).integers(-8, 9, (1, 3, grid, grid), dtype=np.int8)


def noise(patterns: np.ndarray, **more: object) -> Noise:
    return Noise(patterns, ("a",), "classwise", Budget(8), patterns.shape[2:], **more)  # type: ignore[arg-type]


def outcome(
    tmp_path: Path,
    pixels: np.ndarray,
    patterns: np.ndarray,
    encoding: Encoding | None = None,
    grey: str = "mean",
):
    """The result for one photo of class a."""
    noise(patterns, grey=grey).save(tmp_path / "noise.safetensors")
    task = Task("p", "a", Photo(pixels), tmp_path / "p.png", encoding or Encoding(), 10**9)
    return make(task, tmp_path / "noise.safetensors")


@pytest.mark.parametrize("size", [(16, 16), (1, 1), (63, 64), (5, 900), (200, 9), (40, 30)])
@pytest.mark.parametrize("how", ["bilinear", "nearest"])
def test_photos_smaller_than_the_grid_get_as_much_noise_as_large_ones(
    size: tuple[int, int], how: str
) -> None:
    made = noise(bank(), interpolation=how)
    slot = made.slot("p", "a")
    assert slot is not None

    def change(height: int, width: int) -> np.ndarray:
        before = np.full((height, width, 3), 128, np.uint8)
        return np.abs(made.add(before, slot).astype(int) - 128)

    large, small = change(400, 500), change(*size)
    assert small.max() <= 8
    # a photo of few pixels has few draws of the noise
    spread = 3 * large.std() / np.sqrt(small.size)
    assert small.mean() > 0.85 * large.mean() - spread


@pytest.mark.parametrize("size", [(64, 64), (64, 200), (65, 65), (128, 64), (1000, 70)])
def test_photos_of_at_least_the_grid_are_lifted_as_before(size: tuple[int, int]) -> None:
    assert lifting.gain(bank()[0], *size) == 1.0


@pytest.mark.parametrize("frame", [(16, 24), (10, 90), (31, 32)])
def test_the_search_sees_small_photos_as_they_are_published(frame: tuple[int, int]) -> None:
    patterns, side = bank(1, 32), 48
    made = noise(patterns)
    slot = made.slot("p", "a")
    assert slot is not None
    before = np.full((*frame, 3), 128, np.uint8)
    change = made.add(before, slot).astype(np.float64) - 128
    down, across = (lifting.resample(side, length) for length in frame)
    published = np.einsum("ih,hwc,jw->cij", down, change, across)
    view = TrainerView(
        side, side, 32, frame, Transform("none"), "bilinear", Compute("cpu", "float64"), epsilon=8
    )
    seen = view.seen(torch.from_numpy(patterns).double(), None)[0].numpy()
    # published noise is rounded to whole levels
    assert np.abs(seen - published).max() <= 0.5 + 1e-4
    assert squash(before, side).shape[:2] == seen.shape[1:]


LITTLE_NOISE = {
    "white paper": np.full((90, 120, 3), 255, np.uint8),
    "black, but for a spot": np.pad(np.full((4, 4, 3), 90, np.uint8), ((0, 90), (0, 90), (0, 0))),
    "drawing": np.where(np.arange(300)[:, None, None] % 30 < 2, 0, 255)
    .repeat(200, 1)
    .repeat(3, 2)
    .astype("uint8"),
}


@pytest.mark.parametrize("name", LITTLE_NOISE)
def test_photos_that_get_little_noise_are_named(tmp_path: Path, name: str) -> None:
    # a pattern that mostly brightens loses more than half of itself at white, and the other way round
    signed = bank(2)
    signed = np.abs(signed) if name != "black, but for a spot" else -np.abs(signed)
    done = outcome(tmp_path, LITTLE_NOISE[name], signed)
    assert done.strength < LITTLE
    assert [note for note in done.notes if note.startswith("little noise:")], done.notes


@pytest.mark.parametrize("frame", [(48, 64), (20, 31)])
def test_the_search_sees_grey_photos_as_they_are_published(frame: tuple[int, int]) -> None:
    patterns, side = bank(8, 32), 40
    made = noise(patterns, grey="full")
    slot = made.slot("p", "a")
    assert slot is not None
    change = made.add(np.full(frame, 128, np.uint8), slot).astype(np.float64) - 128
    down, across = (lifting.resample(side, length) for length in frame)
    view = TrainerView(
        side,
        side,
        32,
        frame,
        Transform("none"),
        "bilinear",
        Compute("cpu", "float64"),
        epsilon=8,
        grey="full",
    )
    seen = view.seen(torch.from_numpy(patterns).double(), torch.tensor([True]))[0].numpy()
    assert np.abs(seen - down @ change @ across.T).max() <= 0.5 + 1e-4
    weak = view.seen(torch.from_numpy(patterns).double().mean(1, keepdim=True).repeat(1, 3, 1, 1), None)
    assert np.abs(seen).mean() > 1.3 * float(weak.abs().mean())


def test_pixels_of_grey_photos_at_the_budget_get_a_gradient() -> None:
    view = TrainerView(
        8, 8, 8, (8, 8), Transform("none"), "bilinear", Compute("cpu", "float64"), epsilon=8, grey="full"
    )
    d = torch.from_numpy(bank(9, 8)).double().requires_grad_(True)
    seen = view.seen(d, torch.tensor([True]))
    assert float(seen.detach().abs().max()) == 8
    factor = lifting.grey_factor(d.detach(), 8)
    gradient = torch.autograd.grad(seen[:, :1].sum(), d)[0]
    assert torch.allclose(gradient, (factor / 3).expand(d.shape))


def test_grey_photos_whose_channels_cancel_are_named(tmp_path: Path) -> None:
    opponent = bank(3)
    opponent[:, 1] = -opponent[:, 0]
    opponent[:, 2] = 0
    done = outcome(tmp_path, MIDDLE[..., 0], opponent)
    assert done.mean == 0
    assert done.strength == 0
    assert "little noise" in done.notes[-1]


@pytest.mark.parametrize("pixels", [MIDDLE, MIDDLE[..., 0], MIDDLE[:64, :64], MIDDLE[:9, :9]])
def test_ordinary_photos_are_not_named(tmp_path: Path, pixels: np.ndarray) -> None:
    done = outcome(tmp_path, pixels, bank(4))
    assert done.strength >= LITTLE
    assert done.notes == ()


def test_a_large_colour_photo_has_a_strength_of_one(tmp_path: Path) -> None:
    assert outcome(tmp_path, MIDDLE, bank(5)).strength == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize(
    ("pixels", "strength"), [(MIDDLE[..., 0], 0.56), (MIDDLE[:64, :64], 1.56), (MIDDLE[:16, :16], 1.0)]
)
def test_strengths_are_those_of_the_docs(tmp_path: Path, pixels: np.ndarray, strength: float) -> None:
    assert outcome(tmp_path, pixels, bank(6)).strength == pytest.approx(strength, abs=0.06)


@pytest.mark.parametrize("size", [(300, 400), (64, 64), (16, 16)])
def test_grey_photos_have_the_strength_of_the_others(tmp_path: Path, size: tuple[int, int]) -> None:
    pixels = MIDDLE[: size[0], : size[1]]
    for seed in (6, 7):
        colour = outcome(tmp_path, pixels, bank(seed))
        grey = outcome(tmp_path, pixels[..., 0], bank(seed), grey="full")
        assert grey.largest <= 8
        assert 0.85 * colour.strength < grey.strength < 1.1 * colour.strength
        weak = outcome(tmp_path, pixels[..., 0], bank(seed), grey="mean")
        assert weak.strength < 0.75 * grey.strength or size == (16, 16)


def test_noise_that_jpeg_removes_does_not_count(tmp_path: Path) -> None:
    fine = np.tile(np.array([[4, -4], [-4, 4]], np.int8), (1, 3, 32, 32))
    pixels = MIDDLE[:64, :64]
    lossless = outcome(tmp_path, pixels, fine)
    good, bad = (outcome(tmp_path, pixels, fine, Encoding("jpeg", quality)) for quality in (95, 5))
    assert lossless.mean == good.mean == bad.mean == 4
    assert lossless.strength > 0.9 * good.strength > bad.strength
    assert bad.strength < LITTLE
    assert "little noise" in bad.notes[-1]


def test_strength_is_in_the_record_and_in_the_result(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for index in range(2):
            Image.fromarray(colours(90, 100, index)).save(tmp_path / "photos" / name / f"{index}.png")
    Image.new("RGB", (80, 90), "white").save(tmp_path / "photos" / "a" / "white.png")
    done = un.protect(tmp_path / "photos", tmp_path / "out", methods.create("random", {}), seed=1, workers=1)
    records = RunFolder(done.run).files()
    strengths = {id: record["strength"] for id, record in records.items()}
    assert set(strengths) == {"a/0.png", "a/1.png", "a/white.png", "b/0.png", "b/1.png"}
    assert all(0.6 < strength < 1.2 for id, strength in strengths.items() if "white" not in id)
    little = {id for id, notes in done.notes.items() if any("little noise" in note for note in notes)}
    assert little == {id for id, strength in strengths.items() if strength < LITTLE}
