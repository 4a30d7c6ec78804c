"""The record survives JSON, the page is one file, and no verdict stands without its numbers."""

from __future__ import annotations

import importlib
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from unlearnable.countermeasures import create
from unlearnable.data.photo import Photo
from unlearnable.evaluation.comparison import Comparison, Run, summarise
from unlearnable.evaluation.result import Sample, Verification
from unlearnable.evaluation.schedule import PHOTOS, trials
from unlearnable.evaluation.statistics import Curve
from unlearnable.evaluation.verdict import Goal
from unlearnable.evaluation.visibility import Visibility
from unlearnable.report import Record, page, sentence, table
from unlearnable.report.card_picture import COLOURS, bars

ROOT = Path(__file__).resolve().parents[2]
CLASSES = ("cats & <dogs>", "fish", "trees")


def runs(rate: float, seeds: int = 5) -> tuple[Run, ...]:
    labels = np.arange(90) % 3
    found = []
    for seed in range(seeds):
        correct = np.random.default_rng([seed, int(rate * 100)]).random(90) < rate
        test = Curve((0.3, float(correct.mean()), 0.31))
        found.append(Run(seed, (0.4, 0.8, 1.0), test, correct, labels))
    return tuple(found)


def comparison(**arms: float) -> Comparison:
    return summarise(
        trials(PHOTOS, 400)[0], {name: runs(rate) for name, rate in arms.items()}, range(3), 1 / 3
    )


def sample() -> Sample:
    pixels = np.random.default_rng(0).integers(0, 248, (60, 90, 3), dtype=np.uint8)
    return Sample("cats/1.jpg", CLASSES[0], Photo(pixels), Photo(pixels + np.uint8(4)))


def verification(clean: float = 0.95, protected: float = 0.33, psnr: float = 36.0) -> Verification:
    return Verification(
        comparisons=(
            comparison(clean=clean, protected=protected),
            comparison(clean=clean, protected=min(1.0, protected + 0.02)),
        ),
        unmeasured=(("grey (after grey)", 200.0),),
        classes=CLASSES,
        context=(),
        pairs=360,
        unchanged=2,
        left_out={"cats/<2>.jpg": "has no protected image"},
        tested_on="photos held out of both trainings",
        visibility=Visibility(8, 4.5, psnr, float("nan")),
        sampled=32,
        samples=(sample(),),
        environment={"device": "cpu"},
        seconds=12.0,
    )


def record(found: Verification, goal: str | None = None) -> Record:
    return Record.of(
        found, "photos", "public", "unlearnable verify photos public", Goal.parse(goal) if goal else None
    )


def test_the_record_survives_json_even_where_numbers_are_not_finite() -> None:
    made = record(verification(psnr=float("inf")), "25%")
    assert made.seen is not None
    assert made.seen.psnr is None
    assert Record.model_validate_json(made.model_dump_json()) == made
    older = made.model_dump_json().replace('"retained"', '"kept"')
    assert Record.model_validate_json(older) == made
    assert page(Record.model_validate_json(made.model_dump_json())) == page(made)


def test_the_page_is_one_file_that_fetches_nothing_and_escapes_names() -> None:
    html = page(record(verification(), "25%"))
    without_pictures = re.sub(r"base64,[A-Za-z0-9+/=]+", "", html)
    assert not re.search(r"https?://|//[a-z]|url\((?!#)|@import|<link|<script[^>]", without_pictures)
    assert all(source.startswith("data:image/") for source in re.findall(r'src="([^"]*)"', html))
    assert "<dogs>" not in html
    assert "cats &amp; &lt;dogs&gt;" in html
    assert "cats/&lt;2&gt;.jpg" in html
    assert html.count("<svg") == 4


@pytest.mark.parametrize(
    ("clean", "protected", "verdict"),
    [
        (0.97, 0.2, "protected"),
        (0.97, 0.7, "weakened"),
        (0.7, 0.7, "not protected"),
        (0.34, 0.34, "cannot tell"),
    ],
)
def test_no_verdict_without_both_numbers(clean: float, protected: float, verdict: str) -> None:
    found = verification(clean, protected)
    assert found.verdict == verdict
    made = record(found)
    trial, first, arm = made.main
    numbers = [f"{value * 100:.1f}%" for value in (first.peak.value, arm.peak.value, trial.chance)]
    assert sentence(made).lower().startswith(verdict)
    for place in (sentence(made), table(made).splitlines()[-1], page(made)):
        assert all(number in place for number in numbers)
        assert verdict in place.lower()


@pytest.mark.parametrize(("clean", "shown"), [(0.95, True), (0.34, False)])
def test_the_share_of_nothing_is_not_shown(clean: float, shown: bool) -> None:
    made = record(verification(clean, 0.34))
    lines = [line.split() for line in table(made).splitlines() if line.split()[:1] == ["retained"]]
    assert lines
    assert all((line[1] != "-") == shown for line in lines)
    assert ('data-label="Retained">&ndash;' not in page(made)) == shown


def test_the_headline_is_the_trial_in_which_most_was_kept() -> None:
    found = verification()
    retained = [one.arm("protected").retained for one in found.comparisons]
    assert found.headline[1].retained == max(filter(None, retained), key=lambda share: share.value)
    assert found.meets(Goal.parse("60%"))
    assert not verification(0.34, 0.34).meets(Goal.parse("100%"))


def test_the_table_says_what_was_not_measured_and_who_was_left_out() -> None:
    text = table(record(verification(), "chance+5"))
    assert "not measured: grey (after grey) (estimated 3.5 min)" in text
    assert "cats/<2>.jpg: has no protected image" in text
    assert "Required: accuracy at most chance + 5 points: " in text


def test_a_demo_calls_itself_an_illustration_and_takes_any_arms() -> None:
    made = Record.demo(
        comparison(clean=0.97, samplewise=0.34, classwise=0.5),
        [sample()],
        CLASSES,
        title="Digits",
        intro="An illustration.",
        pairs=90,
        environment={"device": "cpu"},
        command="unlearnable demo",
        seconds=60.0,
    )
    html = page(made)
    assert ">Illustration<" in html
    assert made.main[2].name == "classwise"
    assert "trained on: samplewise" in html
    assert "classwise" in sentence(made)
    headings = [line for line in table(made).splitlines() if line.startswith("resnet18, ")]
    assert [re.split("[,:] ", line)[1] for line in headings] == ["samplewise", "classwise"]


def test_the_threat_model_is_on_every_page() -> None:
    html = page(record(verification()))
    for words in (
        "an existing model",
        "large collection",
        "Adversarial training",
        "both clean and protected",
        "not measured",
    ):
        assert words in html


def test_many_classes_are_left_to_the_record() -> None:
    made = record(verification()).model_copy(update={"classes": [str(number) for number in range(40)]})
    assert page(made).count("<svg") == 3


def test_writing_a_page_opens_no_window(tmp_path: Path) -> None:
    import sys

    page(record(verification()))
    assert "matplotlib.pyplot" not in sys.modules


def row(name: str, chain: str, clean: float, protected: float) -> Comparison:
    made = comparison(clean=clean, protected=protected)
    return replace(made, trial=replace(made.trial, name=name, chain=create(chain)))


def card() -> Verification:
    """A report card: protected as published, broken by grey, weakened by JPEG; blur cannot tell."""
    return replace(
        verification(),
        comparisons=(
            comparison(clean=0.95, protected=0.2),
            row("grey", "grey", 0.7, 0.7),
            row("jpeg:30", "jpeg:30", 0.95, 0.7),
            row("blur", "blur", 0.34, 0.34),
        ),
        unmeasured=(("fine-tuning a pretrained network (no weights at hand)", 0.0), ("ueraser (cnn)", 180.0)),
        report_card=True,
        separability=0.98,
    )


def test_the_figures_of_a_card_are_the_mean_and_the_largest_share_of_the_rows_that_can_tell() -> None:
    found = card()
    shares = [one.arm("protected").retained.value for one in found.comparisons[:3]]  # type: ignore[union-attr]
    assert shares[0] < 0
    made = record(found)
    assert made.card is not None
    assert made.card.rows == [found.comparisons[0].trial.name, "grey", "jpeg:30"]
    assert made.card.mean == pytest.approx((0 + shares[1] + shares[2]) / 3)
    assert (made.card.worst_row, made.card.worst) == ("grey", pytest.approx(shares[1]))
    assert made.card.separability == 0.98
    for place in (table(made), page(made)):
        assert f"mean {made.card.mean:.0%}, worst {made.card.worst:.0%} (grey)" in place
        assert "98% (guessing: 33%)" in place
    assert record(verification()).card is None


def test_a_card_has_a_line_for_each_row_within_60_columns() -> None:
    text = table(record(card()))
    lines = text.splitlines()
    heads = [line.split("  ")[1] for line in lines[2:6]]
    assert heads == ["resnet18", "grey", "jpeg:30", "blur"]
    assert all(len(line) <= 60 for line in lines[:9])
    assert [line.rpartition("  ")[2] for line in lines[2:6]] == [
        "protected",
        "not protected",
        "weakened",
        "cannot tell",
    ]
    # a share of nothing is not shown
    assert "-" in lines[5].split()
    assert "not measured: fine-tuning a pretrained network (no weights at hand)\n" in text
    assert "not measured: ueraser (cnn) (estimated 3 min)" in text


def test_the_verdict_names_its_conditions_in_text_page_and_json() -> None:
    made = record(card())
    words = (
        "protected against training from scratch on the files as published; "
        "not protected if they are turned grey; "
    )
    assert made.conditions.startswith(words)
    assert "weakened if they are compressed as JPEG of quality 30 (" in made.conditions
    assert made.conditions.endswith("not measured: fine-tuning a pretrained network, ueraser")
    assert (made.broken_by, made.weakened_by) == (["grey"], ["jpeg:30"])
    assert made.as_it_is == "As it is: protected against training from scratch only."
    for place in (table(made), page(made)):
        assert made.conditions[1:] in place
        assert made.as_it_is in place


def test_the_picture_has_a_bar_for_each_row_and_is_red_where_the_protection_breaks() -> None:
    svg = bars(record(card()))
    colours = re.findall(r"fill: (#[0-9a-f]{6})", svg)
    for verdict, colour in COLOURS.items():
        # its bar, and its patch in the legend
        assert colours.count(colour) == 2, verdict
    for name in ("grey", "jpeg:30", "blur"):
        assert f">{name}<" in svg


def test_a_card_becomes_a_result_file_and_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("benchmarks", "docs"):
        monkeypatch.syspath_prepend(str(ROOT / folder))
    result = importlib.import_module("report_card").result
    measurements = importlib.import_module("measurements")
    found = record(card())
    file = result(json.loads(found.model_dump_json()))
    assert "curves" not in json.dumps(file)
    assert file["seeds"] == [curve.seed for curve in found.trials[0].arms[0].curves]
    rendered = measurements.KINDS[file["kind"]](file)
    lines = [line for line in rendered.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(found.trials)
    grey = next(line for line in lines if line.startswith("| grey "))
    trial = next(trial for trial in found.trials if trial.name == "grey")
    for arm in trial.arms:
        assert f"{arm.last * 100:.1f} ({arm.peak.value * 100:.1f})" in grey
    assert grey.endswith("| not protected |")
    assert "Not measured: fine-tuning a pretrained network, ueraser." in rendered
    assert f"worst {found.card.worst:.0%} (grey)" in rendered  # type: ignore[union-attr]
    assert found.conditions[1:] in rendered
