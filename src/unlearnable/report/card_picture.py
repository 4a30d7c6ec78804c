"""The picture of a verification: a bar per row, as long as its retained share, red if protection breaks."""

from __future__ import annotations

from unlearnable.evaluation.verdict import Verdict
from unlearnable.report.figures import INK, canvas, svg
from unlearnable.report.record import Record
from unlearnable.report.text import label, network, rows

# legible on a light and on a dark page
COLOURS: dict[Verdict, str] = {
    "protected": "#2a9d8f",
    "weakened": "#d99a2b",
    "not protected": "#d1495b",
    "cannot tell": "#a8b1ba",
}
# percent: the noise does nothing at 100, and chance lifts a few rows above it
LONGEST = 125


def bars(record: Record) -> str:
    """Return the picture as SVG: the retained share of every row with its 95% interval, in percent."""
    shown = rows(record)
    figure, (axes,) = canvas(1, 6.2, 0.9 + 0.24 * len(shown))
    for row, (_, _, arm) in enumerate(shown):
        assert arm.retained is not None
        low, value, high = (
            min(LONGEST, max(0.0, share * 100))
            for share in (arm.retained.low, arm.retained.value, arm.retained.high)
        )
        axes.barh(row, value, 0.72, color=COLOURS[arm.verdict or "cannot tell"])
        axes.plot([low, high], [row, row], color=INK, linewidth=1.3)
    axes.axvline(100, color=INK, linewidth=0.9, linestyle=":")
    axes.set(
        xlim=(0, LONGEST),
        ylim=(len(shown) - 0.4, -0.6),
        yticks=range(len(shown)),
        xlabel="how much networks still learn from the published files (originals: 100%)",
    )
    names = [
        trial.name if record.card else f"{network(trial)}, {label(trial, arm, record.kind)}"
        for trial, _, arm in shown
    ]
    axes.set_yticklabels(names, parse_math=False)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}%")
    from matplotlib.patches import Patch

    used = {arm.verdict for _, _, arm in shown}
    axes.legend(
        handles=[Patch(color=colour, label=name) for name, colour in COLOURS.items() if name in used],
        frameon=False,
        fontsize=7.5,
        labelcolor=INK,
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=4,
    )
    return svg(figure, "Retained share of every row")
