"""How accuracy is measured, everywhere: balanced accuracy at the last and at the best epoch, and intervals.

``verify``, the report and the tables of experiments all take their numbers from here. NumPy only.
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
# what was kept is a share of what clean images teach; below one point of accuracy there is nothing to share
SMALLEST_GAIN = 0.01


@dataclass(frozen=True)
class Interval:
    """A measured value and its 95% bootstrap interval, all shares (1.0 is 100%)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Curve:
    """Balanced accuracy on the test images after every tested epoch, shares in [0, 1].

    Args:
        epochs: One value for each epoch.
    """

    epochs: tuple[float, ...]

    @property
    def last(self) -> float:
        """Balanced accuracy after the last epoch."""
        return self.epochs[-1]

    @property
    def best(self) -> int:
        """Position of the best epoch, the first of several; chosen on the test images."""
        return int(np.argmax(self.epochs))

    @property
    def peak(self) -> float:
        """Balanced accuracy after the best epoch: the most that early stopping could reach."""
        return self.epochs[self.best]


def curve(correct: Sequence[BoolArray], labels: IntArray, judged: Sequence[int] | None = None) -> Curve:
    """Return the balanced accuracy after each epoch.

    Args:
        correct: bool (T,) for each epoch: which test images were named correctly.
        labels: int64 (T,): their classes.
        judged: Classes that count; all that have test images if None.
    """
    classes = np.unique(labels) if judged is None else judged
    return Curve(tuple(float(value) for value in balanced(np.stack(correct), labels, classes)))


@dataclass(frozen=True)
class Answers:
    """What the networks of one seed answered, all on the same test images.

    Args:
        labels: int64 (T,): true class of every test image.
        correct: bool (arms, T): whether each arm's network was right.
    """

    labels: IntArray
    correct: BoolArray


def recalls(correct: BoolArray, labels: IntArray, judged: Sequence[int] | IntArray) -> Floats:
    """Return the recall of every judged class, float (..., classes), of answers bool (..., T). NaN where no image tests a class."""
    columns = [correct[..., labels == label] for label in judged]
    return np.stack(
        [c.mean(axis=-1) if c.shape[-1] else np.full(c.shape[:-1], np.nan) for c in columns], axis=-1
    )


def balanced(correct: BoolArray, labels: IntArray, judged: Sequence[int] | IntArray) -> Floats:
    """Return the balanced accuracy, float (...): the mean recall over the judged classes that have test images."""
    return np.asarray(np.nanmean(recalls(correct, labels, judged), axis=-1))


def bootstrap(runs: Sequence[Answers], judged: Sequence[int], draws: int = DRAWS, seed: int = 0) -> Floats:
    """Draw the balanced accuracy again and again, as if seeds and test images had been others.

    Seeds are resampled, and within each its test images, class by class. Every arm sees the same draws, so
    differences and ratios of arms are drawn as pairs.

    Args:
        runs: One per seed.
        judged: The classes that count.
        draws: How many draws.
        seed: Of the generator.

    Returns:
        float (arms, draws).
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
    """Balanced accuracy, float (arms, draws), over test images drawn with replacement within every class."""
    rates = []
    for label in judged:
        images = np.flatnonzero(run.labels == label)
        if len(images):
            rates.append(
                run.correct[:, images[rng.integers(len(images), size=(draws, len(images)))]].mean(axis=2)
            )
    return np.asarray(np.mean(rates, axis=0))


def interval(value: float, drawn: Floats) -> Interval:
    """Return a value with the percentile interval of its draws."""
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(float(value), float(low), float(high))


def kept(protected: Any, clean: Any, chance: float) -> Any:
    """Return which share of what clean images teach the protected ones still teach: (protected - chance) / (clean - chance).

    1 means that protection did nothing, 0 that the network guesses, below 0 that it does worse. Where the
    clean arm itself is at chance the share means nothing; the division is kept finite, and the verdict is
    then ``cannot tell``.
    """
    return (protected - chance) / np.maximum(np.asarray(clean) - chance, SMALLEST_GAIN)
