"""A picture of some patterns of every noise in a table, magnified.

Result files do not hold the noise, so the picture is drawn from the cache of the machine that found it.
"""

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

SHOWN = 8  # patterns of a search, side by side


def write_gallery(table: Table, cell_runner: CellRunner, path: Path) -> bool:
    """Write a PNG with patterns of every noise of a table that is in the cache.

    Returns:
        Whether any was in the cache, and the file was written.
    """
    found: dict[str, Noise] = {}
    for (row, column), measured in table.measured.items():
        poison = measured.results[0].cell.poison
        if poison is not None and cell_runner.is_found(poison.search):
            found[f"{row},\n{column}"] = poisoned(cell_runner.fitted(poison.search)[0].noise, poison, {}, 0)
    if not found:
        return False
    figure, panels = canvas(1, 7.4, 0.95 * len(found), rows=len(found))
    for axes, (name, noise) in zip(panels, found.items(), strict=True):
        axes.imshow(_side_by_side(noise), interpolation="nearest")
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8, color=INK)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, transparent=True)
    write(path, buffer.getvalue())
    return True


def _side_by_side(noise: Noise) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return patterns side by side: float (h, width, 4) in [0, 1], from -epsilon (0) to +epsilon (1).

    The fourth channel is opacity: the gaps between the patterns are transparent.
    """
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
