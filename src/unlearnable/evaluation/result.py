"""The result of a verification: every comparison, and the trial that decides the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from unlearnable.data.photo import Photo
from unlearnable.evaluation.comparison import ArmResult, Comparison
from unlearnable.evaluation.verdict import Goal, Verdict
from unlearnable.evaluation.visibility import Visibility


@dataclass(frozen=True)
class Sample:
    """A photo and its protected image, for the report."""

    id: str
    class_name: str
    clean: Photo
    protected: Photo


@dataclass(frozen=True)
class Verification:
    """The result of ``verify``.

    Args:
        comparisons: Results of the trials that ran, the most important first.
        unmeasured: Name and estimated seconds of the trials that did not fit into the time limit.
        classes: Names of the protected classes, in the order of every arm's ``recall``.
        context: Names of the classes that are clean in both arms.
        pairs: Number of pairs.
        unchanged: Number of pairs whose images are equal.
        left_out: Reason for each id that is in no pair.
        tested_on: Description of the test images.
        visibility: Visibility of the noise in a sample of pairs; None if sizes differ within a pair.
        sampled: Number of pairs in that sample.
        samples: A few pairs for the report.
        environment: Device and versions.
        seconds: Duration.
        pictured: Number of pairs that were found by their pictures, because the names differ.
        near_duplicates: Number of photos that are copies or near duplicates of another photo. No network is
            tested on one and trained on the other.
        unjudged: Names of the trials without countermeasures that were not run. A goal needs all of them.
    """

    comparisons: tuple[Comparison, ...]
    unmeasured: tuple[tuple[str, float], ...]
    classes: tuple[str, ...]
    context: tuple[str, ...]
    pairs: int
    unchanged: int
    left_out: dict[str, str]
    tested_on: str
    visibility: Visibility | None
    sampled: int
    samples: tuple[Sample, ...]
    environment: dict[str, Any]
    seconds: float
    pictured: int = 0
    near_duplicates: int = 0
    unjudged: tuple[str, ...] = ()

    @property
    def as_published(self) -> tuple[tuple[Comparison, ArmResult], ...]:
        """The trials without countermeasures, each with its protected arm."""
        plain = [comparison for comparison in self.comparisons if not comparison.trial.chain]
        return tuple((comparison, comparison.arm("protected")) for comparison in plain)

    @property
    def headline(self) -> tuple[Comparison, ArmResult]:
        """The trial without countermeasures in which the protection is weakest, and its protected arm.

        That is the trial with the largest retained share, ``cannot tell`` aside, or the first trial if every
        verdict is ``cannot tell``.
        """
        conclusive = [pair for pair in self.as_published if pair[1].verdict != "cannot tell"]
        if not conclusive:
            return self.as_published[0]
        return max(conclusive, key=lambda pair: pair[1].retained.value if pair[1].retained else 0.0)

    @property
    def verdict(self) -> Verdict:
        """The verdict of the headline."""
        verdict = self.headline[1].verdict
        assert verdict is not None
        return verdict

    def meets(self, goal: Goal) -> bool:
        """Return whether every trial without countermeasures was run and meets a goal.

        A trial with the verdict ``cannot tell`` does not count, except for the first, which then misses the
        goal.
        """
        return not self.shortfall(goal)

    def shortfall(self, goal: Goal) -> str:
        """Return why a goal is not met, in a sentence; empty if it is met."""
        missed = [
            comparison.trial.name
            for comparison, arm in self.as_published
            if arm.retained
            and arm.verdict != "cannot tell"
            and not goal.met(arm.peak, arm.retained, comparison.chance)
        ]
        if missed:
            return f"It was missed by {', '.join(missed)}."
        if self.as_published[0][1].verdict == "cannot tell":
            return f"The first trial, {self.as_published[0][0].trial.name}, cannot tell."
        if self.unjudged:
            return f"Not run for want of time: {', '.join(self.unjudged)}. Give a longer --time-limit."
        return ""
