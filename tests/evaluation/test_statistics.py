"""Closed forms of what the verdict rests on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unlearnable.errors import UsageError
from unlearnable.evaluation.statistics import (
    Answers,
    Interval,
    balanced,
    bootstrap,
    interval,
    recalls,
    retained_share,
)
from unlearnable.evaluation.verdict import MIN_TEST_IMAGES, Goal, judge


def answers(rng: np.random.Generator, rate: float, count: int = 200, classes: int = 4) -> Answers:
    return Answers(np.repeat(np.arange(classes), count // classes), rng.random((1, count)) < rate)


def test_balanced_accuracy_weighs_classes_equally() -> None:
    labels = np.array([0] * 9 + [1])
    correct = np.array([True] * 9 + [False])
    assert balanced(correct, labels, [0, 1]) == 0.5
    assert balanced(correct, labels, [0]) == 1.0
    found = recalls(correct, labels, [0, 1, 2])
    assert found[:2].tolist() == [1.0, 0.0]
    assert np.isnan(found[2])
    assert balanced(correct, labels, [0, 1, 2]) == 0.5


def test_the_bootstrap_has_the_spread_of_a_binomial() -> None:
    rng = np.random.default_rng(0)
    drawn = bootstrap(
        [Answers(np.repeat([0, 1], 100), np.tile([True, False], 100)[None])], [0, 1], draws=4000
    )
    assert drawn.shape == (1, 4000)
    assert drawn.mean() == pytest.approx(0.5, abs=0.005)
    assert drawn.std() == pytest.approx(np.sqrt(0.25 / 200), rel=0.06)
    assert bootstrap([answers(rng, 1.1)], range(4)).std() == 0


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    inside = 0
    for trial in range(200):
        run = answers(rng, 0.6)
        found = interval(0.0, bootstrap([run], range(4), draws=400, seed=trial)[0])
        inside += found.low <= 0.6 <= found.high
    assert 0.90 <= inside / 200 <= 0.985


def test_seeds_that_disagree_widen_the_interval() -> None:
    labels = np.repeat([0, 1], 500)
    same = [Answers(labels, np.tile([True, False], 500)[None])] * 2
    apart = [Answers(labels, np.full((1, 1000), value)) for value in (True, False)]
    assert bootstrap(apart, [0, 1]).std() > 5 * bootstrap(same, [0, 1]).std()


def test_arms_are_drawn_as_pairs() -> None:
    rng = np.random.default_rng(2)
    correct = rng.random(100) < 0.5
    drawn = bootstrap([Answers(np.repeat([0, 1], 50), np.stack([correct, correct]))], [0, 1])
    assert np.array_equal(drawn[0], drawn[1])


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
    ("clean", "protected", "share", "tested", "expected"),
    [
        (CLEAN, Interval(0.12, 0.10, 0.15), LITTLE, 100, "protected"),
        (CLEAN, Interval(0.12, 0.10, 0.15), Interval(0.05, 0.0, 0.26), 100, "weakened"),
        (CLEAN, Interval(0.35, 0.30, 0.40), HALF, 100, "weakened"),
        (CLEAN, Interval(0.52, 0.48, 0.56), Interval(0.84, 0.7, 0.95), 100, "not protected"),
        (Interval(0.25, 0.199, 0.30), Interval(0.1, 0.1, 0.1), LITTLE, 100, "cannot tell"),
        (CLEAN, Interval(0.12, 0.10, 0.15), LITTLE, MIN_TEST_IMAGES - 1, "cannot tell"),
    ],
)
def test_every_verdict(
    clean: Interval, protected: Interval, share: Interval, tested: int, expected: str
) -> None:
    assert judge(clean, protected, share, 0.1, tested) == expected


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
