"""The accuracies at one position of a table, and the searches that ended at their cap of rounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from unlearnable import methods
from unlearnable.cells.results import Result

CAPPED = "†"  # marks noise whose search ended at its cap of rounds


@dataclass(frozen=True)
class Measured:
    """Balanced accuracies at one position of a table, one for each seed, as shares in [0, 1].

    Args:
        last: At the last epoch.
        peak: At the best epoch; empty where it is not known.
        results: The contents of the result files.
        x: Position of the row on an axis.
    """

    last: tuple[float, ...]
    peak: tuple[float, ...]
    results: tuple[Result, ...]
    x: float | None = None

    def of(self, measure: str) -> tuple[float, ...]:
        """Return the accuracies of a measure, ``last`` or ``peak``."""
        return self.peak if measure == "peak" else self.last

    @property
    def capped(self) -> tuple[Result, ...]:
        """The results whose search ended at its cap of rounds, before the error that should have ended it."""
        return tuple(result for result in self.results if is_capped(result))


def goal(result: Result) -> float:
    """Return the error at which the search of a result is to stop, in [0, 1].

    It has no goal at 0, or at 1 if the method raises the error.
    """
    return float(_method(result).config.stop_error)


def _method(result: Result) -> methods.Method[Any]:
    assert result.cell.poison is not None
    search = result.cell.poison.search
    return methods.create(search.method, dict(search.settings))


def is_capped(result: Result) -> bool:
    """Return whether a search ended at its cap of rounds, before the error that should have ended it."""
    if not result.search or result.search.get("error") is None:
        return False
    wanted, error, rises = goal(result), float(result.search["error"]), _method(result).rises
    missed = error < wanted if rises else error >= wanted
    # without a goal, a search is meant to end after its rounds
    return wanted != float(rises) and missed and str(result.search["stopped"]).endswith("done")
