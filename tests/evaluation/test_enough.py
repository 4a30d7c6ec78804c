"""What the counts of photos promise is what the verdict's own rule gives."""

from __future__ import annotations

import numpy as np
import pytest

from unlearnable.evaluation.enough import from_counts, outlook
from unlearnable.evaluation.intervals import Spread
from unlearnable.evaluation.statistics import CONTEXT, Answers
from unlearnable.evaluation.verdict import MIN_PER_CLASS, MIN_TEST_IMAGES, judge


@pytest.mark.parametrize(
    ("photos", "possible", "tested"),
    [
        ([13, 13, 14], False, 10),
        ([1, 1], False, 0),
        ([2, 2], False, 2),
        ([60] * 10, True, 150),
        # one class has a single test image, however many the other one has
        ([76, 4], False, 20),
        ([200, 18], False, 54),
        ([200, 20], True, 55),
        ([4] * 20, False, 20),
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
    assert from_counts([needed] * classes).fewest >= MIN_PER_CLASS


def test_more_photos_and_seeds_ask_for_less() -> None:
    few, more, seeds = from_counts([40] * 3), from_counts([400] * 3), from_counts([40] * 3, seeds=9)
    assert few.verdict_from is not None
    assert more.verdict_from is not None
    assert seeds.verdict_from is not None
    assert few.verdict_from > seeds.verdict_from > more.verdict_from > 1 / 3 + 0.1


def test_context_counts_as_one_class() -> None:
    found = from_counts([100], context=300)
    assert (found.chance, found.tested, found.tested_context) == (0.5, 25, 75)
    assert found.possible
    assert not from_counts([100], context=8).possible
    assert from_counts([100, 100], context=300).chance == pytest.approx(1 / 3)


def test_few_test_images_allow_a_verdict_but_never_protected() -> None:
    found = outlook([10, 10], seeds=1)
    assert found.possible
    assert found.protected_from is None
    assert "too few" in found.words


@pytest.mark.parametrize("held_out", [True, False])
@pytest.mark.parametrize(
    ("tested", "context", "seeds"),
    [([12, 12], 0, 3), ([7, 7, 7], 0, 3), ([30] * 4, 0, 1), ([5] * 10, 0, 3), ([30], 90, 3)],
)
@pytest.mark.parametrize("wanted", ["any", "protected"])
def test_the_accuracies_are_where_the_verdict_turns(
    tested: list[int], context: int, seeds: int, held_out: bool, wanted: str
) -> None:
    found = outlook(tested, context, seeds, held_out)
    turn = found.verdict_from if wanted == "any" else found.protected_from
    counts = [*tested, context] if context else tested
    if turn is None:
        assert share(counts, seeds, 1.0, wanted, held_out, len(tested)) < 0.35
        return
    # a network that guesses is often below chance by luck, so the second turn is less sharp
    below = 0.15 if wanted == "any" else 0.25
    assert share(counts, seeds, turn - below, wanted, held_out, len(tested)) < 0.35
    assert share(counts, seeds, min(1.0, turn + 0.15), wanted, held_out, len(tested)) > 0.6


def share(tested: list[int], seeds: int, accuracy: float, wanted: str, held_out: bool, judged: int) -> float:
    """Return how often networks of an accuracy get a verdict, if protected networks only guess."""
    rng = np.random.default_rng(0)
    names = [*range(judged), CONTEXT][: len(tested)]
    labels, chance = np.repeat(names, tested), 1 / len(tested)
    verdicts = []
    for _ in range(60):
        rates = np.array([[accuracy], [chance]])
        answers = [rng.random((2, len(labels))) < rates for _ in range(seeds)]
        if not held_out:
            # all seeds answer the same
            answers = [answers[0]] * seeds
        runs = [Answers(labels, one, None if held_out else np.arange(len(labels))) for one in answers]
        spread = Spread.of(runs, names)
        clean, protected = spread.accuracy(0), spread.accuracy(1)
        verdicts.append(
            judge(
                clean,
                protected,
                spread.retained(1, chance),
                chance,
                sum(tested[:judged]),
                min(tested),
            )
        )
    return float(
        np.mean([verdict != "cannot tell" if wanted == "any" else verdict == wanted for verdict in verdicts])
    )
