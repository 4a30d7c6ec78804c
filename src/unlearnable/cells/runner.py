"""Cells in any order and in several processes: what is finished is not done again, what is claimed is left to who claimed it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from unlearnable.cells.cache import Busy
from unlearnable.cells.cell_runner import CellRunner, TimeIsUp
from unlearnable.cells.results import Result, Results
from unlearnable.cells.spec import Cell
from unlearnable.errors import DataError

PAUSE = 2.0  # seconds between two looks at what other processes are making


@dataclass(frozen=True)
class Outcome:
    """What a run came to: cells that were made now, that were there, that are still missing, and why data of others is not there."""

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
) -> Outcome:
    """Make every cell that has no result yet.

    Args:
        cells: The cells; one that is named twice is made once.
        cell_runner: Where they are made; its deadline ends the run.
        results: Where results are written.
        on_result: Called after each cell that was made, with the number of finished ones and of all.
        pause: Seconds between two looks at what other processes are making.

    Returns:
        What was made, what was there, and what is left.

    Raises:
        DataError: If no cell has its data.
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
    longest: dict[str, float] = {}  # seconds of a training, by who trains on what
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
    return Outcome(tuple(made), tuple(there), tuple(pending), without)


def _kind(cell: Cell) -> str:
    return f"{cell.data.text} {cell.victim.text} {cell.countermeasure}"
