"""The registry of countermeasures, and chains by specification: ``create("jpeg:10+cutout")``."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Sequence
from typing import TypeVar

from unlearnable.countermeasures.base import Countermeasure, Stage
from unlearnable.countermeasures.chain import Chain
from unlearnable.errors import UsageError

_COUNTERMEASURES: dict[str, type[Countermeasure]] = {}
C = TypeVar("C", bound="type[Countermeasure]")


def register(countermeasure: C) -> C:
    """Register a countermeasure under its ``name``; a decorator.

    Raises:
        ValueError: If the name is taken, or a field is not a ``setting``.
    """
    if countermeasure.name in _COUNTERMEASURES or countermeasure.name == "none":
        raise ValueError(f"There is already a countermeasure with the name {countermeasure.name}.")
    for field in dataclasses.fields(countermeasure):
        if "range" not in field.metadata:
            raise ValueError(f"{countermeasure.name}: declare {field.name} with setting(default, low, high).")
    _COUNTERMEASURES[countermeasure.name] = countermeasure
    return countermeasure


def names() -> dict[str, str]:
    """Return the first line of every countermeasure's docstring, by name."""
    return {
        name: (inspect.getdoc(kind) or "").split("\n")[0] for name, kind in sorted(_COUNTERMEASURES.items())
    }


def unlisted(listed: Sequence[str], *stages: Stage) -> list[str]:
    """Return the names of the countermeasures whose first stage is one of some, and that a list leaves out.

    Args:
        listed: Specifications, each of one countermeasure.
        stages: The stages.
    """
    known = {spec.partition(":")[0] for spec in listed}
    return [
        name
        for name, kind in sorted(_COUNTERMEASURES.items())
        if name not in known and {*kind().stages[:1]} & {*stages}
    ]


def create(spec: str) -> Chain:
    """Return a chain of countermeasures.

    Args:
        spec: Countermeasures in the order in which they are applied, joined by ``+``. Each is written
            ``name``, ``name:value`` or ``name:value,value``. ``none`` or an empty text for no countermeasure.

    Raises:
        UsageError: If a name is unknown, a value is not a number or out of range, or the chain is not valid
            (see ``Chain``).
    """
    parts = [part.strip() for part in spec.split("+")]
    return Chain(tuple(_one(part) for part in parts if part != "none" and (part or len(parts) > 1)))


def _one(spec: str) -> Countermeasure:
    name, _, rest = spec.partition(":")
    if name not in _COUNTERMEASURES:
        raise UsageError(
            f"There is no countermeasure {name!r}.",
            f"There are: none, {', '.join(sorted(_COUNTERMEASURES))}.",
        )
    kind = _COUNTERMEASURES[name]
    fields, texts = dataclasses.fields(kind), rest.split(",") if rest else []
    if len(texts) > len(fields):
        known = ", ".join(f"{field.name} (default {field.default:g})" for field in fields) or "no settings"
        raise UsageError(f"{spec!r} has {len(texts)} values.", f"{name} has {known}.")
    values = []
    for field, text in zip(fields, texts, strict=False):
        whole = isinstance(field.default, int)
        try:
            values.append(int(text) if whole else float(text))
        except ValueError:
            raise UsageError(
                f"{spec!r}: {field.name} must be a {'whole ' if whole else ''}number, not {text!r}."
            ) from None
    return kind(*values)
