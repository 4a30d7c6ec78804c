"""Run cells in any order and in several processes; a cell that is finished or running is skipped."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from unlearnable.cells.cache import Busy
from unlearnable.cells.cell_runner import CellRunner, TimeIsUp
from unlearnable.cells.results import Result, Results
from unlearnable.cells.spec import Cell
from unlearnable.errors import DataError

PAUSE = 2.0  # seconds before cells that other processes run are checked again


@dataclass(frozen=True)
class RunOutcome:
    """The outcome of a run.

    Args:
        made: Cells that were run now.
        there: Cells that had a result before.
        missing: Cells that were left out because of the deadline.
        without_data: Cells whose data cannot be opened, with the reason.
    """

    made: tuple[Cell, ...]
    there: tuple[Cell, ...]
    missing: tuple[Cell, ...]
    without_data: Mapping[Cell, DataError]


def run(
    cells: Sequence[Cell],
    cell_runner: CellRunner,
    results: Results,
    on_result: Callable[[Result, int, int], None] = lambda result, done, total: None,
    pause: float = PAUSE,
) -> RunOutcome:
    """Run every cell that has no result yet.

    Args:
        cells: The cells; duplicates are run once.
        cell_runner: Runs a cell; its deadline ends the run.
        results: The result files.
        on_result: Called after each cell with its result, the number of finished cells and of all.
        pause: Seconds before cells that other processes run are checked again.

    Returns:
        The cells that were run, that had results, and that are left.

    Raises:
        DataError: If the data of no cell can be opened.
    """
    wanted, hashes, without = list(dict.fromkeys(cells)), {}, dict[Cell, DataError]()
    for cell in wanted:
        try:
            hashes[cell] = cell_runner.hash(cell)
        except DataError as error:
            without[cell] = error
    if without and not hashes:
        raise next(iter(without.values()))
    wanted = list(hashes)
    there = [cell for cell in wanted if results.path(cell, hashes[cell]).exists()]
    pending = [cell for cell in wanted if cell not in set(there)]
    made: list[Cell] = []
    # seconds of the longest training by data, victim and countermeasure: no training begins that would
    # not end before the deadline
    longest: dict[str, float] = {}
    while pending:
        before = len(pending)
        for cell in list(pending):
            if time.monotonic() + longest.get(_kind(cell), 0.0) > cell_runner.deadline:
                continue
            try:
                with cell_runner.cache.claim("cell", hashes[cell]):
                    if not results.path(cell, hashes[cell]).exists():
                        result = cell_runner.run(cell)
                        results.save(result)
                        longest[_kind(cell)] = max(result.seconds, longest.get(_kind(cell), 0.0))
                        made.append(cell)
                        on_result(result, len(wanted) - len(pending) + 1, len(wanted))
            except Busy:
                continue
            except TimeIsUp:
                break
            pending.remove(cell)
        if pending and all(
            time.monotonic() + longest.get(_kind(cell), 0.0) > cell_runner.deadline for cell in pending
        ):
            break
        if pending and len(pending) == before:
            time.sleep(pause)
    return RunOutcome(tuple(made), tuple(there), tuple(pending), without)


def _kind(cell: Cell) -> str:
    return f"{cell.data.text} {cell.victim.text} {cell.countermeasure}"
