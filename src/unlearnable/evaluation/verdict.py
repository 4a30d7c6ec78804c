"""From numbers to words: the verdict, and goals that a command may require."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from unlearnable.errors import UsageError
from unlearnable.evaluation.statistics import Interval

Verdict = Literal["protected", "weakened", "not protected", "cannot tell"]

# "protected": at most a quarter of what clean images teach is kept, even at the upper end of the interval
HOLDS = 0.25
# the clean arm must have learned something: at least so far above chance at the lower end of its interval
MARGIN = 0.10
FEWEST = 20  # test images; with fewer a bootstrap interval is narrower than the truth


def judge(clean: Interval, protected: Interval, kept: Interval, chance: float, tested: int) -> Verdict:
    """Return the verdict on one protected arm.

    Args:
        clean: Balanced accuracy of the clean arm.
        protected: Balanced accuracy of the protected arm.
        kept: What was kept.
        chance: Accuracy of guessing.
        tested: Number of test images (the smallest over seeds).
    """
    if clean.low < chance + MARGIN or tested < FEWEST:
        return "cannot tell"
    if kept.high <= HOLDS:
        return "protected"
    return "weakened" if protected.high < clean.low else "not protected"


@dataclass(frozen=True)
class Goal:
    """What ``--require`` asks for.

    Args:
        kind: ``kept``: the upper bound of what was kept is at most ``limit`` (a share). ``chance``: the mean
            accuracy of the protected arm is at most ``limit`` (a share, 0.05 is five points) above chance.
        limit: See above.
    """

    kind: Literal["kept", "chance"]
    limit: float

    @classmethod
    def parse(cls, text: str) -> Goal:
        """Read ``25%`` or ``chance+5``.

        Raises:
            UsageError: If it is neither.
        """
        match = re.fullmatch(r"\s*(chance\s*\+\s*)?(\d+(?:\.\d+)?)\s*(%?)\s*", text)
        if match is None or (match[1] is None and not match[3]):
            raise UsageError(
                f"--require {text!r} is no goal.",
                "Give a share of what may be kept, 25%, or points above chance, chance+5.",
            )
        return cls("chance" if match[1] else "kept", float(match[2]) / 100)

    def __str__(self) -> str:
        points = f"{self.limit * 100:g}"
        return (
            f"kept at most {points}% (upper bound)"
            if self.kind == "kept"
            else f"accuracy at most chance + {points} points"
        )

    def met(self, protected: Interval, kept: Interval, chance: float) -> bool:
        """Return whether an arm reaches the goal."""
        return kept.high <= self.limit if self.kind == "kept" else protected.value <= chance + self.limit
