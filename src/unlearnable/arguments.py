"""Checks of what callers pass: each says what was given, what is needed, and what to write instead."""

from __future__ import annotations

import contextlib
import difflib
import math
import numbers
import operator
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from unlearnable import duration
from unlearnable.errors import UsageError
from unlearnable.events import OnProgress, logged, silent

T = TypeVar("T")
# the largest whole number that every reader of JSON reads exactly
LARGEST_SEED = 2**53
# seeds, networks or countermeasures beyond this are listed by their nearest only
LISTED = 40
# characters of a value that an error shows
SHOWN = 60


def shown(value: Any) -> str:
    """Return a value as an error shows it: short values as they are, others by their type and shape."""
    shape = getattr(value, "shape", None)
    if shape is not None and not isinstance(value, numbers.Number):
        return f"{type(value).__module__.partition('.')[0]} {type(value).__name__} of shape {tuple(shape)}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    text = repr(value)
    return text if len(text) <= SHOWN and "\n" not in text else f"an object of type {type(value).__name__}"


def nearest(name: Any, names: Iterable[str]) -> str:
    """Return ``Did you mean 'x'?`` for the name that is nearest to an unknown one; empty if none is near."""
    plain = {_plain(known): known for known in names}
    found = difflib.get_close_matches(_plain(str(name)), plain, 1, cutoff=0.6)
    return f"Did you mean {plain[found[0]]!r}?" if found else ""


def _plain(name: str) -> str:
    return "".join(char for char in name.lower() if char.isalnum())


def unknown(kind: str, name: Any, names: Iterable[str], more: str = "") -> UsageError:
    """Return the error for a name that is not known, with the nearest known name and all of them.

    Args:
        kind: The kind of thing, such as ``method``.
        name: The name that was given.
        names: The known names, in the order in which they are listed.
        more: Another sentence of the remedy.
    """
    names = list(names)
    if isinstance(name, str):
        problem = f"There is no {kind} {name!r}."
    else:
        problem = f"A {kind} is given by its name, not by {shown(name)}."
    listed = f"There are: {', '.join(names[:LISTED])}{', ...' if len(names) > LISTED else ''}."
    near = nearest(name, names) if isinstance(name, str) else ""
    return UsageError(problem, " ".join(filter(None, (near, listed, more))))


def instance(name: str, value: Any, kind: type[T] | tuple[type[T], ...], need: str, remedy: str) -> T:
    """Return a value of a type.

    Raises:
        UsageError: If it is of another type.
    """
    if not isinstance(value, kind):
        raise UsageError(f"{name} is {shown(value)}, but must be {need}.", remedy)
    return value


def images(value: Any, kind: type[T], name: str = "images", need: str = "an ImageSet") -> T:
    """Return a value that is an ``ImageSet``, passed as ``kind``.

    Raises:
        UsageError: If it is an array, a folder or anything else; the remedy opens it.
    """
    # a Hugging Face data set has a shape too, which is that of a table
    if hasattr(value, "shape") and not hasattr(value, "features"):
        remedy = f"Open the array with its labels first: {name} = un.load(array, labels)."
    elif isinstance(value, str | os.PathLike):
        remedy = f"Open it first: {name} = un.load({os.fspath(value)!r})."
    else:
        remedy = f"Open them first: {name} = un.load(...), with a folder, arrays and labels, or a data set."
    return instance(name, value, kind, need, remedy)


def images_or_folder(name: str, value: Any, kind: type[T]) -> T | Path:
    """Return a value that is an ``ImageSet``, passed as ``kind``, or the path of a folder.

    Raises:
        UsageError: If it is anything else.
    """
    if isinstance(value, str | os.PathLike):
        return path(name, value)
    return images(value, kind, name, "a folder or an ImageSet")


def whole(
    name: str, value: Any, low: int, high: int | None = None, remedy: str = "", *, unit: str = ""
) -> int:
    """Return a whole number from ``low`` to ``high``. NumPy's whole numbers count; True and "8" do not.

    Raises:
        UsageError: If it is anything else.
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < low or (high is not None and number > high):
        limits = f"from {low} to {high}" if high is not None else f"of at least {low}"
        what = f"a whole number{f' of {unit}' if unit else ''} {limits}"
        raise UsageError(f"{name} is {shown(value)}, but must be {what}.", remedy)
    return number


def number(name: str, value: Any, low: float, high: float, remedy: str = "", *, ends: bool = True) -> float:
    """Return a number between ``low`` and ``high``, the ends included unless ``ends`` is false.

    Raises:
        UsageError: If it is anything else, such as a text or not a number.
    """
    fits = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not fits or not (low <= value <= high if ends else low < value < high):
        limits = f"of at least {low:g}" if math.isinf(high) else f"between {low:g} and {high:g}"
        raise UsageError(f"{name} is {shown(value)}, but must be a number {limits}.", remedy)
    return float(value)


def seed(value: Any) -> int | None:
    """Return a seed, or None for one drawn from the operating system.

    Raises:
        UsageError: If it is no whole number from 0 to 2**53.
    """
    if value is None:
        return None
    return whole("seed", value, 0, LARGEST_SEED, "Give seed=0, or leave it out for a seed of its own.")


def seeds(values: Any) -> tuple[int, ...]:
    """Return the seeds of a measurement.

    Raises:
        UsageError: If there is none, or one is no whole number from 0 to 2**53.
    """
    remedy = "Give a sequence, such as seeds=(0, 1, 2) for three seeds."
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise UsageError(f"seeds is {shown(values)}, but must be a sequence of whole numbers.", remedy)
    found = tuple(whole("A seed", value, 0, LARGEST_SEED, remedy) for value in values)
    if not found:
        raise UsageError("There is no seed to measure with.", "Give at least one seed.")
    return found


def time_limit(value: Any) -> float | None:
    """Return a time limit in seconds, or None for no limit.

    Raises:
        UsageError: If it is no number of at least 0.
    """
    if value is None:
        return None
    remedy = "Give seconds, such as time_limit=900, or None for no limit."
    if isinstance(value, str):
        with contextlib.suppress(UsageError):
            remedy = f"Give seconds: time_limit={duration.parse(value):g}."
    return number("time_limit", value, 0, math.inf, remedy)


def workers(value: Any) -> int:
    """Return the number of processes that write files, at least 1: 0 stands for one per core.

    Raises:
        UsageError: If it is no whole number of at least 0.
    """
    return whole("workers", value, 0, remedy="Give 0 for one process per core.") or os.cpu_count() or 1


def path(name: str, value: Any, kind: str = "folder") -> Path:
    """Return the path of a folder or, as ``kind``, a file. It need not exist.

    Raises:
        UsageError: If it is no text and no path, or empty.
    """
    if not isinstance(value, str | os.PathLike) or isinstance(os.fspath(value), bytes):
        remedy = f"Give the path of a {kind}, as text or as a pathlib.Path."
        raise UsageError(f"{name} is {shown(value)}, but must be a {kind}.", remedy)
    if not os.fspath(value):
        raise UsageError(f"{name} is an empty string, but must be a {kind}.", 'The current folder is ".".')
    return Path(value)


def specs(name: str, values: Any, example: str) -> tuple[str, ...]:
    """Return specifications, such as names of networks. A single text stands for itself.

    Raises:
        UsageError: If one of them is no text.
    """
    if isinstance(values, str):
        return (values,)
    remedy = f"Give strings, such as {name}=({example!r},)."
    if not isinstance(values, Iterable):
        raise UsageError(f"{name} is {shown(values)}, but must be a sequence of strings.", remedy)
    return tuple(instance(f"One of {name}", value, str, "a text", remedy) for value in values)


def callback(value: OnProgress | None) -> OnProgress:
    """Return the function that receives progress; None stands for one that ignores it.

    Every event also goes to the logger ``unlearnable``.

    Raises:
        UsageError: If it cannot be called.
    """
    if value is not None and not callable(value):
        raise UsageError(
            f"on_progress is {shown(value)}, but must be a function of an event.",
            "Give a function such as `lambda event: print(event.text)`, or None.",
        )
    return logged(silent if value is None else value)
