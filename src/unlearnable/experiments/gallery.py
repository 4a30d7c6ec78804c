"""What noise looks like: some patterns of every search in a table, magnified. Needs the noise itself, so it is drawn where it was found."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from unlearnable.cells.cell_runner import CellRunner
from unlearnable.cells.poisoning import poisoned
from unlearnable.experiments.table import Table
from unlearnable.files import write
from unlearnable.noise import Noise
from unlearnable.report.figures import INK, canvas

SHOWN = 8  # patterns of a search


def write_gallery(table: Table, cell_runner: CellRunner, path: Path) -> bool:
    """Write a PNG with the patterns of every search of a table that is in the cache.

    Returns:
        Whether there was any.
    """
    found: dict[str, Noise] = {}
    for (row, column), place in table.places.items():
        poison = place.results[0].cell.poison
        if poison is not None and cell_runner.is_found(poison.search):
            found[f"{row},\n{column}"] = poisoned(cell_runner.fitted(poison.search)[0].noise, poison, {}, 0)
    if not found:
        return False
    figure, panels = canvas(1, 7.4, 0.95 * len(found), rows=len(found))
    for axes, (name, noise) in zip(panels, found.items(), strict=True):
        axes.imshow(_strip(noise), interpolation="nearest")
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8, color=INK)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, transparent=True)
    write(path, buffer.getvalue())
    return True


def _strip(noise: Noise) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Patterns side by side, from -epsilon (black) to +epsilon (white): float (h, w, 3) in [0, 1], or see-through between them."""
    bank = noise.bank[np.linspace(0, len(noise.bank) - 1, min(SHOWN, len(noise.bank))).astype(int)].astype(
        np.float32
    )
    pictures = (bank / noise.budget.epsilon + 1) / 2
    height = pictures.shape[2]
    opaque = [
        np.dstack([picture.transpose(1, 2, 0), np.ones((height, picture.shape[2], 1))])
        for picture in pictures
    ]
    gap = np.zeros((height, 2, 4))
    return np.concatenate([part for picture in opaque for part in (picture, gap)][:-1], axis=1)
