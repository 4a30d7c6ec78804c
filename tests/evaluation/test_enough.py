"""What the counts of photos promise is what the verdict's own rule gives."""

from __future__ import annotations

import numpy as np
import pytest

from unlearnable.evaluation.enough import from_counts, outlook
from unlearnable.evaluation.statistics import Answers, balanced, bootstrap, interval, retained_share
from unlearnable.evaluation.verdict import MIN_TEST_IMAGES, judge


@pytest.mark.parametrize(
    ("photos", "possible", "tested"),
    [
        ([13, 13, 14], False, 10),
        ([1, 1], False, 0),
        ([2, 2], False, 2),
        ([60] * 10, True, 150),
        ([76, 4], True, 20),
    ],
)
def test_too_few_photos_are_known_from_their_counts(photos: list[int], possible: bool, tested: int) -> None:
    found = from_counts(photos)
    assert (found.possible, found.tested) == (possible, tested)
    assert found.to_json()["possible"] == possible
    assert found.words.startswith("Too few photos") != possible


@pytest.mark.parametrize("classes", [2, 3, 7, 10, 50])
def test_the_number_of_photos_that_it_takes_is_the_smallest(classes: int) -> None:
    needed = from_counts([5] * classes).per_class
    assert from_counts([needed] * classes).possible
    assert not from_counts([needed - 1] * classes).possible
    assert from_counts([needed] * classes).tested >= MIN_TEST_IMAGES


def test_more_photos_and_seeds_ask_for_less() -> None:
    few, more, seeds = from_counts([40] * 3), from_counts([400] * 3), from_counts([40] * 3, seeds=9)
    assert few.verdict_from is not None
    assert more.verdict_from is not None
    assert seeds.verdict_from is not None
    assert few.verdict_from > seeds.verdict_from > more.verdict_from > 1 / 3 + 0.1
    assert from_counts([40], context=9).chance == 0.1


def test_few_test_images_allow_a_verdict_but_never_protected() -> None:
    found = outlook([10, 10], seeds=1)
    assert found.possible
    assert found.protected_from is None
    assert "too few" in found.words


@pytest.mark.parametrize(("tested", "seeds"), [([12, 12], 3), ([7, 7, 7], 3), ([30] * 4, 1), ([4] * 10, 2)])
@pytest.mark.parametrize("wanted", ["any", "protected"])
def test_the_accuracies_are_where_the_verdict_turns(tested: list[int], seeds: int, wanted: str) -> None:
    found = outlook(tested, seeds=seeds)
    turn = found.verdict_from if wanted == "any" else found.protected_from
    if turn is None or turn > 0.97:
        pytest.skip("no accuracy above it is left to try")
    # a network that guesses is often below chance by luck, so the second turn is less sharp
    below = 0.15 if wanted == "any" else 0.25
    assert share(tested, seeds, turn - below, wanted) < 0.35
    assert share(tested, seeds, min(1.0, turn + 0.15), wanted) > 0.65


def share(tested: list[int], seeds: int, accuracy: float, wanted: str) -> float:
    """Return how often networks of an accuracy get a verdict, if protected networks only guess."""
    rng = np.random.default_rng(0)
    labels, judged, chance = np.repeat(np.arange(len(tested)), tested), range(len(tested)), 1 / len(tested)
    verdicts = []
    for _ in range(40):
        rates = np.array([[accuracy], [chance]])
        runs = [Answers(labels, rng.random((2, len(labels))) < rates) for _ in range(seeds)]
        draws = bootstrap(runs, judged, draws=300)
        means = np.mean([balanced(run.correct, labels, judged) for run in runs], axis=0)
        clean, protected = (interval(means[arm], draws[arm]) for arm in (0, 1))
        retained = interval(
            retained_share(means[1], means[0], chance), retained_share(draws[1], draws[0], chance)
        )
        verdicts.append(judge(clean, protected, retained, chance, len(labels)))
    return float(
        np.mean(
            [(verdict != "cannot tell") if wanted == "any" else verdict == wanted for verdict in verdicts]
        )
    )
