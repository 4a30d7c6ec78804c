"""Ten photographs that are installed with dependencies, cut into squares, for the demo, the docs and tests.

scikit-image has ``astronaut``, ``hubble`` (NASA, public domain), ``chelsea``, ``coffee`` (CC0), ``ihc``,
``motorcycle`` (no known restrictions) and ``rocket`` (SpaceX, public domain); scikit-learn has ``china`` and
``flower`` (CC BY 2.0, danielbuechele and vultilion on Flickr); matplotlib has ``grace_hopper`` (US Navy,
public domain).
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
EACH = 120
# Every colour channel of every square gets this mean and this standard deviation, in levels. As they are,
# a photograph is recognised by the colour of any of its squares, and noise of 8 levels hides no colour.
MEAN, CONTRAST = 128.0, 24.0
# the standard deviation of a channel that is nearly flat: dividing by less would only amplify its grain
FLAT = 3.0


def _matplotlib() -> Path:
    import matplotlib

    # a distribution may keep matplotlib's data outside the package
    return Path(matplotlib.get_data_path())


PLACES: dict[str, Callable[[], Any]] = {
    "scikit-image": lambda: files("skimage") / "data",
    "scikit-learn": lambda: files("sklearn") / "datasets" / "images",
    "matplotlib": lambda: _matplotlib() / "sample_data",
}
PHOTOGRAPHS = {
    "astronaut": ("scikit-image", "astronaut.png"),
    "chelsea": ("scikit-image", "chelsea.png"),
    "china": ("scikit-learn", "china.jpg"),
    "coffee": ("scikit-image", "coffee.png"),
    "flower": ("scikit-learn", "flower.jpg"),
    "grace_hopper": ("matplotlib", "grace_hopper.jpg"),
    "hubble": ("scikit-image", "hubble_deep_field.jpg"),
    "ihc": ("scikit-image", "ihc.png"),
    "motorcycle": ("scikit-image", "motorcycle_left.png"),
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
            f"Install it from PyPI: pip install --force-reinstall {package}",
        ) from error


def demo_photos() -> ImageSet:
    """Return 1,200 colour squares of 32 px, 120 from each of ten photographs, whose names are the classes.

    No two squares overlap, so that any split separates regions of the photographs. They are the squares with
    the most contrast, and every colour channel of each has the same mean and the same contrast.

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
    """Return the squares of a grid from the top left corner: (N, SIDE, SIDE, 3) in levels, row by row."""
    rows, columns = image.height // SIDE, image.width // SIDE
    pixels = np.asarray(image, np.float64)[: rows * SIDE, : columns * SIDE]
    grid = pixels.reshape(rows, SIDE, columns, SIDE, 3).swapaxes(1, 2)
    return grid.reshape(-1, SIDE, SIDE, 3)


def _strongest(tiles: Tiles) -> Tiles:
    """Return the ``EACH`` squares with the largest standard deviation of brightness, in their order."""
    deviation = tiles.mean(axis=3).std(axis=(1, 2))
    return tiles[np.sort(np.argsort(-deviation, kind="stable")[:EACH])]


def _equalised(tiles: Tiles) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return the squares with the mean and the contrast of every channel equalised, in whole levels."""
    mean, deviation = tiles.mean(axis=(1, 2), keepdims=True), tiles.std(axis=(1, 2), keepdims=True)
    levels = MEAN + CONTRAST * (tiles - mean) / np.maximum(deviation, FLAT)
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)
