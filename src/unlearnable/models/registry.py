"""Architectures by name: ``create("resnet18:width=16,stem=imagenet", classes=10)``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from torch import nn

from unlearnable.arguments import nearest, shown
from unlearnable.errors import UnlearnableError, UsageError, is_out_of_memory
from unlearnable.models import from_timm
from unlearnable.registry import Registry

Builder = Callable[..., nn.Module]
_BUILDERS: Registry[Builder] = Registry("model")


def register(builder: Builder, name: str = "") -> Builder:
    """Register a function ``name(classes, **settings) -> nn.Module``.

    Args:
        builder: The function.
        name: Name of the model; by default that of the function.

    Raises:
        UsageError: If the name is taken, or the first parameter is not ``classes``.
    """
    name = name or builder.__name__
    if next(iter(inspect.signature(builder).parameters), "") != "classes":
        raise UsageError(f"The model {name} does not take `classes`.", f"Write def {name}(classes, ...).")
    _BUILDERS.add(name, builder, builder.__module__)
    return builder


def names() -> dict[str, str]:
    """Return every model's name and the first line of its docstring."""
    return _BUILDERS.summaries()


def parse(spec: str) -> tuple[str, dict[str, Any]]:
    """Split ``"resnet18:width=16,stem=cifar"`` into its name and settings.

    Raises:
        UsageError: If the name or a setting is unknown; the message lists the known ones.
        DataError: If it is a network of timm, which is not installed.
    """
    if not isinstance(spec, str):
        raise UsageError(f"A model is given as a string, not as {shown(spec)}.", 'Write "resnet18:width=16".')
    name, colon, rest = spec.partition(":")
    parameters = inspect.signature(builder(name)).parameters
    known = {key: value.default for key, value in parameters.items() if key != "classes"}
    listed = f"It has: {', '.join(sorted(known))}." if known else f"Write {name} alone: it has no settings."
    settings: dict[str, Any] = {}
    for item in rest.split(",") if colon else ():
        key, equals, value = (part.strip() for part in item.partition("="))
        if key not in known:
            remedy = f"{nearest(key, known)} {listed}".strip()
            raise UsageError(f"{spec!r}: {name} has no setting {key!r}.", remedy)
        if not equals or not value:
            raise UsageError(f"{spec!r}: {key} has no value.", f"Write it like {name}:{key}={known[key]}.")
        if key in settings:
            raise UsageError(f"{spec!r}: {key} is given twice.", "Give each setting once.")
        settings[key] = _value(spec, name, key, value, known[key])
    return name, settings


def _value(spec: str, name: str, key: str, text: str, default: Any) -> Any:
    """Return the value of a setting, of the type of its default."""
    value: Any
    if isinstance(default, bool):
        value, need = {"true": True, "false": False}.get(text.lower()), "true or false"
    elif isinstance(default, int):
        # every whole number counts something: channels, layers
        value, need = int(text) if text.isdecimal() and int(text) > 0 else None, "a whole number from 1"
    elif isinstance(default, float):
        value, need = _float(text), "a number"
    else:
        return text
    if value is None:
        raise UsageError(
            f"{spec!r}: {key} must be {need}, not {text!r}.", f"Write it like {name}:{key}={default}."
        )
    return value


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def builder(spec: str) -> Builder:
    """Return the function that builds the model of a specification.

    Raises:
        UsageError: If there is none.
        DataError: If it is a network of timm, which is not installed.
    """
    name = spec.partition(":")[0]
    return from_timm.builder(name) if name.startswith(from_timm.PREFIX) else _BUILDERS.find(name)


def canonical(spec: str) -> str:
    """Return a specification without settings at their default, in the order of the function's parameters.

    Raises:
        UsageError: If the name or a setting is unknown.
    """
    name, settings = parse(spec)
    parameters = inspect.signature(builder(name)).parameters
    changed = [
        f"{key}={settings[key]}"
        for key in parameters
        if settings.get(key, parameters[key].default) != parameters[key].default
    ]
    return f"{name}:{','.join(changed)}" if changed else name


def revision(spec: str) -> int:
    """Return the revision of a model: the attribute ``revision`` of its function, or 1.

    It is raised when the results of the model change.
    """
    return int(getattr(builder(parse(spec)[0]), "revision", 1))


def create(spec: str, classes: int) -> nn.Module:
    """Build a model of a specification, freshly initialised from torch's current random state.

    Args:
        spec: ``name``, ``name:setting=value,...``, or ``timm/NAME`` for a network of timm.
        classes: Number of outputs.

    Returns:
        A module that maps float (N, 3, H, W) in [0, 1] to logits (N, classes); it normalises its input
        itself.

    Raises:
        UsageError: If the name, a setting or a value is unknown, or the model cannot be built.
        DataError: If it is a network of timm, which is not installed.
    """
    name, settings = parse(spec)
    try:
        return builder(name)(classes, **settings)
    except UnlearnableError:
        raise
    # the function may be a plugin's, and torch refuses sizes in many ways
    except Exception as error:
        if is_out_of_memory(error):
            raise UsageError(
                f"The model {spec!r} needs more memory than there is.", "Give a smaller network, or width."
            ) from error
        raise UsageError(
            f"The model {spec!r} cannot be built ({type(error).__name__}: {error}).",
            "Give other settings, or correct the function that builds it.",
        ) from error
