"""The record of a measurement: everything that the page shows, as JSON data."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from unlearnable.evaluation.comparison import ArmResult, Comparison
from unlearnable.evaluation.conditions import condition
from unlearnable.evaluation.result import Sample, Verification
from unlearnable.evaluation.statistics import Interval
from unlearnable.evaluation.verdict import Goal
from unlearnable.report.parts import (
    ArmRecord,
    CardRecord,
    CurveRecord,
    GoalRecord,
    Range,
    RecognitionRecord,
    Seen,
    TrialRecord,
    Unmeasured,
)
from unlearnable.report.pictures import Picture, picture
from unlearnable.version import __version__


class Record(BaseModel):
    """A measurement.

    Args:
        kind: ``verify``, or ``demo`` for an illustration.
        title: Heading of the page.
        intro: One paragraph under it.
        headline: (index of the trial, name of the arm) of the verdict.
        conditions: The verdict with its conditions, in one line; empty for a demo.
        as_it_is: The verdict on the files as they are, in one sentence; empty for a demo.
        broken_by: Names of the trials with the verdict ``not protected``.
        weakened_by: Names of the trials with the verdict ``weakened``.
        card: The figures of a report card, if this is one.
        pictured: Number of pairs that were found by their pictures, because the names differ.
        near_duplicates: Number of photos that are copies or near duplicates of another photo.
        recognition: Recognition of the people in photos, by ``faces verify``.
        command: The command line, or empty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["verify", "demo"]
    title: str
    intro: str
    headline: tuple[int, str]
    conditions: str = ""
    as_it_is: str = ""
    broken_by: list[str] = []
    weakened_by: list[str] = []
    card: CardRecord | None = None
    trials: list[TrialRecord]
    classes: list[str]
    context: list[str] = []
    unmeasured: list[Unmeasured] = []
    pairs: int
    unchanged: int = 0
    pictured: int = 0
    near_duplicates: int = 0
    left_out: dict[str, str] = {}
    tested_on: str
    seen: Seen | None = None
    goal: GoalRecord | None = None
    recognition: RecognitionRecord | None = None
    pictures: list[Picture] = []
    environment: dict[str, Any]
    command: str
    version: str = __version__
    date: str
    seconds: float

    @property
    def main(self) -> tuple[TrialRecord, ArmRecord, ArmRecord]:
        """The trial of the headline, its clean arm and the arm of the verdict."""
        trial = self.trials[self.headline[0]]
        return trial, trial.arms[0], next(arm for arm in trial.arms if arm.name == self.headline[1])

    @classmethod
    def of(
        cls, found: Verification, photos: str, protected: str, command: str = "", goal: Goal | None = None
    ) -> Record:
        """Return the record of a verification.

        Args:
            found: The verification.
            photos: Name of the folder of photos.
            protected: Name of the published folder.
            command: The command line, or empty.
            goal: The goal that was required, if any.
        """
        comparison, arm = found.headline
        seen = found.visibility
        return cls(
            kind="verify",
            title="Can a model learn from these photos?",
            intro=f"{found.pairs} photos of {photos} and their published versions in {protected}.",
            headline=(
                next(index for index, one in enumerate(found.comparisons) if one is comparison),
                arm.name,
            ),
            conditions=found.conditions,
            as_it_is=found.as_it_is,
            broken_by=list(found.broken_by),
            weakened_by=list(found.weakened_by),
            card=_card(found) if found.report_card else None,
            trials=[_trial(one) for one in found.comparisons],
            classes=list(found.classes),
            context=list(found.context),
            unmeasured=[Unmeasured(name=name, seconds=seconds) for name, seconds in found.unmeasured],
            pairs=found.pairs,
            unchanged=found.unchanged,
            pictured=found.pictured,
            near_duplicates=found.near_duplicates,
            left_out=found.left_out,
            tested_on=found.tested_on,
            seen=Seen(
                sampled=found.sampled,
                largest=seen.largest,
                mean=seen.mean,
                psnr=seen.psnr,
                ssim=seen.ssim,
                ciede2000=seen.ciede2000,
            )
            if seen
            else None,
            goal=GoalRecord(text=str(goal), met=found.meets(goal), reason=found.shortfall(goal))
            if goal
            else None,
            pictures=[_picture(one, len(found.samples)) for one in found.samples],
            environment=found.environment,
            command=command,
            date=_now(),
            seconds=found.seconds,
        )

    @classmethod
    def demo(
        cls,
        comparison: Comparison,
        samples: Sequence[Sample],
        classes: Sequence[str],
        *,
        title: str,
        intro: str,
        pairs: int,
        environment: Mapping[str, Any],
        command: str,
        seconds: float,
    ) -> Record:
        """Return the record of an illustration: one trial with any number of arms, the clean arm first.

        The verdict is that of the protected arm with the largest retained share.
        """
        most = max(comparison.arms[1:], key=lambda arm: arm.retained.value if arm.retained else 0.0)
        return cls(
            kind="demo",
            title=title,
            intro=intro,
            headline=(0, most.name),
            trials=[_trial(comparison)],
            classes=list(classes),
            pairs=pairs,
            tested_on="the same clean images, held out of every training",
            pictures=[_picture(one, len(samples)) for one in samples],
            environment=dict(environment),
            command=command,
            date=_now(),
            seconds=seconds,
        )


def _trial(comparison: Comparison) -> TrialRecord:
    trial = comparison.trial
    return TrialRecord(
        name=trial.name,
        target=trial.victim.model,
        countermeasure=trial.chain.spec,
        about=trial.about,
        condition=condition(trial),
        decides=trial.decides,
        recipe=trial.victim.words,
        settings=trial.victim.model_dump(mode="json", exclude={"model"}),
        chance=comparison.chance,
        tested=comparison.tested,
        tested_context=comparison.tested_context,
        intervals=comparison.intervals,
        arms=[_arm(arm) for arm in comparison.arms],
    )


def _card(found: Verification) -> CardRecord:
    worst = found.worst_retained
    return CardRecord(
        rows=[one.trial.name for one in found.findings if one.verdict != "cannot tell"],
        mean=found.mean_retained,
        worst=worst[1] if worst else None,
        worst_row=worst[0] if worst else "",
        separability=found.separability,
    )


def _arm(arm: ArmResult) -> ArmRecord:
    curves = [
        CurveRecord(seed=run.seed, train=list(run.train), test=list(run.test.epochs)) for run in arm.runs
    ]
    return ArmRecord(
        name=arm.name,
        peak=_range(arm.peak),
        last=arm.last,
        retained=_range(arm.retained) if arm.retained else None,
        verdict=arm.verdict,
        recall=list(arm.recall),
        false_positives=arm.false_positives,
        curves=curves,
    )


def _range(interval: Interval) -> Range:
    return Range(value=interval.value, low=interval.low, high=interval.high)


def _picture(one: Sample, shown: int) -> Picture:
    return picture(one.id, one.class_name, one.clean, one.protected, shown)


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
