"""Where images come from: a folder, arrays, any data set of (image, label), or a benchmark by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unlearnable.data.image_set import ImageSet


def load(source: Any, labels: Any = None, *, data_dir: str | Path | None = None, download: bool = False) -> ImageSet:
    """Open images.

    Args:
        source: A folder; ``"digits"``; a benchmark by name (``"cifar10"``, ``"cifar10:test"``); arrays or a tensor of images, with
            ``labels``; or any torch-style data set, ``source[i] -> (image, label)``.
        labels: Labels of arrays: class names or numbers.
        data_dir: Where the files of a benchmark are.
        download: Whether a benchmark that is not there may be fetched.

    Raises:
        DataError: If the images cannot be used.
        UsageError: If there is no benchmark of that name.
    """
    if labels is not None:
        from unlearnable.data.arrays import arrays

        return arrays(source, labels)
    if isinstance(source, ImageSet):
        return source
    if not isinstance(source, str | Path):
        from unlearnable.data.arrays import dataset

        return dataset(source)
    if source == "digits":
        from unlearnable.data.digits import digits

        return digits()
    from unlearnable.data.benchmarks import BENCHMARKS, benchmark

    name, _, part = str(source).partition(":")
    if name in BENCHMARKS:
        return benchmark(name, part or "train", data_dir=data_dir, download=download)
    from unlearnable.data.folder import folder

    return folder(source)
