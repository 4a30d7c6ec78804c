"""From result files to a table: the seeds measured at every position, and the outcome of every claim."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from unlearnable.arguments import unknown
from unlearnable.cells import Cell
from unlearnable.cells.results import Result
from unlearnable.cells.revisions import revisions
from unlearnable.errors import UsageError
from unlearnable.experiments.base import Entry, Experiment
from unlearnable.experiments.claims import ClaimOutcome, outcome
from unlearnable.experiments.measured import CAPPED, Measured
from unlearnable.experiments.profile import Profile
from unlearnable.plugins import words

Position = tuple[str, str]  # (row, column)


@dataclass(frozen=True)
class Table:
    """The table of an experiment under a profile.

    Args:
        experiment: The experiment.
        profile: Its size.
        rows: Names of the rows.
        columns: Names of the columns.
        measured: Accuracies by (row, column); missing where nothing was run.
        wanted: Cells of the grid, counting those seeds only of which at least one cell was run.
        stale: Results that were left out because a revision has changed since, or because their data differs
            from that of the others.
        problems: What has failed: the grid itself, cells, or the figure.
    """

    experiment: Experiment
    profile: Profile
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    measured: Mapping[Position, Measured]
    wanted: int
    stale: int
    problems: tuple[str, ...] = ()

    @property
    def results(self) -> list[Result]:
        """Every result in the table, once."""
        return list(
            {result.hash: result for one in self.measured.values() for result in one.results}.values()
        )

    @property
    def begun(self) -> bool:
        """Whether any training on protected images was run; clean cells belong to many tables."""
        return any(result.cell.poison is not None for result in self.results)

    @property
    def outcomes(self) -> list[ClaimOutcome]:
        """The outcomes of the claims."""
        return [
            outcome(claim, self.measured.get(claim.lower), self.measured.get(claim.upper))
            for claim in self.experiment.claims
        ]


def gather(
    experiments: Iterable[Experiment], profile: Profile, seeds: Sequence[int] = (), only: str = ""
) -> tuple[list[Entry], dict[str, str]]:
    """Return the entries of experiments, and the problem of every experiment whose grid raises, by name.

    Arguments are those of ``Experiment.entries``.
    """
    entries: list[Entry] = []
    problems: dict[str, str] = {}
    for one in experiments:
        try:
            entries += one.entries(profile, seeds, only)
        # a grid may be that of a plugin, which raises anything
        except Exception as error:
            problems[one.name] = words(error)
    return entries, problems


def nothing_chosen(
    experiments: Iterable[Experiment], profile: Profile, seeds: Sequence[int], only: str
) -> UsageError:
    """Return the error for a choice that no cell fits; arguments are those of ``gather``."""
    entries, _ = gather(experiments, profile)
    known = sorted({entry.cell.seed for entry in entries})
    if seeds and not set(seeds) & set(known):
        listed = ", ".join(map(str, known))
        return UsageError(f"No cell has the seed {seeds[0]}.", f"The seeds of {profile.name}: {listed}.")
    names = dict.fromkeys(name for entry in entries for name in (entry.row, entry.column))
    return unknown("row or column with", only, names, "--list shows all cells.")


def tabulate(
    experiment: Experiment,
    profile: Profile,
    found: Mapping[str, Result],
    failed: Mapping[Cell, Exception] | None = None,
) -> Table:
    """Make a table of the results that exist. An experiment that raises has an empty table with the problem.

    Args:
        experiment: The experiment to show.
        profile: Its size.
        found: Results by the text of their cell.
        failed: Cells that have failed just now.
    """
    try:
        return _tabulated(experiment, profile, found, failed or {})
    # a grid may be that of a plugin, which raises anything
    except Exception as error:
        return Table(experiment, profile, (), (), {}, 0, 0, (words(error),))


def _tabulated(
    experiment: Experiment, profile: Profile, found: Mapping[str, Result], failed: Mapping[Cell, Exception]
) -> Table:
    entries = experiment.entries(profile)
    used: dict[Position, list[tuple[Entry, Result]]] = {}
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
        used.setdefault((entry.row, entry.column), []).append((entry, result))
    measured = {position: _measured(pairs) for position, pairs in used.items()}
    # as in ``Table.begun``: a clean cell may have been run for another table
    seeds = {
        result.cell.seed
        for one in measured.values()
        for result in one.results
        if result.cell.poison is not None
    }
    wanted = {entry.cell for entry in entries if entry.cell.seed in seeds or not seeds}
    rows, columns = (
        tuple(dict.fromkeys(getattr(entry, name) for entry in entries)) for name in ("row", "column")
    )
    problems = tuple(
        f"{entry.row} / {entry.column} / seed {entry.cell.seed}: {words(failed[entry.cell])}"
        for entry in entries
        if entry.cell in failed
    )
    return Table(experiment, profile, rows, columns, measured, len(wanted), stale, problems)


def _measured(pairs: Sequence[tuple[Entry, Result]]) -> Measured:
    last, peak = [], []
    for entry, result in pairs:
        if entry.over:
            recall = dict(zip(result.classes, result.recall, strict=True))
            last.append(mean(recall[name] for name in recall if (name in entry.over) != entry.apart))
        else:
            last.append(result.last)
            if result.peak is not None:
                peak.append(result.peak)
    # a mean over other seeds than those of the last epoch would mislead
    return Measured(
        tuple(last),
        tuple(peak) if len(peak) == len(last) else (),
        tuple(result for _, result in pairs),
        pairs[0][0].x,
    )


def number(values: Sequence[float]) -> str:
    """Return the mean in percent, with the sample standard deviation if there is more than one seed."""
    return f"{100 * mean(values):.1f}" + (f" ± {100 * stdev(values):.1f}" if len(values) > 1 else "")


def accuracy(last: Sequence[float], peak: Sequence[float]) -> str:
    """Return accuracy at the last epoch in percent, and in brackets at the best epoch where it is known."""
    return number(last) + (f" ({100 * mean(peak):.1f})" if peak else "")


def text(measured: Measured | None) -> str:
    """Return the accuracies at a position as text; empty where nothing was run.

    A dagger marks noise whose search ended at its cap of rounds.
    """
    if measured is None:
        return ""
    return accuracy(measured.last, measured.peak) + (f" {CAPPED}" if measured.capped else "")


def to_csv(table: Table) -> str:
    """Return a table as CSV: a line for each seed at each position."""
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(
        [
            "row",
            "column",
            "seed",
            "last_epoch",
            "best_epoch",
            "images",
            "protected",
            "epochs",
            "search_stopped",
            "hash",
        ]
    )
    for position, measured in table.measured.items():
        for index, result in enumerate(measured.results):
            lines.writerow(
                [
                    *position,
                    result.cell.seed,
                    round(measured.last[index], 4),
                    measured.peak[index] if measured.peak else "",
                    result.images,
                    result.protected,
                    len(result.test),
                    result.search.get("stopped", "") if result.search else "",
                    result.hash[:12],
                ]
            )
    return out.getvalue()
