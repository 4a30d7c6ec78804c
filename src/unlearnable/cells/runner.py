"""Run cells in any order and in several processes; a cell that is finished or running is skipped."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from unlearnable.cells.cache import Busy
from unlearnable.cells.cell_runner import CellRunner, TimeIsUp
from unlearnable.cells.results import Result, Results
from unlearnable.cells.spec import Cell
from unlearnable.errors import DataError, UnlearnableError
from unlearnable.events import Event
from unlearnable.plugins import words

# disk full, read-only or failing: every other cell would fail likewise
FATAL = frozenset({errno.ENOSPC, errno.EROFS, errno.EIO})
PAUSE = 2.0  # seconds before cells that other processes run are checked again


@dataclass(frozen=True)
class RunOutcome:
    """The outcome of a run.

    Args:
        made: Cells that were run now.
        there: Cells that had a result before.
        missing: Cells that were left out because of the deadline.
        without_data: Cells whose data cannot be opened, with the reason.
        failed: Cells that raised an error, such as one of a plugin.
    """

    made: tuple[Cell, ...]
    there: tuple[Cell, ...]
    missing: tuple[Cell, ...]
    without_data: Mapping[Cell, DataError]
    failed: Mapping[Cell, Exception] = field(default_factory=dict)


def run(
    cells: Sequence[Cell],
    cell_runner: CellRunner,
    results: Results,
    on_result: Callable[[Result, int, int], None] = lambda result, done, total: None,
    pause: float = PAUSE,
) -> RunOutcome:
    """Run every cell that has no result yet. One that fails does not stop the others.

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
        OSError: If the disk is full or cannot be written, which concerns every cell.
    """
    wanted, hashes, without = list(dict.fromkeys(cells)), {}, dict[Cell, DataError]()
    failed: dict[Cell, Exception] = {}
    for cell in wanted:
        try:
            hashes[cell] = cell_runner.hash(cell)
        except DataError as error:
            without[cell] = error
        # such as the method of a plugin that is not loaded
        except UnlearnableError as error:
            failed[cell] = error
    if without and not hashes and not failed:
        raise next(iter(without.values()))
    wanted = list(hashes)
    there = [cell for cell in wanted if results.path(cell, hashes[cell]).exists()]
    pending = [cell for cell in wanted if cell not in set(there)]
    made: list[Cell] = []
    while pending and time.monotonic() <= cell_runner.deadline:
        before = len(pending)
        for cell in list(pending):
            if time.monotonic() > cell_runner.deadline:
                break
            try:
                with cell_runner.cache.claim("cell", hashes[cell]):
                    if not results.path(cell, hashes[cell]).exists():
                        result = cell_runner.run(cell)
                        results.save(result)
                        made.append(cell)
                        on_result(result, len(wanted) - len(pending) + 1, len(wanted))
            except Busy:
                continue
            except TimeIsUp:
                break
            # methods, networks and countermeasures may be those of plugins, which raise anything
            except Exception as error:
                if isinstance(error, OSError) and error.errno in FATAL:
                    raise
                failed[cell] = error
                text = f"{cell.label} failed: {words(error)}"
                cell_runner.on_progress(Event("experiment", text=text))
            pending.remove(cell)
        if pending and len(pending) == before:
            time.sleep(pause)
    return RunOutcome(tuple(made), tuple(there), tuple(pending), without, failed)
