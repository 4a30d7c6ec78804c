"""Cost against protection: the CPU time of each search of a table, and how much its trainers still learn.

Columns of the table are called ``SET, TRAINER``. Its clean row is the one without noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from unlearnable.evaluation.statistics import retained_share
from unlearnable.experiments.measured import Measured
from unlearnable.experiments.table import Table


@dataclass(frozen=True)
class Point:
    """A search on one set of images.

    Args:
        row: Its name.
        minutes: CPU minutes of a search, mean over the seeds.
        retained: Retained share of each seed, mean over the trainers. As in a report card, a share below 0
            counts as 0.
    """

    row: str
    minutes: float
    retained: tuple[float, ...]


def points(table: Table) -> dict[str, list[Point]]:
    """Return the searches that every trainer of a set was measured with, by set, cheapest first.

    A trainer counts if it was run on any noise. A seed counts if it was run with all trainers of the set,
    with and without noise.
    """
    found: dict[str, list[Point]] = {}
    run = {column for (_, column), one in table.measured.items() if one.results[0].cell.poison is not None}
    for name in dict.fromkeys(column.rpartition(", ")[0] for column in table.columns):
        columns = [column for column in table.columns if column.rpartition(", ")[0] == name and column in run]
        cells = {
            row: [table.measured[row, column] for column in columns]
            for row in table.rows
            if columns and all((row, column) in table.measured for column in columns)
        }
        clean = next((some for some in cells.values() if some[0].results[0].cell.poison is None), None)
        searches = {row: some for row, some in cells.items() if some is not clean}
        made = [_point(row, some, clean) for row, some in searches.items() if clean]
        found[name] = sorted((one for one in made if one), key=lambda one: one.minutes)
    return found


def best(points: Sequence[Point]) -> list[Point]:
    """Return the front, cheapest first: the points that protect better than every cheaper point."""
    front: list[Point] = []
    for point in sorted(points, key=lambda one: (one.minutes, mean(one.retained))):
        if not front or mean(point.retained) < mean(front[-1].retained):
            front.append(point)
    return front


def _point(row: str, protected: Sequence[Measured], clean: Sequence[Measured]) -> Point | None:
    accuracies = [_by_seed(one) for one in (*protected, *clean)]
    seeds = sorted(set.intersection(*(set(one) for one in accuracies)))
    times = [
        float(result.search["cpu_seconds"])
        for result in protected[0].results
        if result.search and "cpu_seconds" in result.search and result.cell.seed in seeds
    ]
    if not seeds or not times:
        return None
    chance = 1 / len(protected[0].results[0].classes)
    pairs = list(zip(accuracies[: len(protected)], accuracies[len(protected) :], strict=True))
    retained = tuple(
        mean(max(0.0, float(retained_share(noisy[seed], plain[seed], chance))) for noisy, plain in pairs)
        for seed in seeds
    )
    return Point(row, mean(times) / 60, retained)


def _by_seed(one: Measured) -> dict[int, float]:
    return {result.cell.seed: last for result, last in zip(one.results, one.last, strict=True)}
