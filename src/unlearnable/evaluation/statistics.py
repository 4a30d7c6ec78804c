"""The definitions of accuracy: balanced accuracy at the last and at the best epoch, and its interval.

``verify``, the report and the tables of experiments all use these. NumPy only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
IntArray = np.ndarray[Any, np.dtype[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]

DRAWS = 2000
LEVEL = 0.95
# The smallest difference between the clean arm and chance that is divided by. Below one point of accuracy,
# a share of it means nothing.
SMALLEST_GAIN = 0.01


@dataclass(frozen=True)
class Interval:
    """A measured value and its 95% bootstrap interval, as shares (1.0 is 100%)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Curve:
    """Balanced accuracy on the test images after every tested epoch.

    Args:
        epochs: One value per epoch, in [0, 1].
    """

    epochs: tuple[float, ...]

    @property
    def last(self) -> float:
        """Balanced accuracy after the last epoch."""
        return self.epochs[-1]

    @property
    def best(self) -> int:
        """Position of the best epoch, chosen on the test images; the first one if several are equal."""
        return int(np.argmax(self.epochs))

    @property
    def peak(self) -> float:
        """Balanced accuracy after the best epoch: the upper limit of early stopping."""
        return self.epochs[self.best]


def curve(correct: Sequence[BoolArray], labels: IntArray, judged: Sequence[int] | None = None) -> Curve:
    """Return the balanced accuracy after each epoch.

    Args:
        correct: bool (T,) for each epoch: whether each test image was classified correctly.
        labels: int64 (T,): true classes of the test images.
        judged: Classes that count; all classes with test images if None.
    """
    classes = np.unique(labels) if judged is None else judged
    return Curve(tuple(float(value) for value in balanced(np.stack(correct), labels, classes)))


@dataclass(frozen=True)
class Answers:
    """Answers of the networks of one seed, all on the same test images.

    Args:
        labels: int64 (T,): true classes of the test images.
        correct: bool (arms, T): whether each arm's network classified each test image correctly.
    """

    labels: IntArray
    correct: BoolArray


def recalls(correct: BoolArray, labels: IntArray, judged: Sequence[int] | IntArray) -> Floats:
    """Return the recall of every judged class, float (..., classes); NaN for a class without test images.

    Args:
        correct: bool (..., T): whether each test image was classified correctly.
        labels: int64 (T,): true classes of the test images.
        judged: The classes.
    """
    columns = [correct[..., labels == label] for label in judged]
    return np.stack(
        [c.mean(axis=-1) if c.shape[-1] else np.full(c.shape[:-1], np.nan) for c in columns], axis=-1
    )


def balanced(correct: BoolArray, labels: IntArray, judged: Sequence[int] | IntArray) -> Floats:
    """Return the balanced accuracy, float (...): the mean of ``recalls`` over classes with test images."""
    return np.asarray(np.nanmean(recalls(correct, labels, judged), axis=-1))


def bootstrap(runs: Sequence[Answers], judged: Sequence[int], draws: int = DRAWS, seed: int = 0) -> Floats:
    """Return bootstrap draws of the balanced accuracy, float (arms, draws).

    Seeds are resampled, and for each of them its test images, class by class. All arms use the same draws, so
    differences and ratios of arms are paired.

    Args:
        runs: One set of answers per seed.
        judged: The classes that count.
        draws: Number of draws.
        seed: Seed of the generator.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.integers(len(runs), size=(len(runs), draws))
    total = np.zeros((len(runs[0].correct), draws))
    for slot in chosen:
        for index, run in enumerate(runs):
            columns = np.flatnonzero(slot == index)
            total[:, columns] += _resampled(run, judged, len(columns), rng)
    return total / len(runs)


def _resampled(run: Answers, judged: Sequence[int], draws: int, rng: np.random.Generator) -> Floats:
    """Return the balanced accuracy, float (arms, draws), on test images drawn with replacement per class."""
    rates = []
    for label in judged:
        images = np.flatnonzero(run.labels == label)
        if len(images):
            rates.append(
                run.correct[:, images[rng.integers(len(images), size=(draws, len(images)))]].mean(axis=2)
            )
    return np.asarray(np.mean(rates, axis=0))


def interval(value: float, drawn: Floats) -> Interval:
    """Return a value with the percentile interval of its bootstrap draws."""
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(float(value), float(low), float(high))


def retained_share(protected: Any, clean: Any, chance: float) -> Any:
    """Return (protected - chance) / (clean - chance): how much of what clean images teach is still learned.

    1 means that protection changes nothing, 0 that the network guesses, and below 0 that it is worse than
    guessing. If the clean arm is at chance, the share means nothing: the result stays finite, and the verdict
    is ``cannot tell``.

    Args:
        protected: Balanced accuracy of the protected arm, in [0, 1]; a number or an array.
        clean: Balanced accuracy of the clean arm, likewise.
        chance: Accuracy of guessing, in [0, 1].
    """
    return (protected - chance) / np.maximum(np.asarray(clean) - chance, SMALLEST_GAIN)
