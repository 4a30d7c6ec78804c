"""The verdict names every way of recognising people, each where the protection is weakest."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from unlearnable.evaluation.comparison import Comparison, Run, summarise
from unlearnable.evaluation.result import Verification
from unlearnable.evaluation.schedule import PHOTOS, trials
from unlearnable.evaluation.statistics import Curve, Interval
from unlearnable.evaluation.trial import Trial
from unlearnable.evaluation.verdict import Verdict
from unlearnable.faces.existing import Tried
from unlearnable.faces.galleries import Recognised
from unlearnable.faces.holding import WORDS, Against, Outcome, outcome
from unlearnable.faces.telling_apart import Apart, StrangersTold
from unlearnable.faces.verdict import parts
from unlearnable.report import Record, page, table
from unlearnable.report.parts import Part, RecognitionRecord

DOCS = Path(__file__).resolve().parents[2] / "docs" / "faces.md"
NOTHING = Tried({}, {})
TRIALS = trials(PHOTOS, 100, specs=(), cosface=True)


def compared(trial: Trial, clean: float, protected: float) -> Comparison:
    """A comparison with these shares of 90 test photos of three people."""
    labels = np.repeat(np.arange(3), 30)
    place = np.tile(np.arange(30), 3)
    runs = {
        name: (Run(0, (0.5,), Curve((rate,)), place < rate * 30, labels),)
        for name, rate in (("clean", clean), ("protected", protected))
    }
    return summarise(trial, runs, (0, 1, 2), 1 / 3)


def verified(*comparisons: Comparison) -> Verification:
    people = ("ann", "bea", "zoe")
    return Verification(comparisons, (), people, (), 9, 0, {}, "photos", None, 0, (), {}, 1.0)


def interval(value: float) -> Interval:
    return Interval(value, value, value)


def frozen(rule: str, protected: float, verdict: Verdict) -> Recognised:
    none = np.zeros(0, dtype=np.int64)
    return Recognised(interval(0.98), interval(protected), interval(protected), verdict, rule, none, none)


def strangers(name: str, verdict: Verdict, protected: float) -> StrangersTold:
    flat = Apart(0.6, 0.1, None)
    untrained = Apart(0.58, 0.1, None)
    arms = Apart(0.9, 0.4, None), Apart(protected, 0.1, None)
    retained = interval((protected - 0.6) / 0.3)
    return StrangersTold(
        name, *arms, flat, untrained, interval(protected), retained, verdict, 0.01, 30, 90, 900
    )


def test_the_trials_with_a_margin_come_second() -> None:
    names = [trial.name for trial in TRIALS]
    assert names[:2] == [names[0], "CosFace"]
    assert [trial.victim.head for trial in TRIALS[:3]] == ["linear", "cosface", "linear"]
    assert TRIALS[1].decides
    assert "CosFace" not in [trial.name for trial in trials(PHOTOS, 100, specs=())]


def test_every_way_is_named_with_its_figures() -> None:
    found = parts(
        verified(
            compared(TRIALS[0], 0.9, 1 / 3), compared(TRIALS[1], 0.9, 0.9), compared(TRIALS[2], 0.9, 0.3)
        ),
        [strangers(TRIALS[0].name, "protected", 0.62), strangers("CosFace", "weakened", 0.75)],
        Tried(
            {
                "SFace": [
                    frozen("nearest neighbour", 0.98, "not protected"),
                    frozen("class centre", 0.9, "weakened"),
                ]
            },
            {"SFace": Outcome(interval(1), interval(1), interval(1), "not protected")},
        ),
    )
    texts = [one.words for one in found]
    # the weakest of the networks from scratch with the usual head
    assert texts[0].startswith("holds against training from scratch (33.3% instead of 90.0% at the best")
    assert texts[1] == (
        "holds against verification of strangers after training from scratch "
        "(AUC 0.620 instead of 0.900, floor 0.600)"
    )
    assert texts[2].startswith("does not hold against training from scratch with CosFace (90.0% instead of")
    assert texts[3].startswith(
        "holds in part against verification of strangers after training from scratch with CosFace (AUC 0.750"
    )
    assert texts[4] == "does not hold against SFace (nearest neighbour 98.0% instead of 98.0%)"
    assert texts[5] == "does not hold against SFace, fine-tuned (100.0% instead of 100.0%)"


def test_what_was_not_measured_is_not_named() -> None:
    found = parts(verified(compared(TRIALS[0], 0.9, 1 / 3)), [], NOTHING)
    assert [one.name for one in found] == ["training from scratch"]


def test_one_that_cannot_tell_does_not_speak_for_one_that_can() -> None:
    rules = [frozen("linear head", 0.99, "cannot tell"), frozen("class centre", 0.1, "protected")]
    (_, found) = parts(verified(compared(TRIALS[0], 0.9, 0.9)), [], Tried({"net": rules}, {}))
    assert found.words == "holds against net (class centre 10.0% instead of 98.0%)"


def test_a_recogniser_of_the_search_is_marked() -> None:
    tried = Tried(
        {name: [frozen("class centre", 0.0, "protected")] for name in ("seen", "unseen")},
        {},
        frozenset(["seen"]),
    )
    (_, *found) = parts(verified(compared(TRIALS[0], 0.9, 0.9)), [], tried)
    assert [one.words for one in found] == [
        "holds against seen (class centre 0.0% instead of 98.0%; the noise was found with it)",
        "holds against unseen (class centre 0.0% instead of 98.0%)",
    ]


def test_the_outcome_of_answers_by_hand() -> None:
    """Two people of which one has three times the photos; each counts the same."""
    people = np.array([0] * 30 + [1] * 10)
    clean, protected = np.ones(40, dtype=bool), people == 0
    found = outcome([(people, np.stack([clean, protected]), np.arange(40))], 1 / 2)
    assert (found.clean.value, found.protected.value) == (1, 0.5)
    assert found.retained.value == 0
    assert found.verdict == "protected"


@pytest.mark.parametrize("verdict", WORDS)
def test_the_report_and_the_terminal_say_it(verdict: Verdict) -> None:
    part = Against("SFace & <co>", verdict, "100% instead of 100%")
    record = Record.of(verified(compared(TRIALS[0], 0.9, 1 / 3)), "photos", "public")
    named = RecognitionRecord(
        parts=[Part(name=part.name, verdict=part.verdict, text=part.words)], lines=["A figure & <more>."]
    )
    record = record.model_copy(update={"recognition": named})
    sentence = f"{part.words[0].upper()}{part.words[1:]}"
    assert f"{sentence}." in table(record).splitlines()
    shown = page(record)
    escaped = sentence.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert f'<li class="{verdict.replace(" ", "-")}">{escaped}</li>' in shown
    assert "A figure &amp; &lt;more&gt;." in shown
    assert Record.model_validate_json(record.model_dump_json()).recognition == named


def test_the_docs_say_that_fine_tuning_is_not_prevented() -> None:
    """Measured: error-minimizing noise leaves the accuracy of a fine-tuned recogniser as it was."""
    plain = re.sub(r"[*`\s]+", " ", DOCS.read_text("utf-8"))
    assert "does not prevent fine-tuning" in plain


def test_the_docs_have_the_words_of_every_verdict() -> None:
    plain = re.sub(r"\s+", " ", DOCS.read_text("utf-8"))
    assert all(f"`{words}`" in plain for words in WORDS.values())
