"""Sources of images: a folder, arrays, any data set of (image, label), or a benchmark by name."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from unlearnable.data.image_set import ImageSet
from unlearnable.errors import DataError, UsageError


def load(
    source: Any,
    labels: Any = None,
    *,
    classes: Iterable[str] | None = None,
    image: str | None = None,
    label: str | None = None,
    data_dir: str | Path | None = None,
    download: bool = False,
) -> ImageSet:
    """Return an ImageSet over a source, in the order of the source; a folder is in the order of its ids.

    Args:
        source: A folder; ``"digits"``; a benchmark by name (``"cifar10"``, ``"cifar10:test"``); arrays, a
            tensor or a list of images, with ``labels``; a pair (images, labels); a data set of torch or of
            Hugging Face, whose photos are read when they are needed; or any iterable of (image, label) or of
            rows with named columns, which is read once, to its end.
            Write ``"./cifar10"`` for a folder named like a benchmark.
        labels: Labels of arrays: class names, or whole numbers from 0. For a folder, a CSV or JSONL file.
        classes: Class names for labels that are numbers; by default those of the data set, if it has them.
        image: Column of images of a data set with named columns; found by its type or its name if None.
        label: Column of labels, likewise.
        data_dir: Folder with the files of a benchmark, ``~/.cache/unlearnable`` if None.
        download: Whether a missing benchmark may be downloaded.

    Raises:
        DataError: If the images or their labels cannot be used.
        UsageError: If there is no such source, benchmark or column.
    """
    given = {"labels": labels, "classes": classes, "image": image, "label": label}
    if isinstance(source, ImageSet):
        _refuse(given, "an ImageSet has its classes already")
        return source
    if isinstance(source, str | Path):
        return _named(source, given, data_dir, download)
    if data_dir is not None or download:
        raise UsageError("data_dir and download are for benchmarks.", "Leave them out.")
    from unlearnable.data.arrays import arrays
    from unlearnable.data.datasets import dataset

    pair = labels is None and _is_pair(source)
    if labels is not None or pair:
        _refuse({"image": image, "label": label}, "arrays have no columns")
        return arrays(*(source if pair else (source, labels)), classes=classes)
    if hasattr(source, "shape") and not hasattr(source, "column_names") and not hasattr(source, "iloc"):
        raise DataError("An array of images was given without labels.", "Call load(images, labels).")
    return dataset(source, classes=classes, image=image, label=label)


def _is_pair(source: Any) -> bool:
    """Return whether a source is (images, labels), and not a data set of two items."""
    if not isinstance(source, tuple) or len(source) != 2:
        return False
    # in a data set, the second item begins with an image
    second = source[1]
    is_item = isinstance(second, tuple | list) and len(second) == 2
    return not (is_item and (hasattr(second[0], "getbands") or getattr(second[0], "ndim", 0) >= 2))


def _named(
    source: str | Path, given: dict[str, Any], data_dir: str | Path | None, download: bool
) -> ImageSet:
    from unlearnable.data.benchmark_table import BENCHMARKS

    name, _, part = str(source).partition(":")
    if isinstance(source, str) and name in ("digits", *BENCHMARKS):
        _refuse(given, f"{name} has its classes already")
        if name == "digits":
            from unlearnable.data.digits import digits

            if part:
                raise UsageError(f"The digits have no part {part!r}.", "Load and split them: split(0.2, 0).")
            return digits()
        from unlearnable.data.benchmarks import benchmark

        return benchmark(name, part or "train", data_dir=data_dir, download=download)
    labels = given.pop("labels")
    _refuse(given, "a folder has its classes by its sub-folders, or by a file of labels")
    if labels is not None and not isinstance(labels, str | Path):
        raise UsageError(
            f"{source} is a path, and the labels are no file.",
            "Give a CSV or JSONL file as labels, or images in memory as source.",
        )
    # what has a slash is meant as a path, and what exists is no misspelt name
    if isinstance(source, str) and not os.path.exists(source) and "/" not in source and os.sep not in source:
        _suggest(source, name, list(BENCHMARKS))
    from unlearnable.data.folder import folder

    return folder(source, labels=labels)


def _suggest(source: str, name: str, benchmarks: list[str]) -> None:
    """Refuse a name that is neither a folder nor a data set, and suggest the closest one."""
    known = ["digits", *benchmarks]
    close = difflib.get_close_matches(name.lower().replace("_", "-"), known, 1, 0.6)
    guess = f"Did you mean {close[0]!r}? " if close else "Give the path of a folder, or one of these names. "
    raise UsageError(
        f"There is no folder and no data set {source!r}.", f"{guess}There are: {', '.join(known)}."
    )


def _refuse(given: dict[str, Any], reason: str) -> None:
    found = [name for name, value in given.items() if value is not None]
    if found:
        raise UsageError(f"{found[0]}= was given, but {reason}.", "Leave it out.")
