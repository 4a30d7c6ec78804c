"""The front of cost and protection, from result files."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from unlearnable.cells.results import Result
from unlearnable.cells.revisions import revisions
from unlearnable.experiments import Entry, figures, front, markdown, profiles, table
from unlearnable.experiments.base import Experiment
from unlearnable.experiments.profile import Profile

# CPU seconds of the search of a row
SECONDS = {"slow": 600.0, "middling": 120.0, "wasteful": 300.0}
# accuracy of (row, trainer); guessing among two classes is right half of the time
LAST = {
    ("clean", "plain"): 0.9,
    ("clean", "grey"): 0.7,
    ("slow", "plain"): 0.54,
    ("slow", "grey"): 0.52,
    ("middling", "plain"): 0.58,
    # worse than guessing counts as guessing
    ("middling", "grey"): 0.4,
    ("wasteful", "plain"): 0.8,
    ("wasteful", "grey"): 0.6,
}


def grid(p: Profile) -> Iterator[Entry]:
    """Is it?"""
    for seed in (0, 1):
        for row in ("clean", *SECONDS):
            for name, chain in (("plain", "none"), ("grey", "grey")):
                rounds = {"max_rounds": 1 + list(SECONDS).index(row)} if row in SECONDS else {}
                poison = p.poison("cifar10", "classwise", seed, **rounds) if rounds else None
                cell = p.cell("cifar10", seed, poison, countermeasure=chain)
                yield Entry(row, f"set one, {name}", cell)
                yield Entry(row, f"set two, {name}", cell.model_copy(update={"keep": "clean"}))


def made(entry: Entry, with_time: bool = True) -> Result:
    noisy = entry.row != "clean"
    last = LAST[entry.row, entry.column.partition(", ")[2]] + (0.02 * entry.cell.seed if noisy else 0.0)
    seconds = SECONDS.get(entry.row, 0.0)
    return Result(
        hash=f"{hash(entry.cell.text):x}",
        cell=entry.cell,
        fingerprints={"d": "1"},
        revisions=revisions(entry.cell),
        artefacts={"noise": entry.row} if noisy else {},
        classes=["a", "b"],
        images=10,
        protected=0,
        train=[1.0],
        test=[last],
        recall=[last, last],
        confusion=None,
        search={"seconds": 1.0, **({"cpu_seconds": seconds} if with_time else {})} if noisy else None,
        seconds=1.0,
        environment={"precision": "float32", "torch": "2"},
        machine="m",
        version="0",
        date="2026-01-01",
    )


def tabulated(*left_out: tuple[str, str, int], with_time: bool = True) -> table.Table:
    experiment = Experiment("toy", 1, "Toy", "Is it?", grid, "search", "photos, trainer", "front")
    found = {
        entry.cell.text: made(entry, with_time)
        for entry in experiment.entries(profiles.SMOKE)
        if (entry.row, entry.column, entry.cell.seed) not in left_out
    }
    return table.tabulate(experiment, profiles.SMOKE, found)


def test_a_point_has_the_minutes_of_a_search_and_the_mean_share_that_is_still_learned() -> None:
    points = front.points(tabulated())
    assert list(points) == ["set one", "set two"]
    assert [one.row for one in points["set one"]] == ["middling", "wasteful", "slow"]
    middling, wasteful, slow = points["set one"]
    assert (middling.minutes, wasteful.minutes, slow.minutes) == (2.0, 5.0, 10.0)
    assert slow.retained == pytest.approx((mean(0.04 / 0.4, 0.02 / 0.2), mean(0.06 / 0.4, 0.04 / 0.2)))
    assert middling.retained == pytest.approx((mean(0.08 / 0.4, 0.0), mean(0.1 / 0.4, 0.0)))


def mean(*values: float) -> float:
    return sum(values) / len(values)


def test_the_front_holds_what_no_cheaper_search_protects_better_than() -> None:
    points = [
        front.Point("cheap", 1.0, (0.5,)),
        front.Point("worse", 2.0, (0.6,)),
        front.Point("better", 3.0, (0.2, 0.4)),
        front.Point("as good, dearer", 4.0, (0.31,)),
        front.Point("best", 9.0, (0.1,)),
    ]
    assert [one.row for one in front.best(points)] == ["cheap", "better", "best"]


def test_only_seeds_count_that_every_trainer_measured() -> None:
    points = front.points(tabulated(("slow", "set one, grey", 1), ("wasteful", "set one, grey", 0)))
    assert {one.row: len(one.retained) for one in points["set one"]} == {
        "slow": 1,
        "middling": 2,
        "wasteful": 1,
    }
    one = tabulated(("slow", "set one, grey", 0), ("slow", "set one, grey", 1))
    assert [point.row for point in front.points(one)["set one"]] == ["middling", "wasteful"]
    clean = tabulated(*(("clean", "set one, grey", seed) for seed in (0, 1)))
    assert front.points(clean)["set one"] == []


def test_searches_of_unknown_cost_have_no_point_and_the_page_is_still_whole() -> None:
    one = tabulated(with_time=False)
    assert front.points(one) == {"set one": [], "set two": []}
    written = markdown.section(one)
    assert "CPU minutes" not in written
    assert figures.draw(one).startswith("<svg")


def test_the_page_lists_searches_by_their_cost_and_draws_them() -> None:
    written = markdown.section(tabulated())
    lines = [line for line in written.splitlines() if line.startswith(("| slow | 10.0", "| middling | 2.0"))]
    assert lines == [
        "| middling | 2.0 | 11.2 ± 1.8, 2 seeds | 11.2 ± 1.8, 2 seeds |",
        "| slow | 10.0 | 13.8 ± 5.3, 2 seeds | 13.8 ± 5.3, 2 seeds |",
    ]
    assert figures.draw(tabulated()).count("middling") == 2


def test_a_trainer_that_was_run_on_no_noise_does_not_count_yet() -> None:
    one = tabulated(*((row, "set one, grey", seed) for row in SECONDS for seed in (0, 1)))
    slow = front.points(one)["set one"][-1]
    assert slow.row == "slow"
    assert slow.retained == pytest.approx((0.04 / 0.4, 0.06 / 0.4))
