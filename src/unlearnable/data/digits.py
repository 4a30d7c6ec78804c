"""scikit-learn's digits: 1,797 real scans, installed with a dependency, for the demo, docs and tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from unlearnable.data.arrays import arrays
from unlearnable.data.encoding import encode
from unlearnable.data.image_set import ImageSet
from unlearnable.data.scanning import entries_of
from unlearnable.errors import DataError
from unlearnable.files import write

# the scans are 8 x 8 pixels; they are enlarged to suit networks for small images
SIDE = 32
# Levels between paper and ink, around middle grey. At the full 255 a digit is thirty times stronger than
# noise of 8 levels and so simple that networks learn it despite the noise (docs/limits.md). Drawn this
# faintly, digits are about as strong against the noise as the content of photos is.
INK = 32


def digits(side: int = SIDE, ink: int = INK) -> ImageSet:
    """Return the digits as grey square images, classes ``"0"`` to ``"9"``, ids ``00000`` to ``01796``.

    Args:
        side: Side in pixels.
        ink: Levels between paper and ink, 1 to 255; faint by default.
    """
    from PIL import Image
    from sklearn.datasets import load_digits

    scans = load_digits()
    paper = 128 - (ink + 1) // 2
    images = [
        np.asarray(
            Image.fromarray(np.rint(paper + scan * ink / 16).astype(np.uint8)).resize(
                (side, side), Image.Resampling.BILINEAR
            )
        )
        for scan in scans.images
    ]
    return arrays(
        images, [str(label) for label in scans.target], ids=[f"{index:05d}" for index in range(len(images))]
    )


def write_digits(root: Path, ink: int = INK) -> int:
    """Write the digits as PNG files, one sub-folder per class, and return how many there are.

    Raises:
        DataError: If the folder exists and is not empty.
    """
    if root.exists() and entries_of(root):
        raise DataError(f"{root} is not empty.", "Name a new folder.")
    images = digits(SIDE, ink)
    for id in images.ids:
        write(root / images.class_of[id] / f"{id}.png", encode(images.photo(id), "png"))
    return len(images)
