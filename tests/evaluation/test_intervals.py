"""Intervals cover the truth as often as they say: simulated, in the designs that a verification has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import t as student

from unlearnable.evaluation.intervals import Spread, half_width
from unlearnable.evaluation.statistics import LEVEL, Answers, balanced


@dataclass(frozen=True)
class Design:
    """Test images per class, seeds, the true accuracies of a clean and a protected arm, and what varies.

    Args:
        shared: Whether all seeds are tested on the same images.
        seed_sd: Standard deviation of the seeds' true accuracies.
        class_sd: Standard deviation of the classes' true accuracies.
        image: Correlation of the answers of two arms, or of two seeds, on the same image (latent).
    """

    counts: tuple[int, ...]
    seeds: int = 3
    rates: tuple[float, float] = (0.7, 0.25)
    shared: bool = False
    seed_sd: float = 0.0
    class_sd: float = 0.0
    image: float = 0.5


def simulated(design: Design, rng: np.random.Generator) -> tuple[list[Answers], np.ndarray]:
    """Return the answers of all seeds, and the true balanced accuracies."""
    labels = np.repeat(np.arange(len(design.counts)), design.counts)
    classes = np.clip(
        np.array(design.rates)[:, None]
        + design.class_sd * np.random.default_rng(9).normal(size=len(design.counts)),
        0,
        1,
    )
    runs, ease = [], rng.normal(size=len(labels))
    for _ in range(design.seeds):
        if not design.shared:
            ease = rng.normal(size=len(labels))
        rates = np.clip(classes + design.seed_sd * rng.normal(size=(2, 1)), 0, 1)[:, labels]
        own = rng.normal(size=rates.shape)
        latent = np.sqrt(design.image) * ease + np.sqrt(1 - design.image) * own
        images = np.arange(len(labels)) if design.shared else None
        runs.append(Answers(labels, latent < ndtri(rates), images))
    return runs, classes.mean(axis=1)


def coverage(design: Design, draws: int = 500) -> tuple[list[float], list[float]]:
    """Return how often the intervals of clean, protected and retained contain the truth, and mean widths."""
    rng = np.random.default_rng(7)
    judged, chance = range(len(design.counts)), 1 / len(design.counts)
    inside, widths = np.zeros(3), np.zeros(3)
    for _ in range(draws):
        runs, (clean, protected) = simulated(design, rng)
        found = Spread.of(runs, judged)
        intervals = found.accuracy(0), found.accuracy(1), found.retained(1, chance)
        truth = clean, protected, (protected - chance) / (clean - chance)
        inside += [one.low <= true <= one.high for one, true in zip(intervals, truth, strict=True)]
        widths += [one.high - one.low for one in intervals]
    return list(inside / draws), list(widths / draws)


DESIGNS = {
    "shared test images": Design((25,) * 10, shared=True),
    "shared, equal answers of all seeds": Design((25,) * 10, shared=True, image=1.0),
    "shared, few": Design((10,) * 4, shared=True, rates=(0.8, 0.4), image=0.9),
    "shared, seeds differ": Design((25,) * 10, shared=True, seed_sd=0.06),
    "20 classes of one image, one seed": Design((1,) * 20, seeds=1),
    "20 classes of two images": Design((2,) * 20),
    "20 unequal classes of two images": Design((2,) * 20, rates=(0.6, 0.4), class_sd=0.2),
    "seeds that differ by six points": Design((25,) * 10, seed_sd=0.06),
    "ordinary": Design((25,) * 10, rates=(0.75, 0.12)),
    "ordinary, one seed": Design((25,) * 10, seeds=1, rates=(0.75, 0.12)),
    "five seeds": Design((25,) * 10, seeds=5, rates=(0.75, 0.12)),
    "nearly all correct": Design((50, 50), seeds=1, rates=(0.97, 0.6)),
    "unequal classes": Design((60, 10, 5), seeds=1, rates=(0.8, 0.45)),
}


@pytest.mark.parametrize("design", DESIGNS.values(), ids=DESIGNS.keys())
def test_intervals_cover_the_truth(design: Design) -> None:
    found, _ = coverage(design)
    assert min(found) >= 0.93, found


@pytest.mark.parametrize(("name", "width"), [("ordinary", 0.13), ("ordinary, one seed", 0.12)])
def test_intervals_of_ordinary_sets_are_not_useless(name: str, width: float) -> None:
    _, (clean, protected, retained) = coverage(DESIGNS[name], 100)
    assert max(clean, protected) < width
    assert retained < 0.16


def test_a_large_set_has_the_interval_of_the_textbook() -> None:
    """A 90% interval would be a sixth narrower."""
    rng = np.random.default_rng(0)
    answers = Answers(np.repeat([0, 1], 2000), rng.random((1, 4000)) < 0.6)
    found = Spread.of([answers], [0, 1]).accuracy(0)
    rate = found.value
    assert LEVEL == 0.95
    assert found.high - rate == pytest.approx(1.96 * np.sqrt(rate * (1 - rate) / 4000), rel=0.01)
    assert rate - found.low == pytest.approx(found.high - rate)


def test_three_seeds_that_differ_have_the_interval_of_student() -> None:
    """With many images, the seeds are all that varies: t with two degrees of freedom."""
    labels = np.repeat([0, 1], 20_000)
    rates = np.array([0.5, 0.6, 0.7])
    runs = [Answers(labels, (np.arange(40_000) % 100 < 100 * rate)[None]) for rate in rates]
    half = student(2).ppf(0.975) * rates.std(ddof=1) / np.sqrt(3)
    found = Spread.of(runs, [0, 1]).accuracy(0)
    assert found.value == pytest.approx(0.6)
    assert found.high - found.value == pytest.approx(half, rel=0.01)
    assert found.low == pytest.approx(0.6 - half, rel=0.02)


def test_shared_images_count_once_however_many_seeds_there_are() -> None:
    rng = np.random.default_rng(1)
    labels, correct = np.repeat(np.arange(4), 25), rng.random((1, 100)) < 0.7
    once = Spread.of([Answers(labels, correct, np.arange(100))], range(4)).accuracy(0)
    again = Spread.of([Answers(labels, correct, np.arange(100))] * 5, range(4)).accuracy(0)
    apart = Spread.of(
        [Answers(labels, correct, np.arange(100) + 100 * seed) for seed in range(5)], range(4)
    ).accuracy(0)
    assert again.high - again.low == pytest.approx(once.high - once.low)
    assert apart.high - apart.low < 0.6 * (once.high - once.low)


def test_the_order_of_shared_images_does_not_matter() -> None:
    rng = np.random.default_rng(2)
    labels, order = np.repeat(np.arange(3), 10), rng.permutation(30)
    one, two = (rng.random((2, 30)) < 0.6 for _ in range(2))
    plain = [Answers(labels, answers, np.arange(30)) for answers in (one, two)]
    mixed = [plain[0], Answers(labels[order], two[:, order], order)]
    assert np.allclose(Spread.of(plain, range(3)).images, Spread.of(mixed, range(3)).images)


def test_one_image_a_class_is_not_certain_and_neither_is_a_perfect_score() -> None:
    labels, correct = np.arange(20), np.arange(20)[None] % 2 == 0
    found = Spread.of([Answers(labels, correct)], range(20)).accuracy(0)
    assert 0.2 < found.high - found.value < 0.3
    perfect = Spread.of([Answers(np.repeat([0, 1], 10), np.ones((1, 20), bool))], [0, 1]).accuracy(0)
    assert perfect.high == 1
    # the exact interval of 20 of 20 begins at .83
    assert 0.8 < perfect.low < 0.9


@pytest.mark.parametrize("accuracy", [0.7, 1.0])
def test_arms_that_answer_alike_may_still_differ_on_other_images(accuracy: float) -> None:
    rng = np.random.default_rng(3)
    correct = rng.random(100) < accuracy
    runs = [Answers(np.repeat([0, 1], 50), np.stack([correct, correct]))]
    retained = Spread.of(runs, [0, 1]).retained(1, 0.5)
    # the rule of three: with 100 images alike, up to 3% of others may differ, of a gain of accuracy - 0.5
    share = 0.03 / (accuracy - 0.5)
    assert retained.value == pytest.approx(1)
    assert 0.7 * share < 1 - retained.low < 1.3 * share
    assert 0.7 * share < retained.high - 1 < 1.5 * share


def test_the_retained_share_stays_finite_where_clean_images_teach_nothing() -> None:
    labels = np.repeat([0, 1], 10)
    correct = np.stack([np.arange(20) % 2 == 0, np.arange(20) % 4 < 3])
    found = Spread.of([Answers(labels, correct)], [0, 1]).retained(1, 0.5)
    assert np.isfinite([found.low, found.value, found.high]).all()
    assert found.low < 0 < found.high


def test_values_are_balanced_accuracies_also_without_images_of_a_class() -> None:
    labels, correct = np.array([0, 0, 0, 2]), np.array([[True, False, False, True]])
    found = Spread.of([Answers(labels, correct)], range(4)).accuracy(0)
    assert found.value == pytest.approx(float(balanced(correct[0], labels, range(4)))) == pytest.approx(2 / 3)


def test_half_a_width_grows_with_every_part() -> None:
    assert half_width(0.01, 0.0, 1, 100) < half_width(0.01, 0.001, 3, 100) < half_width(0.01, 0.01, 3, 100)
    assert half_width(0.01, 0.01, 5, 100) < half_width(0.01, 0.01, 3, 100)
