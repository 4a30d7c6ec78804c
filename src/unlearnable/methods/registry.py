"""Methods by name: the built-in ones, those of plugins, and those of installed packages (entry points)."""

from __future__ import annotations

import inspect
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from unlearnable.errors import UsageError
from unlearnable.renamed import to_current

if TYPE_CHECKING:
    from unlearnable.methods.base import Method

_METHODS: dict[str, type[Method[Any]]] = {}
ENTRY_POINTS = "unlearnable.methods"
M = TypeVar("M", bound="type[Method[Any]]")


def register(method: M) -> M:
    """Register a method under its ``name``; a decorator.

    Raises:
        ValueError: If the name is taken.
    """
    if method.name in _METHODS:
        raise ValueError(f"A method called {method.name} is registered already.")
    _METHODS[method.name] = method
    return method


def names() -> dict[str, str]:
    """Return every method's name and the first line of its docstring."""
    _load_entry_points()
    return {name: (inspect.getdoc(method) or "").split("\n")[0] for name, method in sorted(_METHODS.items())}


def get(name: str) -> type[Method[Any]]:
    """Return a method's class.

    Raises:
        UsageError: If no method has that name.
    """
    _load_entry_points()
    if name not in _METHODS:
        raise UsageError(f"There is no method {name!r}.", f"There are: {', '.join(sorted(_METHODS))}.")
    return _METHODS[name]


def create(name: str, settings: dict[str, Any] | None = None) -> Method[Any]:
    """Build a method from its name and settings, which may have names of earlier versions (``renamed.py``).

    Raises:
        UsageError: If the name, a setting or a value is unknown; the message names it.
    """
    method = get(name)
    try:
        return method(method.Config(**to_current(settings or {})))
    except ValidationError as error:
        first = error.errors()[0]
        # settings are flat: the rest of the location names a kind of value
        where = str(next(iter(first["loc"]), "settings"))
        problem = f"is {first.get('input')!r}: {first['msg'].lower()}"
        if first["type"] == "extra_forbidden":
            problem = "is not a setting"
        listed = f"Its settings: {', '.join(method.Config.model_fields)}."
        raise UsageError(f"{name}: {where} {problem}.", listed) from error


@cache  # looking them up reads the metadata of every installed package
def _load_entry_points() -> None:
    for point in entry_points(group=ENTRY_POINTS):
        if point.name not in _METHODS:
            point.load()
