"""The headline names the condition of its verdict."""

from __future__ import annotations

import pytest

from unlearnable.countermeasures import create
from unlearnable.evaluation.conditions import Finding, as_it_is, condition, headline
from unlearnable.evaluation.statistics import Interval
from unlearnable.evaluation.trial import Trial
from unlearnable.evaluation.verdict import Verdict
from unlearnable.training.victim import Victim

FRESH = Victim(model="cnn")
TUNED = Victim(model="cnn", start="weights.safetensors")
HEAD = Victim(model="cnn", start="weights.safetensors", trains="head")
BASE = "training from scratch on the files as published"


def trial(spec: str = "none", victim: Victim = FRESH, **more: object) -> Trial:
    return Trial(spec, victim, create(spec), **more)  # type: ignore[arg-type]


def finding(trial: Trial, verdict: Verdict, retained: float = 0.1) -> Finding:
    return Finding(trial, verdict, Interval(retained, retained - 0.05, retained + 0.05))


PLAIN = finding(trial(), "protected")
GREY = trial("grey")


@pytest.mark.parametrize(
    ("base", "others", "unmeasured", "words"),
    [
        ("protected", [finding(GREY, "protected")], (), f"protected against {BASE}"),
        (
            "protected",
            [finding(GREY, "not protected", 0.9)],
            (),
            f"protected against {BASE}; not protected if they are turned grey",
        ),
        (
            "protected",
            [finding(trial(victim=TUNED), "not protected", 1.0), finding(GREY, "not protected", 0.9)],
            (),
            f"protected against {BASE}; not protected against fine-tuning a pretrained network or "
            "if they are turned grey",
        ),
        (
            "protected",
            [finding(trial("jpeg:30"), "weakened", 0.62)],
            (),
            f"protected against {BASE}; weakened if they are compressed as JPEG of quality 30 (62% retained)",
        ),
        (
            "protected",
            [],
            ("fine-tuning a pretrained network",),
            f"protected against {BASE}; not measured: fine-tuning a pretrained network",
        ),
        (
            "weakened",
            [finding(GREY, "weakened", 0.7), finding(trial("project"), "not protected", 1.0)],
            (),
            f"weakened against {BASE}; not protected if they are put through a linear projection",
        ),
        ("not protected", [finding(GREY, "not protected", 1.0)], (), f"not protected against {BASE}"),
        ("cannot tell", [finding(GREY, "cannot tell")], (), f"cannot tell for {BASE}"),
    ],
)
def test_the_headline(base: Verdict, others: list[Finding], unmeasured: tuple[str, ...], words: str) -> None:
    assert headline(base, [PLAIN, *others], unmeasured) == words


def test_many_conditions_are_counted() -> None:
    broken = [finding(trial(f"jpeg:{quality}"), "not protected", 1.0) for quality in (10, 20, 30, 40, 50, 60)]
    words = headline("protected", [PLAIN, *broken])
    assert "quality 40, or in 2 other rows" in words
    assert "quality 50" not in words
    assert headline("protected", [PLAIN], ["a", "b", "c", "d", "e"]).endswith("a, b, c, d, and 1 more")


@pytest.mark.parametrize(
    ("base", "tuned", "words"),
    [
        ("protected", [], "As it is: protected against training from scratch only."),
        ("protected", ["cannot tell"], "As it is: protected against training from scratch only."),
        (
            "protected",
            ["protected"],
            "As it is: protected, also against networks that start from pretrained weights.",
        ),
        (
            "protected",
            ["weakened"],
            "As it is: weakened, also against networks that start from pretrained weights.",
        ),
        (
            "protected",
            ["not protected"],
            "As it is: no measurable protection against fine-tuning a pretrained network.",
        ),
        ("not protected", ["not protected"], "As it is: no measurable protection."),
        ("cannot tell", [], "As it is: cannot tell for training from scratch only."),
    ],
)
def test_the_files_as_they_are(base: Verdict, tuned: list[Verdict], words: str) -> None:
    findings = [PLAIN, *(finding(trial(victim=TUNED), verdict) for verdict in tuned)]
    assert as_it_is(base, findings) == words


@pytest.mark.parametrize(
    ("tried", "words"),
    [
        (trial(), f"against {BASE}"),
        (trial(victim=HEAD), "against a linear classifier on the features of a pretrained network"),
        (trial("grey+jpeg:30"), "if they are turned grey and compressed as JPEG of quality 30"),
        (trial("shrink:2"), "if they are shrunk to half their size"),
        (trial("adversarial:2,3"), "if networks train adversarially with 2 levels"),
        (trial("ueraser"), "under UEraser"),
        (trial("grey+cutout"), "under grey+cutout:16"),
        (trial(share=0.8), "if 20% of the training files are clean"),
        (trial(labels=(0, 0, 1), about="pairs"), "under other labels (pairs)"),
    ],
)
def test_conditions_in_words(tried: Trial, words: str) -> None:
    assert condition(tried) == words
