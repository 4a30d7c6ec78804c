"""Closed forms of what the verdict rests on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unlearnable.errors import UsageError
from unlearnable.evaluation.statistics import (
    CONTEXT,
    Curve,
    Interval,
    balanced,
    merged,
    recalls,
    retained_share,
    scored,
)
from unlearnable.evaluation.verdict import MIN_PER_CLASS, MIN_TEST_IMAGES, Goal, judge


def test_balanced_accuracy_weighs_classes_equally() -> None:
    labels = np.array([0] * 9 + [1])
    correct = np.array([True] * 9 + [False])
    assert balanced(correct, labels, [0, 1]) == 0.5
    assert balanced(correct, labels, [0]) == 1.0
    found = recalls(correct, labels, [0, 1, 2])
    assert found[:2].tolist() == [1.0, 0.0]
    assert np.isnan(found[2])
    assert balanced(correct, labels, [0, 1, 2]) == 0.5


def test_the_best_epoch_is_the_first_of_the_best() -> None:
    curve = Curve((0.2, 0.8, 0.5, 0.8, 0.3))
    assert (curve.last, curve.best, curve.peak) == (0.3, 1, 0.8)


GUESSES = {
    "always judged": lambda rng, count: np.zeros(count, int),
    "always context": lambda rng, count: np.full(count, 5),
    "any class": lambda rng, count: rng.integers(10, size=count),
}


@pytest.mark.parametrize("guess", GUESSES.values(), ids=GUESSES.keys())
@pytest.mark.parametrize("judged", [(0,), (0, 1, 2)])
def test_answers_that_do_not_depend_on_the_image_score_chance(guess, judged) -> None:  # type: ignore[no-untyped-def]
    """One or three of ten classes are judged: neither a recall of 100% nor many context images impress."""
    labels = np.repeat(np.arange(10), 3000)
    answers = guess(np.random.default_rng(0), len(labels))
    classes, true = scored(judged, 10), merged(labels, judged)
    assert classes == (*judged, CONTEXT)
    score = balanced(merged(answers, judged) == true, true, classes)
    assert score == pytest.approx(1 / (len(judged) + 1), abs=0.01)


def test_a_context_image_is_right_under_any_context_class() -> None:
    judged, labels = (2,), np.array([0, 1, 2])
    assert merged(labels, judged).tolist() == [CONTEXT, CONTEXT, 2]
    true = merged(labels, judged)
    assert (merged(np.array([1, 0, 2]), judged) == true).all()
    assert scored((0, 1, 2), 3) == (0, 1, 2)
    # a class that dies among ten is half of the score, not a tenth
    dead = merged(np.array([0, 1, 0]), judged) == true
    assert balanced(dead, true, scored(judged, 3)) == 0.5


@given(st.floats(0.3, 1), st.floats(0, 1), st.floats(0.05, 0.2))
def test_kept_is_a_share_of_the_gain_over_guessing(clean: float, share: float, chance: float) -> None:
    protected = chance + share * (clean - chance)
    assert retained_share(protected, clean, chance) == pytest.approx(share)


def test_kept_stays_finite_where_clean_images_teach_nothing() -> None:
    assert np.isfinite(retained_share(np.array([0.2]), np.array([0.1]), 0.1)).all()


CLEAN = Interval(0.60, 0.55, 0.65)
LITTLE = Interval(0.05, 0.0, 0.25)
HALF = Interval(0.5, 0.4, 0.6)


@pytest.mark.parametrize(
    ("clean", "protected", "share", "tested", "fewest", "expected"),
    [
        (CLEAN, Interval(0.12, 0.10, 0.15), LITTLE, 100, 10, "protected"),
        (CLEAN, Interval(0.12, 0.10, 0.15), Interval(0.05, 0.0, 0.26), 100, 10, "weakened"),
        (CLEAN, Interval(0.35, 0.30, 0.40), HALF, 100, 10, "weakened"),
        (CLEAN, Interval(0.52, 0.48, 0.56), Interval(0.84, 0.7, 0.95), 100, 10, "not protected"),
        (Interval(0.25, 0.199, 0.30), Interval(0.1, 0.1, 0.1), LITTLE, 100, 10, "cannot tell"),
        (CLEAN, Interval(0.12, 0.10, 0.15), LITTLE, MIN_TEST_IMAGES - 1, 9, "cannot tell"),
        (CLEAN, Interval(0.12, 0.10, 0.15), LITTLE, 100, MIN_PER_CLASS - 1, "cannot tell"),
    ],
)
def test_every_verdict(
    clean: Interval, protected: Interval, share: Interval, tested: int, fewest: int, expected: str
) -> None:
    assert judge(clean, protected, share, 0.1, tested, fewest) == expected


def test_goals_look_at_the_upper_bound_of_kept_or_the_mean_accuracy() -> None:
    protected = Interval(0.14, 0.10, 0.30)
    assert Goal.parse("25%").met(protected, LITTLE, 0.1)
    assert not Goal.parse("24%").met(protected, LITTLE, 0.1)
    assert Goal.parse("chance+5").met(protected, HALF, 0.1)
    assert not Goal.parse("chance + 3.5").met(protected, HALF, 0.1)


@pytest.mark.parametrize("text", ["25", "", "chance", "chance-5", "-3%", "lots"])
def test_other_goals_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a goal"):
        Goal.parse(text)
