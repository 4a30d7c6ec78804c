"""The parts of a record: accuracies, arms, trials, visibility."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field

from unlearnable.evaluation.verdict import Verdict


def _number(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


# JSON has neither infinity nor NaN.
Number = Annotated[float | None, BeforeValidator(_number)]


class Model(BaseModel):
    """A part of a record: immutable, without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Range(Model):
    """A value and its 95% interval, shares."""

    value: float
    low: float
    high: float


class CurveRecord(Model):
    """Accuracy of one network per epoch, shares: on its training batches, and balanced on the test images."""

    seed: int
    train: list[float]
    test: list[float]


class ArmRecord(Model):
    """One arm of a trial; ``recall`` is per class. The clean arm has neither ``retained`` nor ``verdict``.

    ``false_positives`` is the share of context images that are answered with one of the judged classes; None
    without context.
    """

    name: str
    peak: Range
    last: float
    # "kept" in reports of older versions.
    retained: Range | None = Field(validation_alias=AliasChoices("retained", "kept"))
    verdict: Verdict | None
    recall: list[Number]
    false_positives: float | None = None
    curves: list[CurveRecord]


class TrialRecord(Model):
    """A network trained in one way on several versions of the images, the clean version first.

    ``countermeasure`` is the chain that it trained under, ``about`` describes labels or files that differ
    from those published, and ``condition`` is the condition of its verdict as the end of a sentence.
    ``decides`` is whether the verdict on the files as published depends on it. ``intervals`` says what its
    intervals cover.
    """

    name: str
    target: str
    countermeasure: str = "none"
    about: str = ""
    condition: str = ""
    decides: bool = True
    recipe: str
    settings: dict[str, Any]
    chance: float
    tested: int
    tested_context: int = 0
    intervals: str = ""
    arms: list[ArmRecord]


class CardRecord(Model):
    """The figures of a report card, by which methods are compared.

    Args:
        rows: Names of the rows that count: those that can tell.
        mean: Mean of their retained shares; shares below 0 count as 0.
        worst: The largest of them.
        worst_row: The row with the largest share.
        separability: Balanced accuracy of a linear classifier on the noise alone, cross-validated.
    """

    rows: list[str]
    mean: float | None
    worst: float | None
    worst_row: str
    separability: float | None


class Unmeasured(Model):
    """A trial that was not measured, with its estimated seconds; 0 if it cannot be measured here."""

    name: str
    seconds: float


class Seen(Model):
    """Visibility over a sample of pairs.

    Args:
        sampled: Number of pairs.
        largest: Largest change of a pixel, in levels of 1/255.
        mean: Mean change of a pixel, in levels.
        psnr: In dB; None if nothing changed.
        ssim: 1 is identical; None if the photos are too small for it.
        ciede2000: Mean colour difference after a blur; None in records of earlier versions.
    """

    sampled: int
    largest: int
    mean: float
    psnr: Number
    ssim: Number
    ciede2000: Number = None


class GoalRecord(Model):
    """The goal of ``--require``, whether it was met, and the reason why not."""

    text: str
    met: bool
    reason: str = ""


class Part(Model):
    """One part of the verdict on protected faces.

    Args:
        name: The way of recognising people.
        verdict: The verdict on it.
        text: The verdict with its figures, such as ``does not hold against SFace (...)``.
    """

    name: str
    verdict: Verdict
    text: str


class PersonLink(Model):
    """The name of a person, and the page with the person's photos, relative to the report."""

    name: str
    page: str


class RecognitionRecord(Model):
    """Recognition of the people in photos: only for ``faces verify``.

    Args:
        parts: The parts of the verdict.
        lines: Figures of detection, strangers and recognisers, in sentences.
        people: The private page of each person.
    """

    parts: list[Part]
    lines: list[str] = []
    people: list[PersonLink] = []
