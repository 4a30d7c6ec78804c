"""Budget, lifting and noise: the arithmetic that everything rests on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from unlearnable.budget import Budget
from unlearnable.errors import DataError, UnlearnableError, UsageError
from unlearnable.lifting import grid_to_view, lift, resample
from unlearnable.noise import Noise, Slot


def classwise(bank: np.ndarray, **more: object) -> Noise:
    side = bank.shape[-1]
    return Noise(bank, tuple("abcdefgh"[: len(bank)]), "classwise", Budget(8), (side, side), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("epsilon", [0, -1, 128, 2.5, True])
def test_a_budget_is_a_whole_number_of_levels(epsilon) -> None:
    with pytest.raises(UsageError, match="whole number of levels"):
        Budget(epsilon)


def test_budget_projects_rounds_and_checks() -> None:
    budget = Budget(8)
    assert budget.round(np.array([9.7, -8.4, 0.5, 1.5, -0.4])).tolist() == [8, -8, 0, 2, 0]
    assert torch.equal(budget.project(torch.tensor([-20.0, 3.0])), torch.tensor([-8.0, 3.0]))
    before, after = np.array([[250, 3]], np.uint8), np.array([[255, 0]], np.uint8)
    assert budget.check(before, after) == 5
    with pytest.raises(UnlearnableError, match=r"cats/a\.png changed by 9 levels"):
        budget.check(np.array([[0]], np.uint8), np.array([[9]], np.uint8), "cats/a.png")
    with pytest.raises(UnlearnableError, match="not numbers"):
        budget.round(np.array([np.nan]))


@given(st.integers(1, 80), st.integers(1, 80), st.sampled_from(["bilinear", "nearest"]))
@settings(deadline=None)
def test_every_row_of_a_resampling_is_a_convex_combination(target: int, source: int, how) -> None:
    matrix = resample(target, source, how)
    assert matrix.min() >= 0
    assert np.allclose(matrix.sum(1), 1, atol=1e-6)


def test_equal_sizes_are_the_identity() -> None:
    for how in ("bilinear", "nearest"):
        assert np.array_equal(resample(32, 32, how), np.eye(32, dtype=np.float32))
        assert np.array_equal(grid_to_view(32, 32, 32, how), np.eye(32, dtype=np.float32))


@pytest.mark.parametrize(("source", "target"), [(8, 50), (64, 20), (31, 31), (100, 64)])
def test_resampling_is_what_pillow_does(source: int, target: int) -> None:
    pattern = np.random.default_rng(0).uniform(-8, 8, (source, source)).astype(np.float32)
    expected = np.asarray(Image.fromarray(pattern).resize((target, target), Image.Resampling.BILINEAR))
    matrix = resample(target, source)
    assert np.allclose(matrix @ pattern @ matrix.T, expected, atol=1e-3)


def test_lifting_keeps_half_of_the_rms_and_its_place() -> None:
    """+-8 sign noise of 64 px lifted to 224 and seen again at 64 keeps about half; smooth noise keeps nearly
    all.
    """
    rng = np.random.default_rng(0)
    signs = rng.choice([-8.0, 8.0], (1, 64, 64))
    rows = grid_to_view(64, 224, 64)
    seen = rows @ signs[0] @ rows.T
    assert 3.5 < np.sqrt((seen**2).mean()) < 6.5
    assert np.corrcoef(seen.ravel(), signs.ravel())[0, 1] > 0.85
    smooth = lift(rng.choice([-8.0, 8.0], (1, 4, 4)), 64, 64)
    assert np.sqrt(((rows @ smooth[0] @ rows.T) ** 2).mean()) > 0.97 * np.sqrt((smooth**2).mean())


@given(st.integers(1, 120), st.integers(1, 120), st.integers(0, 2**31))
@settings(deadline=None, max_examples=60)
def test_noise_is_added_first_and_clipped_after_within_the_budget(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    noise = classwise(rng.integers(-8, 9, (2, 3, 16, 16), dtype=np.int8))
    photo = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    out = noise.add(photo, Slot(1))
    assert out.dtype == np.uint8
    assert noise.budget.check(photo, out) <= 8


def test_negative_noise_is_not_lost() -> None:
    noise = classwise(np.full((1, 3, 4, 4), -8, np.int8))
    assert (noise.add(np.full((4, 4, 3), 100, np.uint8), Slot(0)) == 92).all()
    assert (noise.add(np.full((4, 4, 3), 3, np.uint8), Slot(0)) == 0).all()


def test_grey_gets_one_value_and_alpha_is_left_alone() -> None:
    bank = np.stack([np.full((4, 4), value, np.int8) for value in (2, 4, 6)])[None]
    noise = classwise(bank)
    assert (noise.add(np.full((9, 9), 100, np.uint8), Slot(0)) == 104).all()
    out = noise.add(np.full((9, 9, 4), 100, np.uint8), Slot(0))
    assert out[0, 0].tolist() == [102, 104, 106, 100]


def test_a_tile_is_repeated_over_the_grid() -> None:
    tile = np.arange(12, dtype=np.int8).reshape(1, 3, 2, 2) - 6
    noise = Noise(tile, ("a",), "classwise", Budget(8), (5, 5))
    pattern = noise.pattern(Slot(0))
    assert pattern.shape == (3, 5, 5)
    assert np.array_equal(pattern[:, 2:4, 2:4], tile[0])
    assert np.array_equal(pattern[:, 4, 4], tile[0, :, 0, 0])


def test_noise_survives_the_disk_and_damage_is_named(tmp_path) -> None:
    noise = classwise(
        np.random.default_rng(0).integers(-8, 9, (2, 3, 6, 6), dtype=np.int8),
        provenance={"method": "random", "seed": 3},
    )
    path = tmp_path / "noise.safetensors"
    noise.save(path)
    again = Noise.load(path)
    assert np.array_equal(again.bank, noise.bank)
    assert (again.keys, again.form, again.budget, again.grid, again.provenance) == (
        noise.keys,
        noise.form,
        noise.budget,
        noise.grid,
        noise.provenance,
    )
    assert [p.name for p in tmp_path.iterdir()] == ["noise.safetensors"]
    data = path.read_bytes()
    for broken in (b"", data[:40], data[: len(data) // 2], b"x" * 300):
        path.write_bytes(broken)
        with pytest.raises(DataError, match=r"noise\.safetensors"):
            Noise.load(path)
    with pytest.raises(DataError, match="noise file"):
        Noise.load(tmp_path / "absent.safetensors")


def test_a_bank_over_its_budget_is_refused() -> None:
    with pytest.raises(UnlearnableError, match="exceeds its budget"):
        classwise(np.full((1, 3, 4, 4), 9, np.int8))
