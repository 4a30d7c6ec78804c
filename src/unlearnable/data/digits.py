"""scikit-learn's digits: 1,797 real scans that come with a dependency, for the demo, the docs and the tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from unlearnable.data.arrays import arrays
from unlearnable.data.image_set import ImageSet
from unlearnable.data.photo import encode, write
from unlearnable.errors import DataError

SIDE = 32  # the scans are 8 x 8; enlarged so that networks for small images fit


def digits(side: int = SIDE) -> ImageSet:
    """Return the digits as grey images of ``side`` pixels, class names ``"0"`` to ``"9"``, ids ``00000`` to ``01796``."""
    from PIL import Image
    from sklearn.datasets import load_digits

    scans = load_digits()
    images = [
        np.asarray(Image.fromarray(np.rint(scan * 255 / 16).astype(np.uint8)).resize((side, side), Image.Resampling.BILINEAR))
        for scan in scans.images
    ]
    return arrays(images, [str(label) for label in scans.target], ids=[f"{index:05d}" for index in range(len(images))])


def write_digits(root: Path) -> int:
    """Write the digits as a class folder of PNG files and return how many there are.

    Raises:
        DataError: If the folder exists and is not empty.
    """
    if root.exists() and any(root.iterdir()):
        raise DataError(f"{root} is not empty.", "Name a new folder.")
    images = digits()
    for id in images.ids:
        write(root / images.class_of[id] / f"{id}.png", encode(images.photo(id), "png"))
    return len(images)
