"""Tables: every accuracy and its spread belong to the epoch and the seed that they are given for."""

from __future__ import annotations

import csv
import io

import pytest

from unlearnable.cells import Cell, Data, Poison, Search, Victim
from unlearnable.cells.results import Result
from unlearnable.cells.revisions import revisions
from unlearnable.experiments import Below, Entry, profiles, table
from unlearnable.experiments.base import Experiment

DATA = Data(name="made")
VICTIM = Victim(model="cnn:width=8", epochs=3)
POISON = Poison(search=Search(data=DATA, method="random", settings={"form": "classwise"}))
# (row, seed): accuracies by epoch. The best epoch is neither the last nor the same; the two orders differ.
CURVES = {
    ("clean", 0): [0.6, 0.9, 0.7],
    ("clean", 1): [0.95, 0.5, 0.74],
    ("clean", 2): [0.4, 0.8, 0.78],
    ("noise", 0): [0.92, 0.6, 0.2],
    ("noise", 1): [0.3, 0.96, 0.24],
    ("noise", 2): [0.97, 0.3, 0.22],
}


def cell(row: str, seed: int) -> Cell:
    return Cell(data=DATA, victim=VICTIM, poison=POISON if row == "noise" else None, seed=seed)


def result(row: str, seed: int, **changes: object) -> Result:
    curve = CURVES[row, seed]
    given = {
        "hash": f"{row}{seed}" * 4,
        "cell": cell(row, seed),
        "fingerprints": {},
        "revisions": revisions(cell(row, seed)),
        "artefacts": {},
        "classes": ["a", "b"],
        "images": 10,
        "protected": 0,
        "train": [1.0] * 3,
        "test": [0.11, 0.12, 0.13],
        "balanced": curve,
        "recall": [curve[-1] - 0.1, curve[-1] + 0.1],
        "confusion": None,
        "search": None,
        "seconds": 1.0,
        "environment": {},
        "machine": "",
        "version": "",
        "date": "2026-01-01",
    }
    return Result.model_validate({**given, **changes})


def below(lower: str, upper: str, by: float, measure: str) -> Below:
    return Below((lower, "all"), (upper, "all"), "so it is", measure, by)  # type: ignore[arg-type]


def tabulated(
    *claims: Below, found: dict[str, Result] | None = None, over: tuple[str, ...] = ()
) -> table.Table:
    def grid(_: object):
        for row, seed in CURVES:
            yield Entry(row, "all", cell(row, seed), x=2.0, over=over)

    toy = Experiment("toy", 1, "Toy", "Is it?", grid, "row", "column", "bars", claims=claims)
    every = {cell(*key).text: result(*key) for key in CURVES}
    return table.tabulate(toy, profiles.SMOKE, every if found is None else found)


def test_the_mean_and_the_spread_are_those_of_the_last_epoch_and_the_brackets_of_the_best() -> None:
    one = tabulated()
    clean, noise = (one.measured[row, "all"] for row in ("clean", "noise"))
    assert (clean.last, clean.peak) == ((0.7, 0.74, 0.78), (0.9, 0.95, 0.8))
    assert (noise.last, noise.peak) == ((0.2, 0.24, 0.22), (0.92, 0.96, 0.97))
    assert (clean.of("last"), clean.of("peak")) == (clean.last, clean.peak)
    # a sample standard deviation: 4 points, where that of a population is 3.3
    assert table.text(clean) == "74.0 ± 4.0 (88.3)"
    assert table.text(noise) == "22.0 ± 2.0 (95.0)"
    assert table.text(None) == ""
    assert table.number([0.5]) == "50.0"
    assert table.accuracy([0.5], []) == "50.0"
    assert clean.x == 2.0
    assert [found.cell.seed for found in clean.results] == [0, 1, 2]


def test_claims_compare_both_positions_at_the_epoch_that_they_name() -> None:
    one = tabulated(
        below("noise", "clean", 0.5, "last"),
        below("noise", "clean", 0.6, "last"),
        below("noise", "clean", 0.5, "peak"),
        below("clean", "noise", 0.0, "peak"),
        below("clean", "noise", 0.0, "last"),
        below("noise", "clean", 0.5, "last"),
    )
    assert [
        (found.word, round(found.lower or 0, 3), round(found.upper or 0, 3)) for found in one.outcomes
    ] == [
        ("within the spread", 0.22, 0.74),
        ("does not hold", 0.22, 0.74),
        ("does not hold", 0.95, 0.883),
        ("within the spread", 0.883, 0.95),
        ("does not hold", 0.74, 0.22),
        ("within the spread", 0.22, 0.74),
    ]
    assert all(found.seeds == 3 for found in one.outcomes)


@pytest.mark.parametrize(
    ("by", "word"),
    [(0.47, "holds"), (0.48, "within the spread"), (0.56, "within the spread"), (0.57, "does not hold")],
)
def test_the_spread_of_a_claim_is_that_of_both_arms(by: float, word: str) -> None:
    # the gap is 52 points, and its spread sqrt(4^2 + 2^2) = 4.47
    (found,) = tabulated(below("noise", "clean", by, "last")).outcomes
    assert found.word == word


def test_without_the_best_epoch_of_every_seed_none_is_given() -> None:
    every = {cell(*key).text: result(*key) for key in CURVES}
    older = result("clean", 1, balanced=None, confusion=[[1, 1], [0, 4]])
    one = tabulated(below("noise", "clean", 0, "peak"), found=every | {older.cell.text: older})
    clean = one.measured["clean", "all"]
    assert clean.last == (0.7, pytest.approx(0.74), 0.78)
    assert clean.peak == ()
    assert table.text(clean) == "74.0 ± 4.0"
    assert [found.word for found in one.outcomes] == ["not measured"]


def test_recall_of_some_classes_has_the_last_epoch_only() -> None:
    one = tabulated(over=("b",)).measured["noise", "all"]
    assert one.last == pytest.approx((0.3, 0.34, 0.32))
    assert one.peak == ()
    both = tabulated(over=("a", "b")).measured["noise", "all"]
    assert both.last == pytest.approx((0.2, 0.24, 0.22))


def test_every_line_of_the_csv_is_one_seed_with_its_own_two_epochs() -> None:
    lines = list(csv.DictReader(io.StringIO(table.to_csv(tabulated()))))
    assert [
        (line["row"], line["seed"], line["last_epoch"], line["best_epoch"], line["epochs"]) for line in lines
    ] == [(row, str(seed), str(one[-1]), str(max(one)), "3") for (row, seed), one in CURVES.items()]
    assert {line["column"] for line in lines} == {"all"}
    assert [line["hash"] for line in lines] == [(f"{row}{seed}" * 4)[:12] for row, seed in CURVES]


def test_a_result_of_other_data_or_of_another_revision_is_left_out_and_counted() -> None:
    every = {cell(*key).text: result(*key, fingerprints={"d": "1"}) for key in CURVES}
    other = result("noise", 1, fingerprints={"d": "2"})
    stale = result("noise", 2, revisions={"cell": 99})
    one = tabulated(found=every | {other.cell.text: other, stale.cell.text: stale})
    assert one.measured["noise", "all"].last == (0.2,)
    assert one.stale == 2
    assert one.rows == ("clean", "noise")
    # clean cells of seeds that have no protected one may belong to another table
    assert one.wanted == 2
