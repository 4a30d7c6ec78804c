"""Claims, searches at their cap and spreads in tables."""

from __future__ import annotations

import ast
import importlib
import json
from pathlib import Path
from statistics import stdev

import numpy as np
import pytest

from unlearnable import experiments
from unlearnable.cells.results import Result, Results
from unlearnable.experiments import Below, figures, markdown, pages, profiles, table
from unlearnable.experiments.claims import outcome
from unlearnable.experiments.measured import CAPPED, Measured, is_capped

ROOT = Path(__file__).resolve().parents[2]
CLAIM = Below(("a", "b"), ("c", "b"), "it is so", by=0.1)


@pytest.fixture(scope="module")
def found() -> dict[str, Result]:
    return Results(ROOT / "results" / "cpu" / "cells").all()


def of(*last: float, peak: tuple[float, ...] = ()) -> Measured:
    return Measured(last, peak or last, ())


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (of(0.2), of(0.5), "seen once"),
        (of(0.2, 0.21), of(0.5), "seen once"),  # one side has no spread
        (of(0.2), of(0.25, 0.26), "not seen"),
        (of(0.2, 0.22), of(0.5, 0.52), "holds"),
        (of(0.2, 0.22), of(0.25, 0.26), "does not hold"),
        (of(0.2, 0.4), of(0.5, 0.4), "within the spread"),
        (None, of(0.5), "not measured"),
        (Measured((0.2,), (), ()), None, "not measured"),
    ],
)
def test_the_word_of_a_claim_depends_on_the_gap_and_on_the_seeds(
    low: Measured | None, high: Measured | None, word: str
) -> None:
    assert outcome(CLAIM, low, high).word == word


def test_early_stopping_is_judged_by_the_best_epoch_less_the_last_one() -> None:
    claim = Below(("a", "b"), ("a", "b"), "early stopping helps", by=0.1, upper_measure="peak")
    # each seed falls by 20 points, although the seeds differ by 40
    falls = of(0.1, 0.5, peak=(0.3, 0.71))
    steady = of(0.1, 0.5, peak=(0.11, 0.5))
    assert outcome(claim, falls, falls).word == "holds"
    assert outcome(claim, steady, steady).word == "does not hold"
    text = markdown.claim(outcome(claim, falls, falls))
    assert text.endswith("(30.0 at the last epoch against 50.5 at the best epoch, 2 seeds).")


def test_early_stopping_does_not_recover_accuracy_that_random_noise_never_cost(
    found: dict[str, Result],
) -> None:
    """The committed results: random noise ends at its best epoch, error-maximizing noise does not."""
    shown = table.tabulate(experiments.get("methods"), profiles.CPU, found)
    words = {
        one.claim.text: one.word for one in shown.outcomes if "early stopping recovers" in one.claim.text
    }
    assert words == {
        "class-wise, early stopping recovers accuracy from random noise": "does not hold",
        "class-wise, early stopping recovers accuracy from error-maximizing noise": "holds",
    }


def test_no_claim_holds_by_one_seed(found: dict[str, Result]) -> None:
    seen = [
        one
        for name in experiments.names()
        for one in table.tabulate(experiments.get(name), profiles.CPU, found).outcomes
    ]
    assert {one.word for one in seen if one.seeds == 1} <= {"seen once", "not seen"}
    assert {one.word for one in seen if one.seeds > 1} <= {"holds", "does not hold", "within the spread"}
    shown = (ROOT / "docs" / "results.md").read_text("utf-8")
    assert "**Seen once**" in shown
    for line in shown.splitlines():
        if line.startswith("- **Holds**"):
            assert ", one seed)" not in line, line


def test_searches_that_ended_at_their_cap_are_marked_and_explained(found: dict[str, Result]) -> None:
    """All four class-wise searches for error-maximizing noise, and no other."""
    shown = table.tabulate(experiments.get("methods"), profiles.CPU, found)
    marked = {position for position, one in shown.measured.items() if one.capped}
    rows = ("error-maximizing", "error-maximizing, targeted")
    assert marked == {(row, "class-wise") for row in rows}
    assert sum(len(one.capped) for one in shown.measured.values()) >= 4
    assert table.text(shown.measured[rows[0], "class-wise"]).endswith(CAPPED)
    written = markdown.section(shown)
    assert "at an error of 0.21 to 0.33, not 0.8, after 25 rounds" in " ".join(written.split())
    assert "ended at its cap" in pages.plain(shown)
    assert "25 rounds are done" in table.to_csv(shown)


@pytest.mark.parametrize(
    ("settings", "method", "error", "stopped", "capped"),
    [
        ({"stop_error": 0.01}, "error_minimizing", 0.02, "9 rounds are done", True),
        ({"stop_error": 0.01}, "error_minimizing", 0.005, "the error, 0.5%, is below 1.0%", False),
        ({"stop_error": 0.01}, "error_minimizing", 0.02, "the error has not fallen for 3 rounds", False),
        ({"stop_error": 0.0}, "error_minimizing", 0.02, "9 rounds are done", False),
        ({"stop_error": 0.8}, "error_maximizing", 0.5, "1 round is done", True),
        ({"stop_error": 0.8}, "error_maximizing", 0.85, "the error, 85.0%, has reached 80.0%", False),
        ({"stop_error": 1.0}, "error_maximizing", 0.97, "1 round is done", False),
        ({}, "self_ensemble", 0.97, "1 round is done", False),
        ({}, "perturbation_induced_linearization", 0.86, "1 round is done", False),
        ({}, "random", None, "1 round is done", False),
    ],
)
def test_a_search_is_capped_if_its_rounds_ended_before_its_goal(
    found: dict[str, Result],
    settings: dict[str, float],
    method: str,
    error: float | None,
    stopped: str,
    capped: bool,
) -> None:
    some = next(one for one in found.values() if one.cell.poison is not None)
    assert some.cell.poison is not None
    search = some.cell.poison.search.model_copy(update={"method": method, "settings": settings})
    cell = some.cell.model_copy(update={"poison": some.cell.poison.model_copy(update={"search": search})})
    facts = {"rounds": 9, "error": error, "stopped": stopped, "seconds": 1.0}
    assert is_capped(some.model_copy(update={"cell": cell, "search": facts})) == capped


def test_the_table_of_adversarial_training_names_its_attack(found: dict[str, Result]) -> None:
    shown = table.tabulate(experiments.get("adversarial"), profiles.CPU, found)
    assert "Adversarial training is PGD-3 within 8 levels for 15 epochs" in markdown.section(shown)
    assert "PGD-3 within 8 levels for 15 epochs" in pages.page([(shown, "")], ROOT)


def test_a_spread_is_the_sample_standard_deviation_and_absent_with_one_seed() -> None:
    assert table.number([0.2, 0.4]) == f"30.0 ± {100 * stdev([0.2, 0.4]):.1f}"
    assert table.number([0.2, 0.4]) != "30.0 ± 10.0"  # of the population
    assert table.number([0.2]) == "20.0"


def test_a_line_has_a_bar_of_deviation_where_there_are_seeds(
    found: dict[str, Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[float] = []

    def axes(*args: object, **more: object):  # type: ignore[no-untyped-def]
        figure, panels = canvas(*args, **more)
        plain = panels[0].errorbar
        panels[0].errorbar = lambda x, y, error, **rest: drawn.extend(error) or plain(x, y, error, **rest)
        return figure, panels

    canvas = figures.canvas
    monkeypatch.setattr(figures, "canvas", axes)
    shown = table.tabulate(experiments.get("budgets"), profiles.CPU, found)
    figures.lines(shown)
    seeds = [len(one.last) for one in shown.measured.values()]
    assert sum(error != error for error in drawn) == seeds.count(1) > 0  # not a number
    assert not any(error == 0 for error in drawn)


def test_no_code_computes_the_deviation_of_a_population() -> None:
    """One kind of standard deviation on every page. Textures and features of images are no seeds."""
    for folder in ("src", "docs", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            if path.name in ("demo_photos.py", "simple_networks.py", "autoregressive.py"):
                continue
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call):
                    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                    assert name not in ("pstdev", "pvariance", "std", "nanstd", "var"), f"{path.name}: {name}"


def test_intervals_in_the_docs_are_those_of_the_result_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """No claim that two searches protect alike stands without the interval that its pairs of seeds allow."""
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    measurements = importlib.import_module("measurements")
    text = " ".join((ROOT / "docs" / "how-it-works.md").read_text("utf-8").split())
    said = {
        "fast-digits": ("float32",),
        "fast-cifar10": ("float32", "fast", "half", "settled"),
        "fast-cifar10-classwise": ("fast",),
        "fast-photos": ("float32", "fast"),
    }
    for name, ways in said.items():
        file = json.loads((ROOT / "results" / "earlier" / f"{name}.json").read_text("utf-8"))
        for way in ways:
            shared, gaps = measurements.differences(file, way)
            assert len(shared) == 5
            words = measurements.in_points(*measurements.interval(gaps))
            assert words in text, f"{name}, {way}: {words}"
            assert words in measurements.searches(file)
    assert "protects like" not in text


def test_an_interval_covers_the_mean_of_differences_as_often_as_it_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    measurements = importlib.import_module("measurements")
    rng = np.random.default_rng(0)
    draws = rng.normal(2.0, 3.0, (2000, 5))
    inside = [low <= 2.0 <= high for low, high in (measurements.interval(list(row)) for row in draws)]
    assert 0.93 < np.mean(inside) < 0.97
