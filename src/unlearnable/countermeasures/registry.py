"""Countermeasures by name, and chains of them: ``create("jpeg:10+cutout")``."""

from __future__ import annotations

import dataclasses
import inspect
from typing import TypeVar

from unlearnable.countermeasures.base import Countermeasure
from unlearnable.countermeasures.chain import Chain
from unlearnable.errors import UsageError

_COUNTERMEASURES: dict[str, type[Countermeasure]] = {}
C = TypeVar("C", bound="type[Countermeasure]")


def register(countermeasure: C) -> C:
    """Register a countermeasure under its ``name``; a decorator."""
    if countermeasure.name in _COUNTERMEASURES or countermeasure.name == "none":
        raise ValueError(f"A countermeasure called {countermeasure.name} is registered already.")
    _COUNTERMEASURES[countermeasure.name] = countermeasure
    return countermeasure


def names() -> dict[str, str]:
    """Return every countermeasure's name and the first line of its docstring."""
    return {
        name: (inspect.getdoc(kind) or "").split("\n")[0] for name, kind in sorted(_COUNTERMEASURES.items())
    }


def create(spec: str) -> Chain:
    """Build a chain of countermeasures.

    Args:
        spec: Countermeasures in the order in which they are applied, each ``name`` or ``name:value`` or
            ``name:value,value``, joined by ``+``; ``none`` or nothing for the identity.

    Raises:
        UsageError: If a name is unknown or a value is no number or out of range, or if two countermeasures
            have a step.
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
        has = ", ".join(f"{field.name} ({field.default:g} unless given)" for field in fields) or "no settings"
        raise UsageError(f"{spec!r} has {len(texts)} values.", f"{name} has {has}.")
    values = []
    for field, text in zip(fields, texts, strict=False):
        whole = isinstance(field.default, int)
        try:
            values.append(int(text) if whole else float(text))
        except ValueError:
            raise UsageError(
                f"{spec!r}: {field.name} is a {'whole ' if whole else ''}number, not {text!r}."
            ) from None
    return kind(*values)
