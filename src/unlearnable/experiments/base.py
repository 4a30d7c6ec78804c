"""The contract of an experiment: a grid of cells, claims about it, and the figure that shows it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from unlearnable.cells import Cell
from unlearnable.experiments.profile import Profile
from unlearnable.registry import Registry

Figure = Literal["bars", "lines", "curves", "heat", "confusion", "front"]


@dataclass(frozen=True)
class Entry:
    """A cell and its position in the table.

    Args:
        row: Name of the row.
        column: Name of the column.
        cell: The training; cells at the same position differ in their seed only.
        x: Position of the row on the axis of a ``lines`` figure.
        over: Only the test images of these classes count; empty for all classes. The best epoch is not known
            then, because recall is recorded at the last epoch only.
        apart: Whether the classes in ``over`` are those that do not count.
    """

    row: str
    column: str
    cell: Cell
    x: float | None = None
    over: tuple[str, ...] = ()
    apart: bool = False

    @property
    def names(self) -> tuple[str, str, str]:
        """The names of its row and its column, and ``row/column``."""
        return self.row, self.column, f"{self.row}/{self.column}"


@dataclass(frozen=True)
class Below:
    """A claim: accuracy at one position of the table is below that at another.

    Args:
        lower: (row, column) of the lower accuracy.
        upper: (row, column) of the higher accuracy.
        text: The claim in words.
        measure: Accuracy at the ``last`` or at the best (``peak``) epoch.
        upper_measure: That of the higher accuracy, if it is another one: with both at the same position, the
            claim is about the fall from the best to the last epoch.
        by: Smallest gap, as a share in [-1, 1]; negative where the claim is that the two hardly differ.
    """

    lower: tuple[str, str]
    upper: tuple[str, str]
    text: str
    measure: Literal["last", "peak"] = "last"
    by: float = 0.0
    upper_measure: Literal["", "last", "peak"] = ""


@dataclass(frozen=True)
class Experiment:
    """A table or figure, of the paper or added by this project.

    Args:
        name: Its name in ``unlearnable experiment NAME``.
        order: Position in lists and on pages, the smallest first.
        title: The heading.
        question: The question that it answers, a sentence or two.
        grid: Yields the entries under a profile, all seeds.
        rows: Meaning of the rows.
        columns: Meaning of the columns.
        figure: Kind of figure.
        gallery: Whether patterns of its noise are shown.
        claims: Claims that can be checked.
        published: Published figures by (row, column), as text, for the profile ``paper``.
        note: Returns a sentence for the caption, from the profile.
        timed: Whether a note gives the seconds of one search of each column.
    """

    name: str
    order: int
    title: str
    question: str
    grid: Callable[[Profile], Iterable[Entry]]
    rows: str
    columns: str
    figure: Figure
    gallery: bool = False
    claims: Sequence[Below] = ()
    published: Mapping[tuple[str, str], str] = field(default_factory=dict)
    note: Callable[[Profile], str] | None = None
    timed: bool = False

    def entries(self, profile: Profile, seeds: Sequence[int] = (), only: str = "") -> list[Entry]:
        """Return the entries under a profile, all entries of the first seed before those of the second.

        Args:
            profile: The size of the experiment.
            seeds: Only these seeds; empty for all of the profile.
            only: A row, a column or ``row/column``, in upper or lower case. If one has exactly this name,
                only its entries are returned; else all whose ``row/column`` contains it. Empty for all.
        """
        chosen, wanted = list(self.grid(profile)), only.lower()
        if only:
            named = [entry for entry in chosen if wanted in (name.lower() for name in entry.names)]
            chosen = named or [entry for entry in chosen if wanted in entry.names[-1].lower()]
        chosen = [entry for entry in chosen if not seeds or entry.cell.seed in seeds]
        # a run that stops early then leaves whole tables of fewer seeds
        return sorted(chosen, key=lambda entry: entry.cell.seed)


_EXPERIMENTS: Registry[Experiment] = Registry("experiment", "all")


def experiment(
    *,
    title: str,
    order: int = 1000,
    rows: str,
    columns: str = "form of the noise",
    figure: Figure = "bars",
    gallery: bool = False,
    claims: Sequence[Below] = (),
    published: Mapping[tuple[str, str], str] | None = None,
    note: Callable[[Profile], str] | None = None,
    timed: bool = False,
) -> Callable[[Callable[[Profile], Iterable[Entry]]], Callable[[Profile], Iterable[Entry]]]:
    """Register a grid under its function's name; its docstring is the question that it answers.

    Raises:
        UsageError: If an experiment of that name is registered already.
    """

    def register(grid: Callable[[Profile], Iterable[Entry]]) -> Callable[[Profile], Iterable[Entry]]:
        name = grid.__name__.replace("_", "-")
        question = " ".join((inspect.getdoc(grid) or "").split())
        made = Experiment(
            name,
            order,
            title,
            question,
            grid,
            rows,
            columns,
            figure,
            gallery,
            claims,
            published or {},
            note,
            timed,
        )
        _EXPERIMENTS.add(name, made, grid.__module__)
        return grid

    return register


def names() -> dict[str, str]:
    """Return every experiment's name and title, in the order of the pages."""
    _EXPERIMENTS.complete()
    return {
        one.name: one.title for one in sorted(_EXPERIMENTS.values(), key=lambda one: (one.order, one.name))
    }


def get(name: str) -> Experiment:
    """Return an experiment.

    Raises:
        UsageError: If there is none of that name.
    """
    return _EXPERIMENTS.find(name)
