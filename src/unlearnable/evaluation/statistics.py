"""The definitions of accuracy: balanced accuracy at the last and at the best epoch, and what it is made of.

``verify``, the report and the tables of experiments all use these. NumPy only.

**Context.** With context classes, those that are not judged count as one class, "none of these", and the
score is the balanced accuracy over the judged classes and this one. Two other scores mislead. The recall of
the judged classes alone gives 100% to a network that answers them to every image. Balanced accuracy over all
classes hardly moves if one class of ten is no longer recognised. With the context as one class, a network
whose answers do not depend on the image scores 1 / (judged classes + 1), whatever it answers: it gains in
recall exactly what it loses in false positives. So guessing has one value. For one judged class the score is
the mean of recall and specificity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
IntArray = np.ndarray[Any, np.dtype[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]

LEVEL = 0.95
# label of every class that is not judged
CONTEXT = -1
# The smallest difference between the clean arm and chance that is divided by. Below one point of accuracy,
# a share of it means nothing.
SMALLEST_GAIN = 0.01


@dataclass(frozen=True)
class Interval:
    """A measured value and its 95% interval (see ``intervals``), as shares (1.0 is 100%)."""

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
        images: int64 (T,): a number for each test image, by which other seeds know it again; None if no other
            seed was tested on any of these images.
    """

    labels: IntArray
    correct: BoolArray
    images: IntArray | None = None


def merged(labels: IntArray, judged: Sequence[int]) -> IntArray:
    """Return labels, or answers, with ``CONTEXT`` for every class that is not judged: int64, same shape."""
    return np.where(np.isin(labels, judged), labels, CONTEXT)


def scored(judged: Sequence[int], classes: int) -> tuple[int, ...]:
    """Return the classes of the score: the judged ones, and the context as one class if there is any.

    Args:
        judged: Labels of the judged classes.
        classes: Number of classes, context included.
    """
    return tuple(judged) if len(judged) == classes else (*judged, CONTEXT)


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
