"""The lead of a simple network: how much better it tells the class by fine parts than by coarse parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import rankdata

Array = np.ndarray[Any, np.dtype[Any]]
# share of resampled data sets on either side of an interval
TAIL = 0.025
DRAWS = 1000


@dataclass(frozen=True)
class Contrast:
    """The accuracies of a simple network on fine and on coarse parts, and its lead on fine ones.

    Args:
        network: ``linear`` or ``convolutional``.
        fine: Balanced accuracy on held-out fine parts for each seed, in [0, 1].
        coarse: The same on coarse parts.
        lead: Log-odds of the mean of ``fine`` less those of ``coarse``.
        low: Lower end of its 95% bootstrap interval over images.
        high: Upper end.
    """

    network: str
    fine: tuple[float, ...]
    coarse: tuple[float, ...]
    lead: float
    low: float
    high: float


def contrast(network: str, fine: Array, coarse: Array, labels: Array) -> Contrast:
    """Return the contrast of a network.

    Args:
        network: Its name.
        fine: Scores of the held-out fine parts, float (seeds, N, K).
        coarse: The same of the coarse parts.
        labels: int (N,).
    """
    hits = [(scores.argmax(2) == labels).astype(float) for scores in (fine, coarse)]
    counts = np.bincount(labels)
    weight = 1 / (len(counts) * counts[labels])
    means = np.stack([one.mean(0) for one in hits])
    rng, members = np.random.default_rng(0), [np.flatnonzero(labels == label) for label in range(len(counts))]
    drawn = np.concatenate([rng.choice(member, (DRAWS, len(member))) for member in members], axis=1)
    accuracy = np.stack([(one * weight)[drawn].sum(1) for one in means])
    spread = np.subtract(*_log_odds(accuracy, len(labels)))
    lead = float(np.subtract(*_log_odds(means @ weight, len(labels))))
    low, high = np.quantile(spread, (TAIL, 1 - TAIL))
    first, second = (tuple(float(value) for value in one @ weight) for one in hits)
    return Contrast(network, first, second, lead, float(low), float(high))


def class_leads(fine: Array, coarse: Array, labels: Array) -> Array:
    """Return by how much the fine part tells each class better than the coarse part does, float (K,).

    The areas under the ROC curves of each class against the rest are compared, in log-odds. Arguments are
    those of ``contrast``.
    """
    found = []
    for label, count in enumerate(np.bincount(labels)):
        mine = labels == label
        areas = np.array([_area(scores.mean(0)[:, label], mine) for scores in (fine, coarse)])
        found.append(np.subtract(*_log_odds(areas, int(count))))
    return np.array(found)


def _area(scores: Array, mine: Array) -> float:
    """Return the share of pairs of one image of the class and one other in which the class scores higher."""
    count = int(mine.sum())
    ranks = rankdata(scores)[mine].sum()
    return float((ranks - count * (count + 1) / 2) / (count * (len(mine) - count)))


def _log_odds(share: Array, count: int) -> Array:
    """Return log(p / (1 - p)) of shares of ``count``, with half an image added to either side."""
    # a sum of weights may exceed 1 by a rounding error
    share = np.clip(share, 0, 1)
    result: Array = np.log((share * count + 0.5) / ((1 - share) * count + 0.5))
    return result
