"""Whether a verdict will be possible and how many photos it takes, from the counts, before any work."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from unlearnable.data.splitting import held_out_of
from unlearnable.evaluation.intervals import PSEUDO, half_width
from unlearnable.evaluation.schedule import HELD_OUT
from unlearnable.evaluation.verdict import MAX_RETAINED, MIN_GAIN, MIN_PER_CLASS, MIN_TEST_IMAGES
from unlearnable.words import counted

# a tenth of a percent is finer than any accuracy that is printed
ACCURACIES = np.linspace(0, 1, 1001)


@dataclass(frozen=True)
class Outlook:
    """The verdicts that the number of photos allows.

    The accuracies follow from the rules of ``verdict.judge`` and the sampling error of the test images alone.
    Seeds that disagree by more widen the intervals, so the real limits are a little higher.

    Args:
        tested: Test images of the judged classes, per seed.
        tested_context: Test images of the context, per seed.
        fewest: Test images of the class that has the fewest, per seed, with all context classes as one.
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
    tested_context: int
    fewest: int
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
            needed = f"{MIN_TEST_IMAGES} clean test images, {MIN_PER_CLASS} or more of each class, with"
            return (
                f"Too few photos for a verdict: {self.tested} {source} for testing, {self.fewest} of the "
                f"smallest class, but {MIN_TEST_IMAGES} are needed, and {MIN_PER_CLASS} of each class. Give "
                f"{photos}{needed} `verify --test FOLDER`."
            )
        need = (
            f"the verdict `protected` takes {self.protected_from:.0%}"
            if self.protected_from is not None
            else "there are too few for the verdict `protected`"
        )
        return (
            f"{counted(self.tested, 'photo', 'is')} for testing. A verdict is possible if networks "
            f"trained on the clean photos classify {self.verdict_from:.0%} of them correctly "
            f"(guessing: {self.chance:.0%}); {need}."
        )

    def to_json(self) -> dict[str, Any]:
        """Return the outlook for programs: shares in [0, 1], null where nothing suffices."""
        return {
            "possible": self.possible,
            "tested": self.tested,
            "tested_needed": MIN_TEST_IMAGES,
            "tested_of_smallest_class": self.fewest,
            "tested_needed_of_each_class": MIN_PER_CLASS,
            "photos_per_class_needed": self.per_class,
            "clean_accuracy_needed": self.verdict_from,
            "clean_accuracy_needed_for_protected": self.protected_from,
        }


def outlook(tested: Collection[int], context: int = 0, seeds: int = 3, held_out: bool = True) -> Outlook:
    """Return the verdicts that a number of test images allows.

    Args:
        tested: Test images of each judged class, per seed.
        context: Test images of all other classes, per seed; 0 if there is no other class.
        seeds: Number of seeds.
        held_out: Whether the test images are held out of the photos, different ones for each seed.
    """
    counts = [*tested, context] if context else [*tested]
    chance, fewest = 1 / max(1, len(counts)), min(counts, default=0)
    verdict_from: float | None = None
    protected_from: float | None = None
    if sum(tested) >= MIN_TEST_IMAGES and fewest >= MIN_PER_CLASS:
        wide = _half_width(ACCURACIES, counts, seeds, held_out)
        possible = ACCURACIES - wide >= chance + MIN_GAIN
        verdict_from = _first(possible)
        # the upper end of the retained share of a network that guesses, as ``intervals`` computes it
        guess = _half_width(np.array([chance]), counts, seeds, held_out)
        gain = np.maximum((ACCURACIES - chance) ** 2 - wide**2, 0)
        protected_from = _first(possible & (guess <= MAX_RETAINED * np.sqrt(gain)))
    return Outlook(
        sum(tested),
        context,
        fewest,
        len(tested),
        chance,
        _per_class(len(tested)),
        held_out,
        verdict_from,
        protected_from,
    )


def from_counts(photos: Collection[int], context: int = 0, seeds: int = 3) -> Outlook:
    """Return the verdicts that a number of photos allows, if a share of them is held out for testing.

    Args:
        photos: Photos of each judged class.
        context: Photos of all other classes.
        seeds: Number of seeds.
    """
    others = max(1, round(HELD_OUT * context)) if context else 0
    return outlook([held_out_of(count, HELD_OUT) for count in photos], others, seeds)


def _half_width(accuracy: Any, tested: Collection[int], seeds: int, held_out: bool) -> Any:
    """Return half the width that ``intervals`` gives if all classes are equally hard.

    Seeds are taken to differ by their test images alone. If they share those, they are taken to give the same
    answers, so that more seeds do not help.
    """
    effective = len(tested) ** 2 / sum(1 / count for count in tested)
    own = accuracy * (1 - accuracy) / effective
    if held_out:
        effective, own = effective * seeds, own / seeds
    pseudo = PSEUDO * (accuracy**2 + (1 - accuracy) ** 2) / effective**2
    return half_width(own + pseudo, own if held_out and seeds > 1 else 0.0, seeds, effective)


def _first(suffices: Any) -> float | None:
    """Return the accuracy from which on every accuracy suffices; None if the largest does not."""
    failing = np.flatnonzero(~suffices)
    first = int(failing[-1]) + 1 if len(failing) else 0
    return round(float(ACCURACIES[first]), 3) if first < len(ACCURACIES) else None


def _per_class(classes: int) -> int:
    wanted = max(MIN_PER_CLASS, math.ceil(MIN_TEST_IMAGES / max(1, classes)))
    count = wanted + 1
    while held_out_of(count, HELD_OUT) < wanted:
        count += 1
    return count
