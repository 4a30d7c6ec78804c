"""The verdict on a protected arm, and goals that a command may require."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from unlearnable.errors import UsageError
from unlearnable.evaluation.statistics import Interval

Verdict = Literal["protected", "weakened", "not protected", "cannot tell"]

# "protected" means that at the upper end of the interval at most a quarter of what clean images teach remains
MAX_RETAINED = 0.25
# the lower end of the clean arm's interval must be this far above chance, or it has learned too little
MIN_GAIN = 0.10
# with fewer test images no interval is worth a verdict
MIN_TEST_IMAGES = 20
# with fewer of one class, a single image moves its recall by more than 20 points
MIN_PER_CLASS = 5


EXPLANATIONS: dict[Verdict, str] = {
    "protected": (
        "In every trial without countermeasures that could tell, networks learned little from the published "
        "photos: at most a quarter of what they learned from the originals."
    ),
    "weakened": (
        "Networks learned clearly less from the published photos than from the originals, "
        "but perhaps more than a quarter as much."
    ),
    "not protected": "Networks learned about as much from the published photos as from the originals.",
    "cannot tell": (
        "The originals taught the network too little for a comparison, or too few photos were held out."
    ),
}


def judge(
    clean: Interval, protected: Interval, retained: Interval, chance: float, tested: int, fewest: int
) -> Verdict:
    """Return the verdict on one protected arm.

    Args:
        clean: Balanced accuracy of the clean arm.
        protected: Balanced accuracy of the protected arm.
        retained: Share of what clean images teach that is still learned, from ``statistics.retained_share``.
        chance: Accuracy of guessing, in [0, 1].
        tested: Number of test images of the judged classes (the smallest over seeds).
        fewest: Number of test images of the class that has the fewest, with all context classes as one.
    """
    if clean.low < chance + MIN_GAIN or tested < MIN_TEST_IMAGES or fewest < MIN_PER_CLASS:
        return "cannot tell"
    if retained.high <= MAX_RETAINED:
        return "protected"
    return "weakened" if protected.high < clean.low else "not protected"


@dataclass(frozen=True)
class Goal:
    """A goal set with ``--require``.

    Args:
        kind: ``retained`` limits the upper bound of the retained share. ``chance`` limits how far the mean
            accuracy of the protected arm is above chance.
        limit: The limit, a share; 0.05 is five points of accuracy for ``chance``.
    """

    kind: Literal["retained", "chance"]
    limit: float

    @classmethod
    def parse(cls, text: str) -> Goal:
        """Return the goal written as ``25%`` (retained) or ``chance+5`` (points).

        Raises:
            UsageError: If the text is neither.
        """
        match = re.fullmatch(r"\s*(chance\s*\+\s*)?(\d+(?:\.\d+)?)\s*(%?)\s*", text)
        if match is None or (match[1] is None and not match[3]):
            raise UsageError(
                f"--require {text!r} is not a goal.",
                "Give the largest retained share, such as 25%, or points above chance, such as chance+5.",
            )
        return cls("chance" if match[1] else "retained", float(match[2]) / 100)

    def __str__(self) -> str:
        points = f"{self.limit * 100:g}"
        return (
            f"retained share at most {points}% (upper bound)"
            if self.kind == "retained"
            else f"accuracy at most chance + {points} points"
        )

    def met(self, protected: Interval, retained: Interval, chance: float) -> bool:
        """Return whether an arm meets the goal.

        Args:
            protected: Balanced accuracy of the arm.
            retained: Its retained share.
            chance: Accuracy of guessing, in [0, 1].
        """
        return (
            retained.high <= self.limit if self.kind == "retained" else protected.value <= chance + self.limit
        )
