"""The registry of countermeasures, and chains by specification: ``create("jpeg:10+cutout")``."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TypeVar

from unlearnable.arguments import shown
from unlearnable.countermeasures.base import Countermeasure, Stage
from unlearnable.countermeasures.chain import Chain
from unlearnable.errors import UsageError
from unlearnable.registry import Registry

_COUNTERMEASURES: Registry[type[Countermeasure]] = Registry("countermeasure", "none")
C = TypeVar("C", bound="type[Countermeasure]")


def register(countermeasure: C) -> C:
    """Register a countermeasure under its ``name``; a decorator.

    Raises:
        UsageError: If the name is taken.
        ValueError: If a field is not a ``setting``.
    """
    for field in dataclasses.fields(countermeasure):
        if "range" not in field.metadata:
            raise ValueError(f"{countermeasure.name}: declare {field.name} with setting(default, low, high).")
    _COUNTERMEASURES.add(countermeasure.name, countermeasure, countermeasure.__module__)
    return countermeasure


def names() -> dict[str, str]:
    """Return the first line of every countermeasure's docstring, by name."""
    return _COUNTERMEASURES.summaries()


def unlisted(listed: Sequence[str], *stages: Stage) -> list[str]:
    """Return the names of the countermeasures whose first stage is one of some, and that a list leaves out.

    Args:
        listed: Specifications, each of one countermeasure.
        stages: The stages.
    """
    _COUNTERMEASURES.complete()
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
    if not isinstance(spec, str):
        raise UsageError(f"A chain is given as a string, not as {shown(spec)}.", 'Write "grey+jpeg:30".')
    parts = [part.strip() for part in spec.split("+")]
    if "" in parts and len(parts) > 1:
        rest = "+".join(filter(None, parts)) or "none"
        raise UsageError(f"{spec!r} has a + with no countermeasure beside it.", f"Write {rest!r}.")
    return Chain(tuple(_one(part) for part in parts if part not in ("none", "")))


def alternatives(spec: str) -> tuple[Chain, ...]:
    """Return the chains of which a search applies one to each image.

    Args:
        spec: Chains joined by ``|``, such as ``none|grey|jpeg:30+cutout``. All are equally likely; a chain
            that is written twice is twice as likely.

    Raises:
        UsageError: If a chain is not valid, or has a countermeasure without a stand-in.
    """
    parts = [part.strip() for part in spec.split("|")] if isinstance(spec, str) else [spec]
    if "" in parts and len(parts) > 1:
        raise UsageError(
            f"{spec!r} has a | with no chain beside it.", "Write none for images as they are published."
        )
    chains = tuple(create(part) for part in parts)
    for member in (member for chain in chains for member in chain.members):
        if not member.has_stand_in:
            able = ", ".join(name for name, kind in sorted(_COUNTERMEASURES.items()) if kind().has_stand_in)
            raise UsageError(
                f"{member.name} is not differentiable, so a search cannot apply it.", f"Choose from {able}."
            )
    return chains


def _one(spec: str) -> Countermeasure:
    name, colon, rest = spec.partition(":")
    kind = _COUNTERMEASURES.find(name)
    fields, texts = dataclasses.fields(kind), rest.split(",") if colon else []
    example = f"Write {kind().spec}, for example."
    if len(texts) > len(fields):
        known = ", ".join(f"{field.name} (default {field.default:g})" for field in fields) or "no settings"
        raise UsageError(f"{spec!r} has {len(texts)} values.", f"{name} has {known}. {example}")
    values = []
    for field, text in zip(fields, texts, strict=False):
        whole = isinstance(field.default, int)
        try:
            values.append(int(text) if whole else float(text))
        except ValueError:
            raise UsageError(
                f"{spec!r}: {field.name} must be a {'whole ' if whole else ''}number, not {text!r}.", example
            ) from None
    return kind(*values)
