"""Ten photographs that are installed with dependencies, cut into squares, for the demo, the docs and tests.

scikit-image has ``brick``, ``grass``, ``gravel`` and ``retina`` (CC0), ``astronaut`` and ``hubble`` (NASA,
public domain), ``rocket`` (SpaceX, public domain) and ``ihc`` (no known restrictions); scikit-learn has
``china`` and ``flower`` (CC BY 2.0, danielbuechele and vultilion on Flickr). A small network tells their
squares apart after a short training. It hardly learned those of ``chelsea``, ``coffee``, ``motorcycle`` and
matplotlib's ``grace_hopper``.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from unlearnable.data.arrays import arrays
from unlearnable.data.encoding import encode
from unlearnable.data.image_set import ImageSet
from unlearnable.errors import DataError
from unlearnable.files import write

Tiles = np.ndarray[Any, np.dtype[np.float64]]

SIDE = 32
# the photographs with the fewest squares that show anything have about 125
EACH = 100
# Every square is in sepia: each channel has the same brightness around its own mean, with this standard
# deviation, in levels. In their own colours, a photograph is recognised by the colour of any of its squares,
# and noise of 8 levels hides no colour. In plain grey, noise must be grey too, and then protects less.
SEPIA, CONTRAST = (140.0, 128.0, 108.0), 20.0

PLACES: dict[str, Callable[[], Any]] = {
    "scikit-image": lambda: files("skimage") / "data",
    "scikit-learn": lambda: files("sklearn") / "datasets" / "images",
}
PHOTOGRAPHS = {
    "astronaut": ("scikit-image", "astronaut.png"),
    "brick": ("scikit-image", "brick.png"),
    "china": ("scikit-learn", "china.jpg"),
    "flower": ("scikit-learn", "flower.jpg"),
    "grass": ("scikit-image", "grass.png"),
    "gravel": ("scikit-image", "gravel.png"),
    "hubble": ("scikit-image", "hubble_deep_field.jpg"),
    "ihc": ("scikit-image", "ihc.png"),
    "retina": ("scikit-image", "retina.jpg"),
    "rocket": ("scikit-image", "rocket.jpg"),
}


def photograph(name: str) -> Image.Image:
    """Return one of the photographs, in RGB, at its own size.

    Args:
        name: A key of ``PHOTOGRAPHS``.

    Raises:
        DataError: If the installed dependency does not have it.
    """
    package, file = PHOTOGRAPHS[name]
    try:
        with (PLACES[package]() / file).open("rb") as data, Image.open(data) as image:
            return image.convert("RGB")
    except (OSError, ModuleNotFoundError) as error:
        raise DataError(
            f"{package} is installed without its photograph {file}.",
            f"Install it from PyPI again: pip uninstall {package}; pip install {package}",
        ) from error


def demo_photos() -> ImageSet:
    """Return 1,000 squares of 32 px, 100 from each of ten photographs, whose names are the classes.

    No two squares overlap, so that any split separates regions of the photographs. They are the squares with
    the most contrast, in sepia, all with the same mean colour and the same contrast.

    Raises:
        DataError: If an installed dependency does not have its photograph.
    """
    squares, labels, ids = [], [], []
    for name in PHOTOGRAPHS:
        found = _equalised(_strongest(_tiles(photograph(name))))
        squares += list(found)
        labels += [name] * len(found)
        ids += [f"{name}-{number:03d}" for number in range(len(found))]
    return arrays(squares, labels, ids=ids)


def write_demo_photos(root: Path) -> int:
    """Write the squares as PNG files, one sub-folder per photograph, and return how many there are.

    Raises:
        DataError: If the folder exists and is not empty.
    """
    if root.exists() and any(root.iterdir()):
        raise DataError(f"{root} is not empty.", "Name a new folder.")
    images = demo_photos()
    for id in images.ids:
        write(root / images.class_of[id] / f"{id}.png", encode(images.photo(id), "png"))
    return len(images)


def _tiles(image: Image.Image) -> Tiles:
    """Return the squares of a grid from the top left corner: (N, SIDE, SIDE) in levels, row by row."""
    rows, columns = image.height // SIDE, image.width // SIDE
    pixels = np.asarray(image.convert("L"), np.float64)[: rows * SIDE, : columns * SIDE]
    return pixels.reshape(rows, SIDE, columns, SIDE).swapaxes(1, 2).reshape(-1, SIDE, SIDE)


def _strongest(tiles: Tiles) -> Tiles:
    """Return the ``EACH`` squares with the largest standard deviation, in their order."""
    return tiles[np.sort(np.argsort(-tiles.std(axis=(1, 2)), kind="stable")[:EACH])]


def _equalised(tiles: Tiles) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return the squares in sepia with equal contrast, in whole levels: (N, SIDE, SIDE, 3)."""
    mean, deviation = (statistic(axis=(1, 2), keepdims=True) for statistic in (tiles.mean, tiles.std))
    levels: Tiles = np.rint((CONTRAST * (tiles - mean) / deviation)[..., None] + SEPIA)
    return levels.clip(0, 255).astype(np.uint8)
