"""CIFAR-10 for measurements elsewhere: the published files, or one smaller file of bytes made from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from unlearnable.data.arrays import arrays
from unlearnable.data.benchmarks import benchmark
from unlearnable.data.image_set import ImageSet


def pack(folder: Path, file: Path, count: int) -> None:
    """Write the first training images, all test images and the labels into one compressed file.

    Args:
        folder: The folder of the published files.
        file: The file to write, ``.npz``.
        count: Number of training images.
    """
    found = {}
    for part, most in (("train", count), ("test", None)):
        images = benchmark("cifar10", part, data_dir=folder)
        view = images.subset(images.ids[:most]).view(32)
        found |= {part: view.pixels, f"{part}_labels": view.labels.astype(np.uint8)}
    np.savez_compressed(file, **found, classes=np.array(images.classes))


def read(source: Path) -> tuple[ImageSet, ImageSet]:
    """Return training and test images from the folder of the published files, or from a packed file."""
    if source.suffix != ".npz":
        train, test = (benchmark("cifar10", part, data_dir=source) for part in ("train", "test"))
        return train, test
    with np.load(source) as packed:
        train, test = (
            arrays(
                packed[part],
                packed[f"{part}_labels"].astype(int),
                ids=[f"{part}/{index:05d}" for index in range(len(packed[part]))],
                classes=packed["classes"].tolist(),
            )
            for part in ("train", "test")
        )
    return train, test
