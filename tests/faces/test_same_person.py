"""Same person or not: the figures are those of scikit-learn, and of slow counts."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from unlearnable.faces import same_person
from unlearnable.faces.same_person import PhotoPairs, all_pairs, areas, auc, by_folds, matched, supported_rate


def scored(count: int = 400, seed: int = 0, digits: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Scores with ties, of pairs of which a third show one person."""
    rng = np.random.default_rng(seed)
    same = rng.random(count) < 1 / 3
    return np.round(rng.normal(size=count) + same, digits), same


@pytest.mark.parametrize("digits", [0, 1, 9])
def test_the_area_is_that_of_scikit_learn(digits: int) -> None:
    scores, same = scored(digits=digits)
    assert 0.6 < auc(scores, same) < 0.9
    assert auc(scores, same) == pytest.approx(roc_auc_score(same, scores), abs=1e-12)
    weights = np.random.default_rng(1).integers(0, 4, len(scores)).astype(float)
    expected = roc_auc_score(same, scores, sample_weight=weights)
    assert areas(scores, same, np.stack([weights, np.ones(len(scores))])) == pytest.approx(
        [expected, auc(scores, same)], abs=1e-12
    )


def test_the_area_of_known_cases() -> None:
    same = np.array([True, True, False, False])
    assert auc(np.array([0.9, 0.8, 0.7, 0.1]), same) == 1
    assert auc(np.array([0.1, 0.2, 0.7, 0.8]), same) == 0
    assert auc(np.zeros(4), same) == 0.5
    assert auc(np.array([0.9, 0.5, 0.7, 0.1]), same) == 0.75


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.3])
@pytest.mark.parametrize("digits", [1, 9])
def test_the_share_of_matches_is_that_of_the_curve(rate: float, digits: int) -> None:
    scores, same = scored(digits=digits)
    false, true, _ = roc_curve(same, scores, drop_intermediate=False)
    assert matched(scores, same, rate) == pytest.approx(true[false <= rate + 1e-9].max())


def test_the_share_of_matches_by_hand() -> None:
    """Ten pairs of two people: at one tenth, one of them may pass, and the second best limits the rest."""
    others = np.arange(10) / 10
    scores = np.concatenate([others, [0.85, 0.8, 0.75, 0.95]])
    same = np.arange(14) >= 10
    assert matched(scores, same, 0.1) == 0.5
    assert matched(scores, same, 0.09) == 0.25
    assert matched(scores, same, 0.2) == 1


@pytest.mark.parametrize(
    ("different", "rate"), [(30, 0.1), (100, 0.1), (999, 0.1), (1000, 0.01), (3000, 0.01), (20_000, 0.001)]
)
def test_the_rate_is_one_that_ten_false_matches_support(different: int, rate: float) -> None:
    assert supported_rate(different) == rate


def slow_folds(scores: np.ndarray, same: np.ndarray, fold: np.ndarray) -> float:
    found = []
    for one in np.unique(fold):
        inside, outside = np.flatnonzero(fold == one), np.flatnonzero(fold != one)
        best, limit = -1.0, 0.0
        levels = sorted({float(scores[index]) for index in outside})
        for position, level in enumerate(levels):
            tried = level if position == 0 else (level + levels[position - 1]) / 2
            rates = [
                np.mean([(scores[index] >= tried) == kind for index in outside if same[index] == kind])
                for kind in (True, False)
            ]
            if np.mean(rates) > best + 1e-12:
                best, limit = float(np.mean(rates)), tried
        rates = [
            np.mean([(scores[index] >= limit) == kind for index in inside if same[index] == kind])
            for kind in (True, False)
        ]
        found.append(np.mean(rates))
    return float(np.mean(found))


def test_the_accuracy_over_folds_is_that_of_a_slow_count() -> None:
    scores, same = scored(120, seed=3, digits=1)
    fold = np.arange(120) % 4
    assert 0.55 < by_folds(scores, same, fold) < 0.95
    assert by_folds(scores, same, fold) == pytest.approx(slow_folds(scores, same, fold))


def test_a_threshold_is_not_chosen_on_its_own_fold() -> None:
    """In each fold, pairs of one person score higher, but the other fold has another scale."""
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.4, 0.3, 0.2, 0.1])
    same = np.array([True, True, False, False] * 2)
    fold = np.array([0] * 4 + [1] * 4)
    assert by_folds(scores, same, np.zeros(8, dtype=int) + np.arange(8) % 2) > 0.4
    assert by_folds(scores, same, fold) == 0.5


def test_all_pairs_of_photos() -> None:
    pairs = all_pairs(["b", "a", "b", "c"])
    rows = zip(pairs.first, pairs.second, pairs.same, strict=True)
    found = {(int(a), int(b)): bool(same) for a, b, same in rows}
    assert found == {
        (0, 1): False, (0, 2): True, (0, 3): False, (1, 2): False, (1, 3): False, (2, 3): False
    }  # fmt: skip


def test_many_pairs_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(same_person, "MOST", 30)
    people = [f"{number % 9}" for number in range(60)]
    pairs = all_pairs(people)
    assert (pairs.same.sum(), (~pairs.same).sum()) == (30, 30)
    for one, other, same in zip(pairs.first, pairs.second, pairs.same, strict=True):
        assert (people[one] == people[other]) == same
    again = all_pairs(people)
    assert (again.first == pairs.first).all()
    assert (all_pairs(people, seed=1).first != pairs.first).any()


def test_similarities_are_cosines() -> None:
    rng = np.random.default_rng(0)
    found = rng.normal(size=(5, 3)).astype(np.float32)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    pairs = PhotoPairs(np.array([0, 3]), np.array([4, 1]), np.array([True, False]))
    assert pairs.similarities(found) == pytest.approx([found[0] @ found[4], found[3] @ found[1]], abs=1e-6)
