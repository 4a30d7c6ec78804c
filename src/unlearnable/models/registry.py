"""Architectures by name: ``create("resnet18:width=16,stem=imagenet", classes=10)``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from torch import nn

from unlearnable.errors import UsageError

Builder = Callable[..., nn.Module]
_BUILDERS: dict[str, Builder] = {}


def register(builder: Builder) -> Builder:
    """Register a function ``name(classes, **settings) -> nn.Module`` under its own name."""
    name = builder.__name__
    if name in _BUILDERS:
        raise ValueError(f"A model called {name} is registered already.")
    _BUILDERS[name] = builder
    return builder


def names() -> dict[str, str]:
    """Return every model's name and the first line of its docstring."""
    return {
        name: (inspect.getdoc(builder) or "").split("\n")[0] for name, builder in sorted(_BUILDERS.items())
    }


def parse(spec: str) -> tuple[str, dict[str, Any]]:
    """Split ``"resnet18:width=16,stem=cifar"`` into its name and settings.

    Raises:
        UsageError: If the name or a setting is unknown; the message lists the known ones.
    """
    name, _, rest = spec.partition(":")
    if name not in _BUILDERS:
        raise UsageError(f"There is no model {name!r}.", f"There are: {', '.join(sorted(_BUILDERS))}.")
    known = {
        key: value for key, value in inspect.signature(_BUILDERS[name]).parameters.items() if key != "classes"
    }
    settings: dict[str, Any] = {}
    for item in filter(None, rest.split(",")):
        key, equals, value = item.partition("=")
        if not equals or key not in known:
            raise UsageError(
                f"{spec!r}: {name} has no setting {key!r}.", f"It has: {', '.join(sorted(known))}."
            )
        try:
            settings[key] = int(value) if isinstance(known[key].default, int) else value
        except ValueError as error:
            raise UsageError(
                f"{spec!r}: {key} must be a whole number, not {value!r}.", f"Write it like {name}:{key}=16."
            ) from error
    return name, settings


def revision(spec: str) -> int:
    """Return the revision of a model: the attribute ``revision`` of its function, or 1.

    It is raised when the results of the model change.
    """
    return int(getattr(_BUILDERS[parse(spec)[0]], "revision", 1))


def create(spec: str, classes: int) -> nn.Module:
    """Build a model of a specification, freshly initialised from torch's current random state.

    Args:
        spec: ``name`` or ``name:setting=value,...``.
        classes: Number of outputs.

    Returns:
        A module that maps float (N, 3, H, W) in [0, 1] to logits (N, classes); it normalises its input
        itself.
    """
    name, settings = parse(spec)
    return _BUILDERS[name](classes, **settings)
