"""The figure of each kind of experiment, as SVG. Accuracies are balanced accuracies on clean test images."""

from __future__ import annotations

from collections.abc import Callable
from statistics import mean, stdev
from typing import Any

import numpy as np

from unlearnable.experiments.base import Figure
from unlearnable.experiments.front import best, points
from unlearnable.experiments.table import Table
from unlearnable.report.figures import CLEAN, INK, MORE, canvas, svg

COLOURS = (CLEAN, *MORE, "#b5838d", "#6d6875", "#8ab17d")


def draw(table: Table) -> str:
    """Return the figure of a table as SVG."""
    return DRAW[table.experiment.figure](table)


def bars(table: Table) -> str:
    """Draw accuracy at the last epoch as bars, at the best epoch as dots."""
    rows = [row for row in table.rows if any((row, column) in table.measured for column in table.columns)]
    figure, (axes,) = canvas(1, 6.6, 0.9 + 0.19 * len(rows) * (len(table.columns) + 0.6))
    height, middle = 0.8 / len(table.columns), np.arange(len(rows))
    for index, (column, colour) in enumerate(zip(table.columns, COLOURS, strict=False)):
        found = [table.measured.get((row, column)) for row in rows]
        y = middle + (index - (len(table.columns) - 1) / 2) * height
        axes.barh(
            y,
            [100 * mean(one.last) if one else 0 for one in found],
            height * 0.9,
            color=colour,
            label=column,
        )
        peaks = [(at, 100 * mean(one.peak)) for at, one in zip(y, found, strict=True) if one and one.peak]
        axes.plot(
            [peak for _, peak in peaks],
            [at for at, _ in peaks],
            "o",
            color=colour,
            markeredgecolor=INK,
            markersize=3.5,
            linewidth=0,
        )
    axes.set(
        xlim=(0, 100),
        yticks=middle,
        ylim=(len(rows) - 0.4, -0.6),
        xlabel="accuracy on clean test images: last epoch (dot: best)",
    )
    axes.set_yticklabels(rows)
    _guessing(table, axes.axvline)
    _percent(axes.xaxis)
    axes.legend(
        frameon=False,
        fontsize=7.5,
        labelcolor=INK,
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=min(4, len(table.columns)),
    )
    return svg(figure, table.experiment.title)


def lines(table: Table) -> str:
    """Draw accuracy at the last epoch against the numbers in the rows, with the deviation over seeds."""
    figure, (axes,) = canvas(1, 6.2, 3.2)
    for column, colour in zip(table.columns, COLOURS, strict=False):
        points = sorted(
            (one.x or 0.0, one.last) for (_, name), one in table.measured.items() if name == column
        )
        x, y = [at for at, _ in points], [100 * mean(values) for _, values in points]
        # one seed has no deviation, rather than one of 0
        error = [100 * stdev(values) if len(values) > 1 else float("nan") for _, values in points]
        axes.errorbar(
            x, y, error, color=colour, marker="o", markersize=3.5, linewidth=1.8, capsize=2, label=column
        )
    axes.set(ylim=(0, 100), xlabel=table.experiment.rows, ylabel="accuracy, last epoch")
    _guessing(table, axes.axhline)
    _percent(axes.yaxis)
    axes.legend(frameon=False, fontsize=7.5, labelcolor=INK, loc="best")
    return svg(figure, table.experiment.title)


def curves(table: Table) -> str:
    """Draw accuracy by epoch, one panel per column, with the range over seeds."""
    figure, panels = canvas(len(table.columns), 3.3, 2.9, sharey=True)
    for axes, column in zip(panels, table.columns, strict=True):
        for row, colour in zip(table.rows, COLOURS, strict=False):
            found = table.measured.get((row, column))
            curves = [result.curve for result in found.results] if found else []
            known = [curve.epochs for curve in curves if curve is not None]
            if known:
                test = 100 * np.array(known)
                epochs = np.arange(1, test.shape[1] + 1)
                axes.plot(epochs, test.mean(0), color=colour, linewidth=2, label=row)
                if len(test) > 1:
                    axes.fill_between(epochs, test.min(0), test.max(0), color=colour, alpha=0.15, linewidth=0)
        axes.set(ylim=(0, 100), xlabel="epoch")
        axes.set_title(column, fontsize=9.5, color=INK)
        _guessing(table, axes.axhline)
        _percent(axes.yaxis)
    panels[0].set_ylabel("accuracy on clean test images")
    fullest = max(panels, key=lambda axes: len(axes.get_lines()))
    fullest.legend(
        *fullest.get_legend_handles_labels(), frameon=False, fontsize=7, labelcolor=INK, loc="best"
    )
    return svg(figure, table.experiment.title)


def heat(table: Table) -> str:
    """Draw accuracy at the last epoch as a map of rows by columns."""
    figure, (axes,) = canvas(1, 1.6 + 1.2 * len(table.columns), 0.9 + 0.32 * len(table.rows))
    values = np.array([[_last(table, row, column) for column in table.columns] for row in table.rows])
    _matrix(axes, values, table.rows, table.columns, "{:.0f}")
    axes.set(xlabel=table.experiment.columns)
    return svg(figure, table.experiment.title)


def confusion(table: Table) -> str:
    """Draw the confusion matrix of every cell that has one: last epoch, in percent of each class (row)."""
    shown: dict[str, Any] = {}
    for (row, column), found in table.measured.items():
        if found.results[0].confusion is not None:
            shown.setdefault(found.results[0].hash, (row, column.partition(",")[0], found.results[0]))
    figure, panels = canvas(
        min(3, max(1, len(shown))), 3.0, 3.1 * -(-max(1, len(shown)) // 3), rows=-(-max(1, len(shown)) // 3)
    )
    for axes, (row, column, result) in zip(panels, shown.values(), strict=False):
        counts = np.array(result.confusion, dtype=float)
        _matrix(
            axes, 100 * counts / counts.sum(1, keepdims=True), result.classes, result.classes, "", size=5.5
        )
        axes.set_title(f"{row} ({column})", fontsize=8, color=INK)
    for axes in panels[len(shown) :]:
        axes.set_visible(False)
    return svg(figure, table.experiment.title)


def front(table: Table) -> str:
    """Draw the retained share against the minutes of a search, a panel for each set, the front as a line.

    The points of the front have numbers, and a list below has their names: beside the points, they would
    overlap.
    """
    sets = {name: found for name, found in points(table).items() if found}
    figure, panels = canvas(max(1, len(sets)), 4.4, 3.6, sharey=True)
    for axes, (name, found) in zip(panels, sets.items(), strict=False):
        shown = best(found)
        for point in found:
            on_it = point in shown
            share = [100 * one for one in point.retained]
            # one seed has no deviation, rather than one of 0
            error = stdev(share) if len(share) > 1 else float("nan")
            axes.errorbar(
                point.minutes,
                mean(share),
                error,
                color=MORE[0] if on_it else CLEAN,
                marker="o",
                markersize=4,
                capsize=2,
            )
            if on_it:
                axes.annotate(
                    str(shown.index(point) + 1),
                    (point.minutes, mean(share)),
                    (4, 4),
                    textcoords="offset points",
                    fontsize=8,
                    color=INK,
                )
        axes.plot([one.minutes for one in shown], [100 * mean(one.retained) for one in shown], color=MORE[0])
        axes.set(xscale="log", xlabel="CPU minutes of the search")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:g}"[0] in "25" else "")
        axes.tick_params(which="minor", labelsize=8, labelcolor=INK, length=2)
        axes.set_title(name, fontsize=9.5, color=INK)
        axes.margins(x=0.2)
        listed = "\n".join(f"{number}  {one.row}" for number, one in enumerate(shown, 1))
        axes.text(0, -0.22, listed, transform=axes.transAxes, va="top", fontsize=7.5, color=INK)
    panels[0].set(ylabel="retained share, mean over the trainers")
    panels[0].set_ylim(bottom=0)
    _percent(panels[0].yaxis)
    return svg(figure, table.experiment.title)


DRAW: dict[Figure, Callable[[Table], str]] = {
    "bars": bars,
    "lines": lines,
    "curves": curves,
    "heat": heat,
    "confusion": confusion,
    "front": front,
}


def _last(table: Table, row: str, column: str) -> float:
    found = table.measured.get((row, column))
    return 100 * mean(found.last) if found else float("nan")


def _matrix(axes: Any, values: Any, rows: Any, columns: Any, form: str, size: float = 7.5) -> None:
    axes.imshow(values, cmap="viridis", vmin=0, vmax=100, aspect="auto")
    axes.set(xticks=range(len(columns)), yticks=range(len(rows)))
    axes.set_xticklabels(
        columns,
        rotation=45 if len(columns) > 5 else 0,
        ha="right" if len(columns) > 5 else "center",
        fontsize=size,
    )
    axes.set_yticklabels(rows, fontsize=size)
    for (y, x), value in np.ndenumerate(values):
        if form and not np.isnan(value):
            axes.text(
                x,
                y,
                form.format(value),
                ha="center",
                va="center",
                fontsize=7.5,
                color="#fff" if value < 60 else "#222",
            )


def _guessing(table: Table, line: Callable[..., Any]) -> None:
    counts = {len(result.classes) for result in table.results}
    if len(counts) == 1:
        line(100 / counts.pop(), color=INK, linewidth=0.9, linestyle=":")


def _percent(axis: Any) -> None:
    axis.set_major_formatter(lambda value, _: f"{value:.0f}%")
