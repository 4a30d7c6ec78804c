"""Labels as people give them, checked and turned into class names. Nothing is cut or guessed."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np

from unlearnable.errors import DataError

# types of arrays that hold labels: numbers, objects, bytes and text
KINDS = "biufOSUT"
DIGITS = 4
NEITHER = "Give labels as class names or as whole numbers from 0."


def class_names(labels: Any, classes: Iterable[str] | None = None, what: str = "labels[{}]") -> list[str]:
    """Return the class name of every label.

    Args:
        labels: N labels: class names, or whole numbers from 0 (indices into ``classes``). A list, an array
            (N,) or (N, 1), a tensor or a column of a table.
        classes: Class names for labels that are indices. Without them, index 0 is named ``"0000"``; where
            there are 10,000 indices or more, all get more digits, so that names sort as numbers do.
        what: How messages name the label at a position.

    Raises:
        DataError: If a label is no class; the message has its position, its value and the remedy.
    """
    known = None if classes is None else checked(classes)
    values = [plain(label) for label in _list(labels)]
    for position, value in enumerate(values):
        if problem := problem_of(value):
            raise DataError(f"{what.format(position)} {problem[0]}.", problem[1])
    texts = [position for position, value in enumerate(values) if isinstance(value, str)]
    if texts and len(texts) < len(values):
        number = next(position for position, value in enumerate(values) if not isinstance(value, str))
        raise DataError(
            f"{what.format(texts[0])} is {values[texts[0]]!r}, and {what.format(number)} is "
            f"{values[number]!r}: names and numbers are mixed.",
            "Give all labels as names, or all as numbers.",
        )
    if texts:
        # members of an enumeration are text too, but print as their names
        names = [unicodedata.normalize("NFC", str.__str__(value)) for value in values]
        if known is not None and not set(names) <= set(known):
            position = next(position for position, name in enumerate(names) if name not in known)
            raise DataError(
                f"{what.format(position)} is {names[position]!r}, which is not among the classes.",
                f"The classes are: {', '.join(known[:20])}.",
            )
        return names
    return _numbered([int(value) for value in values], known, what)


def checked(classes: Iterable[str]) -> list[str]:
    """Return class names in composed form.

    Raises:
        DataError: If they are no list of different names; the message has the position and the value.
    """
    remedy = "Give classes as a list of different names, in the order of the numbers."
    if isinstance(classes, str | bytes | Mapping) or not isinstance(classes, Iterable):
        raise DataError(f"classes is {classes!r}, not a list of names.", remedy)
    # position of each name, in their order
    names: dict[str, int] = {}
    for position, value in enumerate(classes):
        if not isinstance(value, str):
            raise DataError(f"classes[{position}] is {value!r}, not a name.", remedy)
        if problem := problem_of(value):
            raise DataError(f"classes[{position}] {problem[0]}.", remedy)
        name = unicodedata.normalize("NFC", value)
        if name in names:
            raise DataError(f"classes[{position}] is {name!r}, as classes[{names[name]}] is.", remedy)
        names[name] = position
    return list(names)


def problem_of(value: Any) -> tuple[str, str] | None:
    """Return why a value is no class, as (predicate, remedy); None if it is one."""
    if isinstance(value, str):
        return _problem_of_name(value)
    if value is None:
        return "is None", "Give every image a class, or leave the image out."
    if isinstance(value, bool):
        return f"is {value}", "Give class names, or 0 and 1: labels.astype(int)."
    if isinstance(value, bytes):
        return f"is {value!r}, which is bytes", "Decode labels to text first: label.decode()."
    if isinstance(value, list | tuple | set | Mapping) or getattr(value, "ndim", None):
        return (
            f"is a row of {len(value)} values",
            "Give one class for each image; for one-hot rows, labels.argmax(1).",
        )
    if isinstance(value, Integral):
        return None
    if isinstance(value, Real) and math.isnan(value):
        return "is NaN, a missing value", "Give every image a class, or leave the image out."
    if isinstance(value, Real) and float(value).is_integer():
        return None
    return f"is {value!r}", NEITHER


def _problem_of_name(name: str) -> tuple[str, str] | None:
    if not name.strip():
        return f"is {name!r}, an empty name", "Give every image a class, or leave the image out."
    if any("\ud800" <= character <= "\udfff" for character in name):
        return f"is {name!r}, which is not valid Unicode", "Decode the names as UTF-8."
    # a class with several patterns numbers them after this character
    return (f"is {name!r}, with a NUL character", "Remove the character.") if "\0" in name else None


def _numbered(indices: list[int], known: list[str] | None, what: str) -> list[str]:
    for position, index in enumerate(indices):
        if index < 0:
            raise DataError(
                f"{what.format(position)} is {index}, but numbers of classes begin at 0.",
                "A negative label usually marks an image without a class: leave the image out.",
            )
        if known is not None and index >= len(known):
            raise DataError(
                f"{what.format(position)} is {index}, but there are only {len(known)} classes, from 0.",
                "Give a name in classes for every number.",
            )
    if known is not None:
        return [known[index] for index in indices]
    digits = max(DIGITS, len(str(max(indices, default=0))))
    return [f"{index:0{digits}d}" for index in indices]


def _list(labels: Any) -> list[Any]:
    if isinstance(labels, str | bytes | Mapping) or labels is None:
        raise DataError(f"The labels are {labels!r:.60}, not a list.", "Give one label for each image.")
    if hasattr(labels, "detach"):
        labels = np.asarray(labels.detach().cpu().tolist(), dtype=object if labels.ndim == 1 else None)
    if not hasattr(labels, "__array__"):
        try:
            return list(labels)
        except TypeError as error:
            raise DataError(
                f"The labels are {labels!r:.60}, not a list.", "Give one label for each image."
            ) from error
    # a masked array has a number where a value is missing, and np.asarray would show it
    masked = isinstance(labels, np.ma.MaskedArray) and np.ma.is_masked(labels)
    array = np.array(labels.tolist(), object) if masked else np.asarray(labels)
    if array.dtype.kind not in KINDS:
        raise DataError(f"The labels have the type {array.dtype}.", NEITHER)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise DataError(
            f"The labels have the shape {array.shape}, not (N,).",
            "Give one class for each image; for one-hot rows, labels.argmax(1).",
        )
    return list(array.tolist())


def plain(label: Any) -> Any:
    """Return a scalar of NumPy or torch as Python's own; anything else as it is."""
    if hasattr(label, "detach"):
        label = label.detach().cpu()
    single = hasattr(label, "item") and math.prod(getattr(label, "shape", (0,))) == 1
    return label.item() if single else label
