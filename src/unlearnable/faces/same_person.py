"""Same person or not: how well the similarity of two embeddings tells, on pairs of photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unlearnable.evaluation.statistics import BoolArray, Floats, IntArray
from unlearnable.faces.recogniser import Embeddings

# pairs of each kind that are compared; more would make the figures little more exact
MOST = 20_000
# false matches that a rate of them is read off: with fewer, a single pair would decide it
FALSE_MATCHES = 10
RATES = (1e-4, 1e-3, 1e-2, 1e-1)


@dataclass(frozen=True, eq=False)
class PhotoPairs:
    """Pairs of photos, by their positions.

    Args:
        first: int64 (P,): one photo of each pair.
        second: int64 (P,): the other one.
        same: bool (P,): whether they show the same person.
        fold: int64 (P,): the fold of each pair in a file of pairs; None without folds.
    """

    first: IntArray
    second: IntArray
    same: BoolArray
    fold: IntArray | None = None

    def similarities(self, embeddings: Embeddings) -> Floats:
        """Return the cosine of each pair, float (P,), of embeddings of length 1, float (N, D)."""
        both = embeddings[self.first] * embeddings[self.second]
        return np.asarray(both.sum(axis=1), dtype=np.float64)


def all_pairs(people: Sequence[str], seed: int = 0) -> PhotoPairs:
    """Return all pairs of photos; of more than 20,000 of a kind, as many drawn at random.

    Args:
        people: The person of each photo.
        seed: Seed of the draws.
    """
    names = np.unique(np.asarray(people), return_inverse=True)[1]
    first, second = np.triu_indices(len(names), 1)
    same = names[first] == names[second]
    rng, kept = np.random.default_rng(seed), []
    for rows in (np.flatnonzero(same), np.flatnonzero(~same)):
        kept.append(rows if len(rows) <= MOST else np.sort(rng.choice(rows, MOST, replace=False)))
    rows = np.concatenate(kept)
    return PhotoPairs(first[rows], second[rows], same[rows])


def auc(scores: Floats, same: BoolArray) -> float:
    """Return the area under the ROC curve: how often a pair of one person scores above a pair of two.

    Args:
        scores: float (P,); equal scores count half.
        same: bool (P,): whether a pair shows one person; both kinds occur.
    """
    return float(areas(scores, same, np.ones((1, len(scores))))[0])


def areas(scores: Floats, same: BoolArray, weights: Floats) -> Floats:
    """Return the area under the ROC curve for each of several weightings of the pairs, float (B,).

    Args:
        scores: float (P,).
        same: bool (P,).
        weights: float (B, P): weight of each pair.
    """
    level = np.unique(scores, return_inverse=True)[1]
    size, found = int(level.max()) + 1, []
    for row in weights:
        own = np.bincount(level[same], row[same], size)
        others = np.bincount(level[~same], row[~same], size)
        below = np.cumsum(others) - others / 2
        found.append((own * below).sum() / (own.sum() * others.sum()))
    return np.array(found)


def supported_rate(different: int) -> float:
    """Return the smallest rate of false matches that pairs support: ten false matches are to be expected.

    Args:
        different: Number of pairs of two people; with fewer than 100, the answer is 0.1 nevertheless.
    """
    return next((rate for rate in RATES if different * rate >= FALSE_MATCHES), RATES[-1])


def matched(scores: Floats, same: BoolArray, rate: float) -> float:
    """Return the share of pairs of one person that are accepted (TAR) at a rate of false matches (FAR).

    The threshold is the lowest one at which at most this share of the pairs of two people is accepted.

    Args:
        scores: float (P,).
        same: bool (P,): whether a pair shows one person.
        rate: The rate, in (0, 1).
    """
    others = np.sort(scores[~same])[::-1]
    allowed = int(np.floor(rate * len(others) + 1e-9))
    # scores above this one are accepted: the first pair of two people that must not be
    limit = others[allowed] if allowed < len(others) else -np.inf
    return float((scores[same] > limit).mean())


def by_folds(scores: Floats, same: BoolArray, fold: IntArray) -> float:
    """Return the mean accuracy over folds, each with the threshold that is best on the others.

    This is the protocol of LFW (Huang et al., 2007). Both kinds of pairs count alike in a fold, which is the
    plain accuracy where they are equally many, as there; guessing is 1/2.

    Args:
        scores: float (P,).
        same: bool (P,): whether a pair shows one person.
        fold: int64 (P,): the fold of each pair; every fold has pairs of both kinds.
    """
    found = []
    for one in np.unique(fold):
        out = fold == one
        limit = _best_threshold(scores[~out], same[~out])
        accepted = scores[out] >= limit
        found.append((accepted[same[out]].mean() + (~accepted[~same[out]]).mean()) / 2)
    return float(np.mean(found))


def _best_threshold(scores: Floats, same: BoolArray) -> float:
    """Return the threshold with the best balanced accuracy, midway between two scores."""
    levels, level = np.unique(scores, return_inverse=True)
    own = np.bincount(level[same], minlength=len(levels)) / same.sum()
    others = np.bincount(level[~same], minlength=len(levels)) / (~same).sum()
    # pairs at or above each level are accepted
    right = own[::-1].cumsum()[::-1] + np.cumsum(others) - others
    best = int(right.argmax())
    return float(levels[best] if best == 0 else (levels[best - 1] + levels[best]) / 2)
