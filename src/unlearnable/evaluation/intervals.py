"""95% intervals of balanced accuracy and of the retained share, from the test images and from the seeds.

The variance of a mean over seeds is the sum of two estimates:

- **by test images**: every image has one residual, averaged over the seeds that were tested on it. Seeds that
  share their test images therefore do not make them count more than once. A residual is the distance from the
  recall of the class, shrunk towards the mean of all classes by one image, so that a class with one test
  image does not look certain. Four pseudo-images, two right and two wrong, keep an accuracy near 0 or 1 from
  looking certain (Agresti and Coull, The American Statistician, 1998). They are right in both of two arms, in
  one of them, or in neither, once each, so that the share of two arms that agree on every image does not look
  certain either;
- **by seeds**: the variance of the seeds' accuracies, over their number. If seeds have test images of their
  own, it contains sampling error a second time. It is not subtracted: the difference of two noisy numbers is
  too often zero with three seeds.

The width comes from Student's t. Its degrees of freedom are the harmonic mean of those of the two parts,
weighted by their shares of the variance. With one seed there is no second part, and the interval says nothing
about other seeds. The simulation in the tests of this module has the coverage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from unlearnable.evaluation.statistics import (
    LEVEL,
    SMALLEST_GAIN,
    Answers,
    Floats,
    IntArray,
    Interval,
    retained_share,
)

# pseudo-images that are right, and as many that are wrong
PSEUDO = 2


@dataclass(frozen=True, eq=False)
class Spread:
    """Mean balanced accuracies of arms, and the covariance of their sampling errors.

    Args:
        means: float (arms,): balanced accuracy, mean over seeds.
        images: float (arms, arms): covariance by test images.
        seeds: float (arms, arms): covariance by seeds; zero for one seed.
        count: Number of seeds.
        effective: Number of test images whose plain mean has the same error as the balanced accuracy.
    """

    means: Floats
    images: Floats
    seeds: Floats
    count: int
    effective: float

    @classmethod
    def of(cls, runs: Sequence[Answers], judged: Sequence[int]) -> Spread:
        """Return the spread of the answers of all seeds.

        Args:
            runs: One set of answers per seed.
            judged: The classes that count.
        """
        rows, count = _rows(runs)
        values = np.zeros((len(runs), len(runs[0].correct)))
        residuals, weights = np.zeros((count, values.shape[1])), np.zeros(count)
        for seed, (run, own) in enumerate(zip(runs, rows, strict=True)):
            values[seed], residual, weight = _residuals(run, judged)
            np.add.at(residuals, own, residual.T / len(runs))
            np.add.at(weights, own, weight / len(runs))
        means, effective = values.mean(axis=0), float(1 / np.square(weights).sum())
        # one pseudo-image for each way in which two arms may agree or not (Agresti and Min, Biometrics, 2005)
        pseudo = np.outer(1 - 2 * means, 1 - 2 * means)
        np.fill_diagonal(pseudo, PSEUDO * ((1 - means) ** 2 + means**2))
        images = residuals.T @ residuals + pseudo / effective**2
        seeds = np.zeros_like(images)
        if len(runs) > 1:
            seeds = np.atleast_2d(np.cov(values.T)) / len(runs)
        return cls(means, images, seeds, len(runs), effective)

    def accuracy(self, arm: int) -> Interval:
        """Return the interval of an arm's balanced accuracy, within [0, 1]."""
        value, half = float(self.means[arm]), float(self._half(np.eye(len(self.means))[arm]))
        return Interval(value, max(0.0, value - half), min(1.0, value + half))

    def retained(self, arm: int, chance: float) -> Interval:
        """Return the interval of an arm's retained share, with the first arm as the clean one.

        It is Fieller's: all shares for which (arm - chance) - share * (clean - chance) may be zero. If the
        clean arm itself may be at chance, that set has no end. Then the interval is the one that treats the
        clean arm's gain as known, and the verdict is ``cannot tell``.

        Args:
            arm: Position of the arm.
            chance: Accuracy of guessing, in [0, 1].
        """
        share = float(retained_share(self.means[arm], self.means[0], chance))
        contrast = np.zeros(len(self.means))
        contrast[arm] += 1
        contrast[0] -= share
        error = self._half(contrast)
        own, gain = self.means[arm] - chance, self.means[0] - chance
        variance = contrast @ (self.images + self.seeds) @ contrast
        if variance <= 0:
            return Interval(share, share, share)
        pair = [arm, 0]
        (yy, yx), (_, xx) = (self.images + self.seeds)[np.ix_(pair, pair)] * error**2 / variance
        square, both, rest = gain**2 - xx, own * gain - yx, own**2 - yy
        if gain < SMALLEST_GAIN or square <= 0:
            half = float(error) / max(gain, SMALLEST_GAIN)
            return Interval(share, share - half, share + half)
        root = np.sqrt(max(both**2 - square * rest, 0.0))
        return Interval(share, float((both - root) / square), float((both + root) / square))

    def _half(self, contrast: Floats) -> Any:
        """Return half the width of the interval of a weighted sum of the arms."""
        images, seeds = (contrast @ part @ contrast for part in (self.images, self.seeds))
        return half_width(images, seeds, self.count, self.effective)


def half_width(images: Any, seeds: Any, count: int, effective: float) -> Any:
    """Return half the width of a 95% interval, a number or an array.

    Args:
        images: Variance by test images.
        seeds: Variance by seeds; zero for one seed.
        count: Number of seeds.
        effective: Effective number of test images.
    """
    # loads in a tenth of the time of scipy.stats
    from scipy.special import stdtrit

    variance = np.maximum(np.asarray(images) + seeds, np.finfo(float).tiny)
    freedom = variance / (images / effective + np.asarray(seeds) / max(1, count - 1) + np.finfo(float).tiny)
    return stdtrit(freedom, (1 + LEVEL) / 2) * np.sqrt(variance)


def _rows(runs: Sequence[Answers]) -> tuple[list[IntArray], int]:
    """Return the row of every test image of every seed, and their number; a shared image has one row."""
    if any(run.images is None for run in runs):
        starts = np.cumsum([0, *(len(run.labels) for run in runs)])
        return [np.arange(first, last) for first, last in pairwise(starts)], starts[-1]
    known, rows = np.unique(np.concatenate([run.images for run in runs]), return_inverse=True)
    return np.split(rows, np.cumsum([len(run.labels) for run in runs])[:-1]), len(known)


def _residuals(run: Answers, judged: Sequence[int]) -> tuple[Floats, Floats, Floats]:
    """Return the accuracies of the arms, each image's share in their errors, and each image's weight.

    Returns:
        float (arms,), float (arms, T) and float (T,).
    """
    members = (run.labels == np.array(judged)[:, None]).astype(float)
    members = members[members.any(axis=1)]
    size = members.sum(axis=1)
    recall = run.correct @ members.T / size
    mean = recall.mean(axis=1)
    centre = (size * recall + mean[:, None]) / (size + 1)
    # makes the variance unbiased where all classes are equally hard
    scale = (size + 1) / np.sqrt(size**2 + size - 1)
    weight = 1 / (len(size) * size)
    residual = (run.correct - centre @ members) * ((scale * weight) @ members)
    return mean, residual, weight @ members
