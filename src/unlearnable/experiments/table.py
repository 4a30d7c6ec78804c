"""From result files to a table: every place holds the seeds that were run, and every claim what became of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from unlearnable.cells.results import Result
from unlearnable.cells.revisions import revisions
from unlearnable.experiments.base import Below, Entry, Experiment
from unlearnable.experiments.profile import Profile

Key = tuple[str, str]


@dataclass(frozen=True)
class Place:
    """What was found at one place of a table, a number per seed; accuracies in [0, 1].

    Args:
        last: After the last epoch.
        peak: After the best epoch; empty where only some classes count.
        results: The result files' contents.
        x: Where the row lies on an axis.
    """

    last: tuple[float, ...]
    peak: tuple[float, ...]
    results: tuple[Result, ...]
    x: float | None = None

    def of(self, measure: str) -> tuple[float, ...]:
        """Return the numbers of a measure."""
        return self.peak if measure == "peak" else self.last


@dataclass(frozen=True)
class Verdict:
    """What became of a claim: ``holds``, ``does not hold``, ``within the spread`` or ``not measured``, and the two means."""

    claim: Below
    word: str
    lower: float | None = None
    upper: float | None = None
    seeds: int = 0


@dataclass(frozen=True)
class Table:
    """A table.

    Args:
        experiment: What it is of.
        profile: How large it is.
        rows: Names of the rows.
        columns: Names of the columns.
        places: What was found, by (row, column); missing where nothing was run.
        wanted: Cells of the grid, of the seeds that were run at all.
        stale: Results that were left out because a revision has changed since, or the data differ from those
            of the others.
    """

    experiment: Experiment
    profile: Profile
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    places: Mapping[Key, Place]
    wanted: int
    stale: int

    @property
    def results(self) -> list[Result]:
        """Every result in it, once."""
        return list(
            {result.hash: result for place in self.places.values() for result in place.results}.values()
        )

    @property
    def verdicts(self) -> list[Verdict]:
        """What became of the claims."""
        return [self._verdict(claim) for claim in self.experiment.claims]

    def _verdict(self, claim: Below) -> Verdict:
        low, high = self.places.get(claim.lower), self.places.get(claim.upper)
        if low is None or high is None:
            return Verdict(claim, "not measured")
        lower, upper = low.of(claim.measure), high.of(claim.measure)
        gap = mean(upper) - mean(lower) - claim.by
        both = [stdev(values) for values in (lower, upper) if len(values) > 1]
        spread = sum(value**2 for value in both) ** 0.5
        word = "within the spread" if abs(gap) < spread else "holds" if gap >= 0 else "does not hold"
        return Verdict(claim, word, mean(lower), mean(upper), min(len(lower), len(upper)))


def tabulate(experiment: Experiment, profile: Profile, found: Mapping[str, Result]) -> Table:
    """Make a table of the results that there are.

    Args:
        experiment: What to show.
        profile: How large.
        found: Results by the text of their cell.
    """
    entries = experiment.entries(profile)
    kept: dict[Key, list[tuple[Entry, Result]]] = {}
    prints: dict[str, str] = {}
    stale = 0
    for entry in entries:
        result = found.get(entry.cell.text)
        if result is None:
            continue
        if result.revisions != revisions(entry.cell) or any(
            prints.setdefault(key, value) != value for key, value in result.fingerprints.items()
        ):
            stale += 1
            continue
        kept.setdefault((entry.row, entry.column), []).append((entry, result))
    places = {key: _place(pairs) for key, pairs in kept.items()}
    # clean cells are shared: one that another table needed does not mean that this one was begun
    seeds = {
        result.cell.seed
        for place in places.values()
        for result in place.results
        if result.cell.poison is not None
    }
    wanted = {entry.cell for entry in entries if entry.cell.seed in seeds or not seeds}
    rows, columns = (
        tuple(dict.fromkeys(getattr(entry, name) for entry in entries)) for name in ("row", "column")
    )
    return Table(experiment, profile, rows, columns, places, len(wanted), stale)


def _place(pairs: Sequence[tuple[Entry, Result]]) -> Place:
    last, peak = [], []
    for entry, result in pairs:
        if entry.over:
            recall = dict(zip(result.classes, result.recall, strict=True))
            last.append(mean(recall[name] for name in entry.over))
        else:
            last.append(result.last)
            peak.append(result.peak)
    return Place(tuple(last), tuple(peak), tuple(result for _, result in pairs), pairs[0][0].x)


def number(values: Sequence[float]) -> str:
    """Write the mean in percent, with the standard deviation over seeds where there is more than one."""
    return f"{100 * mean(values):.1f}" + (f" ± {100 * stdev(values):.1f}" if len(values) > 1 else "")


def text(place: Place | None) -> str:
    """Write a place: last epoch, and the best one in brackets."""
    if place is None:
        return ""
    return number(place.last) + (f" ({100 * mean(place.peak):.1f})" if place.peak else "")


def to_csv(table: Table) -> str:
    """Write a table as CSV: a line for each seed of each place."""
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(["row", "column", "seed", "last", "peak", "images", "protected", "epochs", "hash"])
    for (row, column), place in table.places.items():
        for index, result in enumerate(place.results):
            peak = place.peak[index] if place.peak else ""
            cell = [
                result.cell.seed,
                round(place.last[index], 4),
                peak,
                result.images,
                result.protected,
                len(result.test),
                result.hash[:12],
            ]
            lines.writerow([row, column, *cell])
    return out.getvalue()
