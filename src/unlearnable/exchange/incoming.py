"""Noise of other projects: a row there belongs to a position, here to an id or a class name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from unlearnable import hashing
from unlearnable.budget import MAX_EPSILON, Budget, Int8Array
from unlearnable.data.arrays import ArraySource
from unlearnable.data.benchmarks import BenchmarkSource
from unlearnable.data.folder_source import FolderSource
from unlearnable.data.image_set import ImageSet
from unlearnable.errors import DataError, UsageError
from unlearnable.events import Event, OnProgress, silent
from unlearnable.exchange.plain import REMEDY, Array, read
from unlearnable.noise import Form, Noise

Unit = Literal["levels", "unit"]
# Rows converted at a time, so that 50,000 rows do not fill the memory twice.
CHUNK = 1024


def import_noise(
    path: str | Path,
    images: ImageSet | None = None,
    *,
    form: Form | Literal["auto"] = "auto",
    classes: Sequence[str] = (),
    unit: Unit | Literal["auto"] = "auto",
    epsilon: int | None = None,
    array: str | None = None,
    on_progress: OnProgress = silent,
) -> Noise:
    """Read noise of another project.

    The authors of the paper save ``perturbation.pt``: float32 in [-8/255, 8/255], (50000, 3, 32, 32) in the
    order of CIFAR-10's training files, or (10, 3, 32, 32) in the order of its labels.

    Args:
        path: ``.npy``, ``.npz``, or ``.pt`` / ``.pth`` (tensors only), of shape (rows, C, h, w), (rows, h, w,
            C) or (rows, h, w).
        images: All images it was made for: a folder, in the order of torchvision's ``ImageFolder``, a
            benchmark, or arrays. Needed for sample-wise noise.
        form: ``auto`` decides by the number of rows.
        classes: Class names in the order of the rows; by default those of ``images``, in the order of a
            benchmark's labels or sorted.
        unit: ``levels`` if a value of 1 is 1/255, ``unit`` if it is the whole range from black to white;
            ``auto`` decides by the largest value.
        epsilon: Budget in levels; by default the smallest that the noise fits into.
        array: Name of the array in a ``.npz`` or of the tensor in a ``.pt``, if it has several.
        on_progress: Called after each image that is read for its content hash, with the stage ``hashing``.

    Returns:
        The noise on a grid of its own size; file, unit and largest rounding (in levels) are in its
        provenance.

    Raises:
        DataError: If the file cannot be read safely, does not fit the images or exceeds the budget.
        UsageError: If form, unit or images are ambiguous.
    """
    path = Path(path)
    if images is None and not classes:
        raise UsageError(
            f"The rows of {path} have no keys.",
            "Give the images it was made for (--for), or its class names (--classes).",
        )
    values = _channels_first(read(path, array), path)
    chosen, keys, digests = _keys(len(values), images, form, tuple(classes), path, on_progress)
    found = _unit(values, path) if unit == "auto" else unit
    bank, rounding = _levels(values, 255.0 if found == "unit" else 1.0, path)
    largest = int(np.abs(bank.astype(np.int16)).max())
    budget = Budget(max(largest, 1) if epsilon is None else epsilon)
    if largest > budget.epsilon:
        raise DataError(
            f"{path} holds values of {largest} levels, over the budget of {epsilon}.",
            "Give a larger --epsilon.",
        )
    provenance = {
        "method": "imported",
        "file": path.name,
        "sha256": hashing.of_file(path),
        "unit": found,
        "largest_rounding": round(rounding, 4),
    }
    return Noise(
        bank, keys, chosen, budget, (bank.shape[2], bank.shape[3]), digests=digests, provenance=provenance
    )


def loader_order(images: ImageSet) -> tuple[str, ...]:
    """Return the ids in the order of a data set of the same images, which may differ from sorted ids.

    Raises:
        UsageError: If the images are joined or changed, so that no such order is known.
    """
    source = images.source
    if isinstance(source, BenchmarkSource | ArraySource):
        return images.ids
    if isinstance(source, FolderSource):
        return tuple(sorted(images.ids, key=lambda id: (id.split("/")[0], *id.rpartition("/")[::2])))
    raise UsageError(
        "The order of these images is not known.",
        "Give a folder, a benchmark or arrays, before noise or context is added.",
    )


def _channels_first(values: Array, path: Path) -> Array:
    if values.dtype.kind not in "if" or 0 in values.shape:
        raise DataError(
            f"{path} holds {values.dtype} {values.shape}; noise is signed, integers or floats.", REMEDY
        )
    if values.ndim == 3:
        return values[:, None]
    first, last = (values.ndim == 4 and values.shape[axis] in (1, 3) for axis in (1, 3))
    if first == last:
        raise DataError(f"{path} holds {values.shape}; which axis has the channels is ambiguous.", REMEDY)
    return values if first else values.transpose(0, 3, 1, 2)


def _unit(values: Array, path: Path) -> Unit:
    largest = float(max(abs(values.min()), abs(values.max())))
    if values.dtype.kind == "i" or largest > 1:
        return "levels"
    if largest > (MAX_EPSILON + 0.5) / 255:
        raise UsageError(
            f"{path} holds values up to {largest:.3g}, in an ambiguous unit: "
            "too large for shares of the whole range, and small for levels.",
            "Give --unit levels if a value of 1 is 1/255; divide the values if it is not.",
        )
    return "unit"


def _levels(values: Array, scale: float, path: Path) -> tuple[Int8Array, float]:
    bank = np.empty(values.shape, dtype=np.int8)
    rounding = 0.0
    for start in range(0, len(values), CHUNK):
        exact = values[start : start + CHUNK].astype(np.float64) * scale
        whole = np.rint(exact)
        if not np.isfinite(exact).all() or np.abs(whole).max() > MAX_EPSILON:
            raise DataError(
                f"{path} holds values that are not numbers, or exceed {MAX_EPSILON} levels.",
                "Check that it holds noise, and that --unit is right.",
            )
        bank[start : start + CHUNK] = whole
        rounding = max(rounding, float(np.abs(whole - exact).max()))
    return bank, rounding


def _keys(
    count: int,
    images: ImageSet | None,
    form: str,
    names: tuple[str, ...],
    path: Path,
    on_progress: OnProgress,
) -> tuple[Form, tuple[str, ...], tuple[str, ...]]:
    """Return form, keys and content hashes."""
    if not names and images is not None:
        names = images.source.classes if isinstance(images.source, BenchmarkSource) else images.classes
    per_class, per_image = count == len(names), images is not None and count == len(images)
    if form == "auto" and per_class and per_image:
        raise UsageError(
            f"{path} has {count} rows, the number of classes and of images.",
            "Give --form samplewise or --form classwise.",
        )
    if per_class and form != "samplewise":
        return "classwise", names, ()
    if images is not None and per_image and form != "classwise":
        order = loader_order(images)
        digests = []
        for number, id in enumerate(order, 1):
            digests.append(images.source.load(id)[1])
            on_progress(Event("hashing", number, len(order)))
        return "samplewise", order, tuple(digests)
    known = f"{len(names)} classes" + ("" if images is None else f" and {len(images)} images")
    raise DataError(
        f"{path} has {count} rows, but there are {known}.",
        "Give exactly the images, or the classes, it was made for.",
    )
