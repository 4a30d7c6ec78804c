"""Sources of images: a folder, arrays, any data set of (image, label), or a benchmark by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unlearnable.data.image_set import ImageSet
from unlearnable.errors import DataError


def load(
    source: Any, labels: Any = None, *, data_dir: str | Path | None = None, download: bool = False
) -> ImageSet:
    """Return an ImageSet over a source.

    Args:
        source: A folder; ``"digits"``; a benchmark by name (``"cifar10"``, ``"cifar10:test"``); arrays or a
            tensor of images, with ``labels``; a pair (images, labels); or any torch-style data set,
            ``source[i] -> (image, label)``. Write ``"./cifar10"`` for a folder named like a benchmark.
        labels: Labels of arrays: class names or numbers.
        data_dir: Folder with the files of a benchmark, ``~/.cache/unlearnable`` if None.
        download: Whether a missing benchmark may be downloaded.

    Raises:
        DataError: If the images cannot be used.
        UsageError: If there is no benchmark or part with that name.
    """
    if isinstance(source, ImageSet):
        return source
    if isinstance(source, str | Path):
        return _named(source, data_dir, download)
    from unlearnable.data.arrays import arrays, dataset

    if labels is not None:
        return arrays(source, labels)
    if isinstance(source, tuple) and len(source) == 2:
        return arrays(*source)
    if hasattr(source, "shape"):
        raise DataError("An array of images was given without labels.", "Call load(images, labels).")
    return dataset(source)


def _named(source: str | Path, data_dir: str | Path | None, download: bool) -> ImageSet:
    from unlearnable.data.benchmark_table import BENCHMARKS

    if source == "digits":
        from unlearnable.data.digits import digits

        return digits()
    name, _, part = str(source).partition(":")
    if isinstance(source, str) and name in BENCHMARKS:
        from unlearnable.data.benchmarks import benchmark

        return benchmark(name, part or "train", data_dir=data_dir, download=download)
    from unlearnable.data.folder import folder

    return folder(source)
