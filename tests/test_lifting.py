"""Interpolation against loops written from its definition, on sides that differ and patterns that do not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from unlearnable.lifting import LARGE, gain, grey_factor, grid_to_view, lift, resample, usual

SIZES = [(1, 1), (1, 7), (7, 1), (5, 8), (8, 5), (9, 3), (3, 10), (4, 4), (64, 7), (2, 6)]


def weights(target: int, source: int, how: str) -> np.ndarray:
    """The matrix, entry by entry: a triangle around each pixel centre, or the pixel that covers it."""
    found = np.zeros((target, source))
    for row in range(target):
        centre = (row + 0.5) * source / target
        for column in range(source):
            if how == "nearest":
                found[row, column] = column <= centre < column + 1
            else:
                reach = max(1.0, source / target)
                found[row, column] = max(0.0, 1 - abs(column + 0.5 - centre) / reach)
        found[row] /= found[row].sum()
    return found


def random_pattern(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-8, 9, (3, height, width)).astype(np.int8)


@pytest.mark.parametrize("how", ["bilinear", "nearest"])
@pytest.mark.parametrize(("target", "source"), SIZES)
def test_a_matrix_is_its_definition(target: int, source: int, how) -> None:
    found = resample(target, source, how)
    assert found.dtype == np.float32
    assert found.shape == (target, source)
    assert np.allclose(found, weights(target, source, how), atol=1e-6)
    # shared between callers, so nobody may change it
    assert not found.flags.writeable
    assert resample(target, source, how) is found


def test_bilinear_is_what_is_meant_where_nothing_is_said() -> None:
    pattern = random_pattern(4, 5)
    assert np.array_equal(resample(9, 4), resample(9, 4, "bilinear"))
    assert np.array_equal(lift(pattern, 9, 11), lift(pattern, 9, 11, "bilinear"))
    assert usual(pattern) == usual(pattern, "bilinear") != usual(pattern, "nearest")
    assert gain(pattern, 2, 3) == gain(pattern, 2, 3, "bilinear") != gain(pattern, 2, 3, "nearest")
    assert np.array_equal(grid_to_view(6, 9, 4), grid_to_view(6, 9, 4, "bilinear"))


@pytest.mark.parametrize("how", ["bilinear", "nearest"])
@pytest.mark.parametrize(("height", "width"), [(9, 13), (3, 13), (9, 2), (4, 5)])
def test_a_pattern_is_lifted_along_each_axis_by_its_own_matrix(height: int, width: int, how) -> None:
    pattern = random_pattern(4, 5)
    wanted = np.einsum(
        "hi,cij,wj->chw", weights(height, 4, how), pattern.astype(float), weights(width, 5, how)
    )
    found = lift(pattern, height, width, how)
    assert found.dtype == np.float32
    assert found.shape == (3, height, width)
    assert np.allclose(found, wanted, atol=1e-4)
    some = slice(1, 3)
    assert np.array_equal(lift(pattern, height, width, how, some), found[:, some])
    assert np.array_equal(lift(pattern, height, width, how, slice(0, None)), found)


@pytest.mark.parametrize("how", ["bilinear", "nearest"])
def test_the_usual_change_is_the_mean_of_a_photo_of_four_times_the_side(how) -> None:
    pattern = random_pattern(4, 6)
    wanted = np.einsum("hi,cij,wj->chw", weights(16, 4, how), pattern.astype(float), weights(24, 6, how))
    assert LARGE == 4
    assert usual(pattern, how) == pytest.approx(float(np.abs(wanted).mean()), rel=1e-5)


@pytest.mark.parametrize("how", ["bilinear", "nearest"])
@pytest.mark.parametrize(
    ("height", "width", "makes_up"),
    [(2, 2, True), (3, 40, True), (40, 3, True), (4, 6, False), (5, 7, False), (4, 5, True), (3, 6, True)],
)
def test_the_gain_gives_a_small_photo_the_change_of_a_large_one(
    height: int, width: int, makes_up: bool, how
) -> None:
    pattern = random_pattern(4, 6, seed=3)
    factor = gain(pattern, height, width, how)
    if not makes_up:
        assert factor == 1.0
        return
    # beyond four times the grid's side the mean stays the same
    small = np.abs(lift(pattern, min(height, 16), min(width, 24), how)).mean()
    assert factor == pytest.approx(max(1.0, usual(pattern, how) / float(small)), rel=1e-5)


def test_a_gain_never_weakens_and_nothing_stays_nothing() -> None:
    constant = np.full((3, 4, 4), 5, np.int8)
    assert gain(constant, 2, 2) == 1.0
    assert gain(np.zeros((3, 4, 4), np.int8), 2, 2) == 1.0
    stripes = np.tile(np.array([[8, -8]], np.int8), (3, 4, 2))
    # averaged away: there is nothing to make up for
    assert gain(stripes, 4, 2, "bilinear") >= 1.0
    rng = np.random.default_rng(5)
    for _ in range(20):
        pattern = rng.integers(-8, 9, (3, 5, 5)).astype(np.int8)
        assert gain(pattern, 2, 3) >= 1.0
        assert gain(pattern, 2, 3, "nearest") >= 1.0
    # the image that shows more of the strong half would be weakened
    half = np.zeros((1, 4, 4), np.int8)
    half[:, :, 1] = 8
    assert gain(half, 4, 2, "nearest") == 1.0


@pytest.mark.parametrize("how", ["bilinear", "nearest"])
def test_the_view_of_a_photo_is_a_bilinear_resize_of_the_lifted_grid(how) -> None:
    wanted = weights(6, 11, "bilinear") @ weights(11, 4, how)
    found = grid_to_view(6, 11, 4, how)
    assert found.dtype == np.float32
    assert np.allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize("turned", [False, True])
def test_a_photo_with_a_side_of_the_grids_and_a_longer_one_makes_up_for_nothing(turned: bool) -> None:
    weaker = 0
    for seed in range(40):
        pattern = random_pattern(1, 2, seed)
        pattern, size = (pattern.transpose(0, 2, 1), (4, 1)) if turned else (pattern, (1, 4))
        assert gain(pattern, *size) == 1.0
        weaker += float(np.abs(lift(pattern, *size)).mean()) < 0.999 * usual(pattern)
    # some patterns are weaker there than on a large photo
    assert weaker > 3


# Grey photos


def grey_of(pattern: np.ndarray, factor: float) -> np.ndarray:
    return np.clip(factor * pattern.mean(0), -8, 8)


@pytest.mark.parametrize("kind", ["independent", "signs", "green against magenta", "one channel", "sparse"])
def test_grey_noise_is_as_strong_as_the_pattern_within_the_budget(kind: str) -> None:
    rng = np.random.default_rng(0)
    pattern = rng.integers(-8, 9, (3, 16, 16)).astype(np.float64)
    if kind == "signs":
        pattern = 8.0 * np.sign(pattern + 0.5)
    if kind == "green against magenta":
        pattern[1] = -pattern[0]
        pattern[2] = rng.integers(-1, 2, (16, 16))
    if kind == "one channel":
        pattern[1:] = 0
    if kind == "sparse":
        pattern *= rng.random((1, 16, 16)) < 0.1
    factor = grey_factor(pattern, 8).item()
    # the factor that gives the whole strength, by bisection; within the budget there may be none
    wanted, low, high = np.abs(pattern).mean(), 1.0, 1e6
    for _ in range(200):
        middle = np.sqrt(low * high)
        low, high = (middle, high) if np.abs(grey_of(pattern, middle)).mean() < wanted else (low, middle)
    assert 1 <= factor <= low * 1.0001
    reached, most = (np.abs(grey_of(pattern, one)).mean() for one in (factor, low))
    assert reached >= 0.9 * most
    assert reached >= 0.5 * wanted
    assert reached <= wanted * 1.0001


def test_grey_noise_of_equal_channels_is_the_pattern_and_of_cancelling_ones_nothing() -> None:
    equal = np.repeat(random_pattern(4, 5)[:1], 3, axis=0).astype(np.float64)
    assert np.array_equal(grey_factor(equal, 8) * equal.mean(0), equal[:1])
    cancelling = equal * np.array([1.0, -1.0, 0.0])[:, None, None]
    assert not (grey_factor(cancelling, 8) * cancelling.mean(0)).any()
    assert grey_factor(0 * equal, 8).item() == 1


def test_the_factor_of_a_batch_is_that_of_each_pattern_in_torch_too() -> None:
    batch = np.stack([random_pattern(6, 7, seed).astype(np.float64) for seed in range(3)])
    found = grey_factor(torch.from_numpy(batch), 8)
    assert found.shape == (3, 1, 1, 1)
    for one, factor in zip(batch, found, strict=True):
        assert factor.item() == pytest.approx(grey_factor(one, 8).item())
        assert factor.item() > 1.2
