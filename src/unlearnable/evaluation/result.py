"""The result of a verification: every comparison, and the trial that decides the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from unlearnable.data.photo import Photo
from unlearnable.evaluation.comparison import ArmResult, Comparison
from unlearnable.evaluation.conditions import Finding, as_it_is, headline
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
        seconds: Duration, that of trainings from earlier calls included.
        pictured: Number of pairs that were found by their pictures, because the names differ.
        near_duplicates: Number of photos that are copies or near duplicates of another photo. No network is
            tested on one and trained on the other.
        unjudged: Names of the trainings from scratch on the files as published that were not run. A goal
            needs all of them.
        report_card: Whether the trials are the rows of a report card.
        separability: Balanced accuracy of a linear classifier on the noise alone; None if not measured.
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
    report_card: bool = False
    separability: float | None = None

    @property
    def as_published(self) -> tuple[tuple[Comparison, ArmResult], ...]:
        """The trainings from scratch on the files as published, each with its protected arm."""
        plain = [comparison for comparison in self.comparisons if comparison.trial.decides]
        return tuple((comparison, comparison.arm("protected")) for comparison in plain)

    @property
    def headline(self) -> tuple[Comparison, ArmResult]:
        """The training from scratch in which the protection is weakest, and its protected arm.

        It is the trial with the largest retained share, ``cannot tell`` aside, or the first trial if every
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

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The verdict on every trial, the most important first."""
        arms = [(comparison.trial, comparison.arm("protected")) for comparison in self.comparisons]
        return tuple(
            Finding(trial, arm.verdict, arm.retained) for trial, arm in arms if arm.verdict and arm.retained
        )

    @property
    def broken_by(self) -> tuple[str, ...]:
        """Names of the trials with the verdict ``not protected``."""
        return tuple(one.trial.name for one in self.findings if one.verdict == "not protected")

    @property
    def weakened_by(self) -> tuple[str, ...]:
        """Names of the trials with the verdict ``weakened``."""
        return tuple(one.trial.name for one in self.findings if one.verdict == "weakened")

    @property
    def conditions(self) -> str:
        """The verdict with its conditions, in one line; see ``conditions.headline``."""
        names = [name.partition(" (")[0].partition(": ")[0] for name, _ in self.unmeasured]
        return headline(self.verdict, self.findings, names)

    @property
    def as_it_is(self) -> str:
        """The verdict on the files as they are, pretrained networks included, in one sentence."""
        return as_it_is(self.verdict, self.findings)

    @property
    def mean_retained(self) -> float | None:
        """Mean of the retained shares over the trials that can tell; shares below 0 count as 0."""
        shares = self._shares
        return sum(shares.values()) / len(shares) if shares else None

    @property
    def worst_retained(self) -> tuple[str, float] | None:
        """The trial with the largest retained share, of those that can tell, and the share."""
        shares = self._shares
        return max(shares.items(), key=lambda pair: pair[1]) if shares else None

    @property
    def _shares(self) -> dict[str, float]:
        return {
            one.trial.name: max(0.0, one.retained.value)
            for one in self.findings
            if one.verdict != "cannot tell"
        }

    def meets(self, goal: Goal) -> bool:
        """Return whether every training from scratch on the files as published was run and meets a goal.

        A trial with the verdict ``cannot tell`` does not count, except for the first, which then misses the
        goal.
        """
        return not self.shortfall(goal)

    def shortfall(self, goal: Goal) -> str:
        """Return the reason why a goal is not met, in a sentence; empty if it is met."""
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
