"""The budget against plain arithmetic: on images taller than a chunk, with changes in both directions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from unlearnable import budget as module
from unlearnable.budget import CHUNK_ROWS, Budget, in_levels
from unlearnable.errors import UnlearnableError, UsageError

TALL = 2 * CHUNK_ROWS + 5


def two_images(shape: tuple[int, ...] = (TALL, 3, 3), by: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """An image and the same image with changes of up to ``by`` levels up and down."""
    rng = np.random.default_rng(0)
    before = rng.integers(0, 256, shape, dtype=np.uint8)
    moved = before.astype(int) + rng.integers(-by, by + 1, shape)
    return before, moved.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("value", "levels"), [(8 / 255, 8), (0.5, 127), (0.999, 127), (0.001, 1), (0.3, 76), (1.4 / 255, 1)]
)
def test_a_share_of_the_range_is_answered_with_its_levels(value: float, levels: int) -> None:
    assert in_levels(value) == f"epsilon is in levels of 1/255: {levels}, not {value:.3g}."


@pytest.mark.parametrize("value", [0.0, 1.0, 1.5, -0.5, 8, 0, 1, "0.5", None, True])
def test_any_other_value_is_no_share(value: object) -> None:
    assert in_levels(value) == ""


@pytest.mark.parametrize(
    ("given", "problem", "remedy"),
    [
        (0, "epsilon is 0", "Give 8, the paper's 8/255."),
        (128, "epsilon is 128", "Give 8, the paper's 8/255."),
        (0.1, "epsilon is 0.1", "epsilon is in levels of 1/255: 26, not 0.1."),
    ],
)
def test_a_wrong_budget_says_what_to_give(given: float, problem: str, remedy: str) -> None:
    with pytest.raises(UsageError) as raised:
        Budget(given)  # type: ignore[arg-type]
    assert raised.value.problem == f"{problem}, but must be a whole number of levels from 1 to 127."
    assert raised.value.remedy == remedy


def test_the_smallest_the_largest_and_the_papers_budget_are_plain_whole_numbers() -> None:
    for given in (1, 8, 127, np.int64(4), np.uint8(127)):
        made = Budget(given)  # type: ignore[arg-type]
        assert type(made.epsilon) is int
        assert made.epsilon == given
        assert str(made) == f"linf({given}/255)"
    assert Budget() == Budget(8)


def test_projection_takes_the_nearest_value_on_both_sides_and_leaves_the_inside() -> None:
    given = [-200.0, -5.01, -5.0, -4.99, 0.0, 4.99, 5.0, 5.01, 200.0]
    wanted = [-5.0, -5.0, -5.0, -4.99, 0.0, 4.99, 5.0, 5.0, 5.0]
    assert Budget(5).project(np.array(given)).tolist() == wanted
    assert Budget(5).project(torch.tensor(given, dtype=torch.float64)).tolist() == wanted


def test_rounding_goes_to_the_nearest_level_and_happens_once() -> None:
    values = np.linspace(-9, 9, 1801)
    found = Budget(7).round(values)
    assert found.dtype == np.int8
    assert np.array_equal(found, np.clip(np.rint(values), -7, 7).astype(int))
    # a value between two levels is rounded from where it is, not from a first rounding to tenths
    assert Budget(7).round(np.array([0.449, -2.451, 6.499])).tolist() == [0, -2, 6]
    for value in (np.nan, np.inf, -np.inf):
        with pytest.raises(UnlearnableError, match="not numbers"):
            Budget(7).round(np.array([1.0, value]))


@pytest.mark.parametrize("shape", [(TALL, 3, 3), (CHUNK_ROWS, 2), (1, 1), (TALL, 1, 4)])
def test_changes_are_those_of_whole_numbers_over_every_row(shape: tuple[int, ...]) -> None:
    before, after = two_images(shape)
    apart = np.abs(after.astype(int) - before)
    assert Budget(8).change(before, after) == (int(apart.max()), pytest.approx(apart.mean(), abs=1e-12))
    assert Budget(8).change(after, before) == (int(apart.max()), pytest.approx(apart.mean(), abs=1e-12))
    assert Budget(8).largest_change(before, after) == apart.max()
    assert Budget(8).change(before, before) == (0, 0.0)


@pytest.mark.parametrize("row", [0, CHUNK_ROWS - 1, CHUNK_ROWS, 2 * CHUNK_ROWS - 1, TALL - 1])
def test_one_pixel_over_the_budget_is_found_in_every_chunk(row: int) -> None:
    before = np.full((TALL, 2, 3), 100, np.uint8)
    for value in (109, 91):
        after = before.copy()
        after[row, 1, 2] = value
        assert Budget(9).check(before, after) == 9
        with pytest.raises(UnlearnableError) as raised:
            Budget(8).check(before, after)
        assert raised.value.problem == "The image changed by 9 levels, more than the budget of 8."
    assert Budget(8).change(before, after)[1] == pytest.approx(9 / before.size, abs=1e-15)
    whole = np.zeros((3, 3), np.uint8)
    assert Budget(8).change(whole, whole + 255) == (255, 255.0)


def test_images_without_pixels_and_of_other_shapes() -> None:
    empty = np.zeros((0, 4, 3), np.uint8)
    assert Budget(8).change(empty, empty) == (0, 0.0)
    assert Budget(8).change(np.zeros((4, 0), np.uint8), np.zeros((4, 0), np.uint8)) == (0, 0.0)
    with pytest.raises(UnlearnableError, match=r"\(2, 3\) to \(3, 2\)"):
        Budget(8).largest_change(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8))


def test_the_share_that_a_lossy_step_leaves_is_a_projection_over_all_rows() -> None:
    before, changed = two_images()
    rng = np.random.default_rng(1)
    after = (changed.astype(int) + rng.integers(-6, 7, before.shape)).clip(0, 255).astype(np.uint8)
    noise, left = (one.astype(float) - before for one in (changed, after))
    wanted = float((noise * left).sum() / (noise**2).sum())
    assert 0.5 < wanted < 1
    assert Budget(8).share_left(before, changed, after) == pytest.approx(wanted, abs=1e-12)
    assert Budget(8).share_left(before, changed, changed) == 1
    assert Budget(8).share_left(before, changed, before) == 0
    halved = before + np.rint(noise / 2).astype(int)
    assert 0.4 < Budget(8).share_left(before, changed, halved.astype(np.uint8)) < 0.6


def test_the_share_left_is_a_share_and_nothing_is_left_of_nothing() -> None:
    before = np.full((TALL, 2), 100, np.uint8)
    up, down = before + np.uint8(4), before - np.uint8(4)
    assert Budget(8).share_left(before, up, down) == 0
    assert Budget(8).share_left(before, up, before + np.uint8(9)) == 1
    assert Budget(8).share_left(before, up, before + np.uint8(1)) == 0.25
    assert Budget(8).share_left(before, before, up) == 0
    one = before.copy()
    # a change of a single level, squared, is one
    one[TALL - 1, 0] += 1
    assert Budget(8).share_left(before, one, one) == 1
    # far beyond what a byte can hold
    assert Budget(8).share_left(before * 0, before * 0 + np.uint8(200), before * 0 + np.uint8(100)) == 0.5


def test_the_last_rows_count_wherever_the_chunks_end(monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = two_images((11, 3))
    wanted = Budget(8).change(before, after), Budget(8).share_left(before, after, after // 2)
    for rows in (1, 4, 10, 11, 12):
        monkeypatch.setattr(module, "CHUNK_ROWS", rows)
        assert (Budget(8).change(before, after), Budget(8).share_left(before, after, after // 2)) == wanted
