"""Whether the protection holds against one way of recognising faces: one rule for all of them.

The rule is that of ``verify``: see `evaluation.verdict`. Too few test photos keep from saying that it holds,
not from saying that it does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unlearnable.evaluation.intervals import Spread
from unlearnable.evaluation.statistics import Answers, BoolArray, IntArray, Interval
from unlearnable.evaluation.verdict import MIN_PER_CLASS, MIN_TEST_IMAGES, Verdict, judge

WORDS: dict[Verdict, str] = {
    "protected": "holds against",
    "weakened": "holds in part against",
    "not protected": "does not hold against",
    "cannot tell": "cannot tell for",
}


@dataclass(frozen=True)
class Outcome:
    """The share of new, clean photos that are named correctly, mean over the seeds.

    Args:
        clean: Balanced accuracy with clean photos, in [0, 1], with its 95% interval.
        protected: The same with their published copies.
        retained: Share of the gain over guessing that is retained.
        verdict: The verdict.
    """

    clean: Interval
    protected: Interval
    retained: Interval
    verdict: Verdict


def outcome(seeds: Sequence[tuple[IntArray, BoolArray, IntArray]], chance: float) -> Outcome:
    """Return the outcome of answers.

    Args:
        seeds: For each seed the people of the photos, int64 (T,); whether each answer is right, bool (2, T),
            with clean and with protected photos; and a number for each photo, int64 (T,).
        chance: Accuracy of guessing, in (0, 1).
    """
    people = np.unique(np.concatenate([labels for labels, _, _ in seeds]))
    spread = Spread.of([Answers(*one) for one in seeds], people.tolist())
    photos = {
        int(photo): int(label)
        for labels, _, images in seeds
        for label, photo in zip(labels, images, strict=True)
    }
    fewest = int(np.unique(list(photos.values()), return_counts=True)[1].min())
    retained = spread.retained(1, chance)
    clean, protected = spread.accuracy(0), spread.accuracy(1)
    found = judge(clean, protected, retained, chance, MIN_TEST_IMAGES, MIN_PER_CLASS)
    few = len(photos) < MIN_TEST_IMAGES or fewest < MIN_PER_CLASS
    return Outcome(clean, protected, retained, "cannot tell" if few and found != "not protected" else found)


@dataclass(frozen=True)
class Against:
    """One part of the verdict.

    Args:
        name: The way of recognising faces, such as ``SFace``.
        verdict: The verdict on it.
        figures: The figures that it follows from, in words.
    """

    name: str
    verdict: Verdict
    figures: str

    @property
    def words(self) -> str:
        """The verdict in words, such as ``does not hold against SFace (nearest neighbour 100%)``."""
        return f"{WORDS[self.verdict]} {self.name} ({self.figures})"
