"""Whether a verdict will be possible and how many photos it takes, from the counts, before any work."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from unlearnable.data.splitting import held_out_of
from unlearnable.evaluation.schedule import HELD_OUT
from unlearnable.evaluation.statistics import LEVEL
from unlearnable.evaluation.verdict import MAX_RETAINED, MIN_GAIN, MIN_TEST_IMAGES

# half the width of an interval, in standard errors
WIDTH = NormalDist().inv_cdf((1 + LEVEL) / 2)
# a tenth of a percent is finer than any accuracy that is printed
ACCURACIES = np.linspace(0, 1, 1001)


@dataclass(frozen=True)
class Outlook:
    """The verdicts that the number of photos allows.

    The accuracies follow from the rules of ``verdict.judge`` and the sampling error of the test images alone.
    Seeds that disagree widen the intervals, so the real limits are a little higher.

    Args:
        tested: Test images of the judged classes, per seed.
        classes: Number of judged classes.
        chance: Accuracy of guessing, in [0, 1].
        per_class: Photos that each class needs for a verdict if a share of them is held out for testing.
        held_out: Whether test images are held out of the photos, rather than given.
        verdict_from: Balanced accuracy, in [0, 1], that networks must reach with the clean photos for a
            verdict other than ``cannot tell``; None if no accuracy suffices.
        protected_from: Likewise for the verdict ``protected``, if networks trained on the protected photos
            only guess; None if no accuracy suffices.
    """

    tested: int
    classes: int
    chance: float
    per_class: int
    held_out: bool
    verdict_from: float | None
    protected_from: float | None

    @property
    def possible(self) -> bool:
        """Whether any result could lead to another verdict than ``cannot tell``."""
        return self.verdict_from is not None

    @property
    def words(self) -> str:
        """Two sentences for people: whether a verdict is possible, and what it takes."""
        if self.verdict_from is None:
            source = "would be held out" if self.held_out else "are given"
            photos = f"at least {self.per_class} photos of each class, or " if self.held_out else ""
            return (
                f"Too few photos for a verdict: {self.tested} {source} for testing, but "
                f"{MIN_TEST_IMAGES} are needed. Give {photos}{MIN_TEST_IMAGES} clean test images with "
                "`verify --test FOLDER`."
            )
        need = (
            f"the verdict `protected` takes {self.protected_from:.0%}"
            if self.protected_from is not None
            else "there are too few for the verdict `protected`"
        )
        return (
            f"{self.tested} photos are for testing. A verdict is possible if networks trained on the clean "
            f"photos classify {self.verdict_from:.0%} of them correctly (guessing: {self.chance:.0%}); "
            f"{need}."
        )

    def to_json(self) -> dict[str, Any]:
        """Return the outlook for programs: shares in [0, 1], null where nothing suffices."""
        return {
            "possible": self.possible,
            "tested": self.tested,
            "tested_needed": MIN_TEST_IMAGES,
            "photos_per_class_needed": self.per_class,
            "clean_accuracy_needed": self.verdict_from,
            "clean_accuracy_needed_for_protected": self.protected_from,
        }


def outlook(tested: Collection[int], context: int = 0, seeds: int = 3, held_out: bool = True) -> Outlook:
    """Return the verdicts that a number of test images allows.

    Args:
        tested: Test images of each judged class, per seed. Classes without one do not count.
        context: Number of classes that are not judged.
        seeds: Number of seeds.
        held_out: Whether the test images are held out of the photos.
    """
    chance, counts = 1 / max(1, len(tested) + context), [count for count in tested if count]
    verdict_from: float | None = None
    protected_from: float | None = None
    if sum(counts) >= MIN_TEST_IMAGES:
        low = ACCURACIES - WIDTH * _standard_error(ACCURACIES, counts, seeds)
        verdict_from = _first(low >= chance + MIN_GAIN)
        # the upper end of the retained share of a network that guesses
        spread = WIDTH * float(_standard_error(np.array([chance]), counts, seeds)[0])
        little = spread <= MAX_RETAINED * (ACCURACIES - chance)
        protected_from = _first((low >= chance + MIN_GAIN) & little)
    return Outlook(
        sum(counts), len(tested), chance, _per_class(len(tested)), held_out, verdict_from, protected_from
    )


def from_counts(photos: Collection[int], context: int = 0, seeds: int = 3) -> Outlook:
    """Return the verdicts that a number of photos allows, if a share of them is held out for testing.

    Args:
        photos: Photos of each judged class.
        context: Number of classes that are not judged.
        seeds: Number of seeds.
    """
    return outlook([held_out_of(count, HELD_OUT) for count in photos], context, seeds)


def _standard_error(accuracy: Any, tested: Collection[int], seeds: int) -> Any:
    """Return the standard error of ``statistics.bootstrap`` if seeds differ by nothing but their test images.

    The bootstrap resamples seeds and their test images. The seeds' accuracies differ by sampling error too,
    which it therefore counts almost twice.
    """
    variance = accuracy * (1 - accuracy) * sum(1 / count for count in tested) / len(tested) ** 2
    return np.sqrt(variance * (2 - 1 / seeds) / seeds)


def _first(suffices: Any) -> float | None:
    """Return the accuracy from which on every accuracy suffices; None if the largest does not."""
    failing = np.flatnonzero(~suffices)
    first = int(failing[-1]) + 1 if len(failing) else 0
    return round(float(ACCURACIES[first]), 3) if first < len(ACCURACIES) else None


def _per_class(classes: int) -> int:
    wanted = math.ceil(MIN_TEST_IMAGES / max(1, classes))
    count = wanted + 1
    while held_out_of(count, HELD_OUT) < wanted:
        count += 1
    return count
