"""Methods by name. A method of somebody else comes in as a file (``load_plugin``) or as an entry point of a package."""

from __future__ import annotations

import importlib.util
import inspect
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from unlearnable.errors import UsageError

if TYPE_CHECKING:
    from unlearnable.methods.base import Method

_METHODS: dict[str, type[Method[Any]]] = {}
ENTRY_POINTS = "unlearnable.methods"
M = TypeVar("M", bound="type[Method[Any]]")


def register(method: M) -> M:
    """Register a method under its ``name``; a decorator."""
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
        UsageError: If there is none of that name.
    """
    _load_entry_points()
    if name not in _METHODS:
        raise UsageError(f"There is no method {name!r}.", f"There are: {', '.join(sorted(_METHODS))}.")
    return _METHODS[name]


def create(name: str, settings: dict[str, Any] | None = None) -> Method[Any]:
    """Build a method from its name and settings.

    Raises:
        UsageError: If the name, a setting or a value is unknown; the message names it.
    """
    method = get(name)
    try:
        return method(method.Config(**(settings or {})))
    except ValidationError as error:
        first = error.errors()[0]
        where = str(
            next(iter(first["loc"]), "settings")
        )  # settings are flat; what follows names a kind of value
        problem = (
            "is not a setting"
            if first["type"] == "extra_forbidden"
            else f"is {first.get('input')!r}: {first['msg'].lower()}"
        )
        raise UsageError(
            f"{name}: {where} {problem}.", f"Its settings: {', '.join(method.Config.model_fields)}."
        ) from error


def load_plugin(path: Path) -> None:
    """Run a Python file that registers methods.

    Raises:
        UsageError: If the file is not there or cannot be imported.
    """
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise UsageError(f"{path} is not a Python file.", "A plugin is a .py file that registers a method.")
    try:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    except Exception as error:
        raise UsageError(f"{path} cannot be imported ({type(error).__name__}: {error}).") from error


@cache  # looking them up reads the metadata of every installed package
def _load_entry_points() -> None:
    for point in entry_points(group=ENTRY_POINTS):
        if point.name not in _METHODS:
            point.load()
