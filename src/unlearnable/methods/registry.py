"""Methods by name: the built-in ones, those of plugins, and those of installed packages (entry points)."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, TypeVar

from unlearnable.arguments import shown
from unlearnable.errors import UsageError
from unlearnable.registry import Registry
from unlearnable.renamed import to_current

if TYPE_CHECKING:
    from unlearnable.methods.base import Method

_METHODS: Registry[type[Method[Any]]] = Registry("method")
M = TypeVar("M", bound="type[Method[Any]]")


def register(method: M) -> M:
    """Register a method under its ``name``; a decorator.

    Raises:
        UsageError: If the name is taken, or the class lacks a part of the contract.
    """
    lacking = [part for part in ("name", "Config") if not hasattr(method, part)]
    lacking += sorted(getattr(method, "__abstractmethods__", ()))
    if lacking:
        raise UsageError(
            f"The method {method.__name__} has no {', '.join(lacking)}.", "CONTRIBUTING.md has an example."
        )
    _METHODS.add(method.name, method, method.__module__)
    return method


def names() -> dict[str, str]:
    """Return every method's name and the first line of its docstring."""
    return _METHODS.summaries()


def get(name: str) -> type[Method[Any]]:
    """Return a method's class.

    Raises:
        UsageError: If no method has that name.
    """
    return _METHODS.find(name)


def create(name: str, settings: dict[str, Any] | None = None) -> Method[Any]:
    """Build a method from its name and settings, which may have names of earlier versions (``renamed.py``).

    Raises:
        UsageError: If the name, a setting or a value is unknown; the message names it.
    """
    return get(name)(**to_current(settings or {}))


def given(method: Any) -> Method[Any] | str | None:
    """Return what a caller passes as a method: a method, the name of one, or None for the default.

    Raises:
        UsageError: If it is anything else, such as a class.
    """
    from unlearnable.methods.base import Method

    if method is None or isinstance(method, Method):
        return method
    if isinstance(method, str):
        return get(method).name
    remedy = 'Give a method, such as un.Random(form="classwise"), or the name of one.'
    if inspect.isclass(method) and issubclass(method, Method):
        remedy = f"Call the class, with or without settings: {method.__name__}()."
    raise UsageError(f"method is {shown(method)}, but must be a method.", remedy)
