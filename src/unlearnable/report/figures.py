"""Figures as SVG inside the page, with text in the colour of the page."""

from __future__ import annotations

import io
import re
import warnings
from html import escape
from typing import Any

import numpy as np

from unlearnable.report.parts import ArmRecord, TrialRecord
from unlearnable.report.record import Record

CLEAN, PROTECTED = "#2a9d8f", "#e76f51"
MORE = ("#e76f51", "#7b6cf6", "#e9a23b", "#4f8fd9")
# Legible on a light and on a dark page.
INK = "#7f8790"
MANY_CLASSES = 30
# inches: text stays legible if a phone is as wide as this
WIDTH = 4.6
# characters of a class name beside its bars
LONGEST = 24


def curves(record: Record) -> list[str]:
    """Return the learning curves of the headline's trial, an SVG for each arm: they stack on a phone.

    Training and test accuracy: one thin line per seed, and their mean.
    """
    trial, clean, headline = record.main
    shown = list(trial.arms) if record.kind == "demo" else [clean, headline]
    drawn = []
    for arm, colour in zip(shown, (CLEAN, *MORE), strict=False):
        figure, (axes,) = canvas(1, 3.3, 2.7)
        _curve(axes, arm, colour, trial)
        axes.set_ylabel("accuracy")
        drawn.append(svg(figure, f"Learning curves on {escape(arm.name)} images: accuracy by epoch"))
    return drawn


def _curve(axes: Any, arm: ArmRecord, colour: str, trial: TrialRecord) -> None:
    train = np.array([curve.train for curve in arm.curves]) * 100
    test = np.array([curve.test for curve in arm.curves]) * 100
    epochs = np.arange(1, train.shape[1] + 1)
    for line in train:
        axes.plot(epochs, line, color=INK, alpha=0.25, linewidth=0.7)
    for line in test:
        axes.plot(epochs, line, color=colour, alpha=0.3, linewidth=0.7)
    axes.plot(
        epochs, train.mean(axis=0), color=INK, linewidth=1.6, linestyle=(0, (4, 1.5)), label="training images"
    )
    axes.plot(epochs, test.mean(axis=0), color=colour, linewidth=2.2, label="unseen clean images")
    axes.axhline(trial.chance * 100, color=INK, linewidth=0.9, linestyle=":", label="guessing")
    axes.set(ylim=(0, 103), xlabel="epoch", xlim=(1, max(2, len(epochs))))
    axes.set_title(f"trained on: {arm.name}", fontsize=9.5, color=INK)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0f}%")
    axes.legend(frameon=False, fontsize=7.5, labelcolor=INK, loc="best")


def classes(record: Record) -> str | None:
    """Return the recall of every class in the headline's trial as SVG, clean beside protected.

    None if there are too many classes to read.
    """
    trial, clean, headline = record.main
    if len(record.classes) > MANY_CLASSES:
        return None
    shown = list(trial.arms) if record.kind == "demo" else [clean, headline]
    figure, (axes,) = canvas(1, WIDTH, 0.75 + 0.16 * len(record.classes) * (len(shown) + 0.6))
    height = 0.8 / len(shown)
    middle = np.arange(len(record.classes))
    for index, (arm, colour) in enumerate(zip(shown, (CLEAN, *MORE), strict=False)):
        values = [0.0 if value is None else value * 100 for value in arm.recall]
        axes.barh(
            middle + (index - (len(shown) - 1) / 2) * height,
            values,
            height * 0.9,
            color=colour,
            label=arm.name,
        )
    axes.axvline(trial.chance * 100, color=INK, linewidth=0.9, linestyle=":")
    axes.set(
        xlim=(0, 100),
        yticks=middle,
        ylim=(len(record.classes) - 0.4, -0.6),
        xlabel="unseen clean images classified correctly",
    )
    # names are text of the user: a dollar sign in them begins no formula
    axes.set_yticklabels([_short(name) for name in record.classes], parse_math=False)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}%")
    axes.legend(
        frameon=False,
        fontsize=7.5,
        labelcolor=INK,
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=len(shown),
    )
    return svg(figure, "Recall of every class")


def _short(name: str) -> str:
    """Return a class name that leaves room for the bars, its middle left out if it is long."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST // 2]}\u2026{name[-(LONGEST // 2 - 1) :]}"


def canvas(
    columns: int, width: float, height: float, sharey: bool = False, rows: int = 1
) -> tuple[Any, list[Any]]:
    """Return a figure and its panels, row by row.

    Args:
        columns: Panels per row.
        width: Width of a panel, in inches.
        height: Height of the figure, in inches.
        sharey: Whether all panels have the y axis of the first.
        rows: Number of rows.
    """
    # Not pyplot, which opens windows and has global state.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, height), layout="constrained")
    axes = [figure.add_subplot(rows, columns, 1)]
    for number in range(2, rows * columns + 1):
        axes.append(figure.add_subplot(rows, columns, number, sharey=axes[0] if sharey else None))
    for one in axes:
        one.tick_params(colors=INK, labelsize=8, length=2)
        one.spines[["top", "right"]].set_visible(False)
        one.spines[["left", "bottom"]].set_color(INK)
        for text in (one.xaxis.label, one.yaxis.label):
            text.set_color(INK)
            text.set_fontsize(9)
    return figure, axes


def svg(figure: Any, title: str) -> str:
    """Return a figure as SVG without URLs and dates, as wide as its container."""
    import matplotlib

    buffer = io.StringIO()
    settings: Any = {"svg.fonttype": "none", "font.family": "sans-serif", "svg.hashsalt": "unlearnable"}
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # the reader's browser draws the text, with fonts that matplotlib does not have
        warnings.filterwarnings("ignore", "Glyph")
        figure.savefig(
            buffer,
            format="svg",
            transparent=True,
            metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
        )
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    # The page holds no URL, not even that of a namespace.
    text = re.sub(r' xmlns(:xlink)?="[^"]*"', "", text)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    return text.replace("<svg", f'<svg role="img" aria-label="{title}"', 1)
