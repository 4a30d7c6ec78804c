"""Plugins: Python files that register methods, countermeasures, models or experiments."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from unlearnable import hashing
from unlearnable.errors import UsageError

_LOADED: dict[str, Path] = {}


def load_plugin(path: str | Path) -> None:
    """Run a Python file that registers something. A file that is loaded already is not run again.

    Args:
        path: A ``.py`` file that uses the decorators ``unlearnable.methods.register``,
            ``unlearnable.countermeasures.register``, ``unlearnable.models.register`` or
            ``unlearnable.experiments.base.experiment``.

    Raises:
        UsageError: If the file does not exist or cannot be imported.
    """
    file = Path(path).resolve()
    # The name is the file's own, so that two plugins called noise.py do not replace each other.
    name = f"unlearnable_plugin_{hashing.of_bytes(str(file).encode())[:12]}"
    if name in _LOADED:
        return
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None or not file.is_file():
        raise UsageError(f"{path} is not a Python file.", "A plugin is a .py file; see CONTRIBUTING.md.")
    module = importlib.util.module_from_spec(spec)
    # Pydantic and dataclasses look up annotations in the module of a class.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise UsageError(
            f"{path} cannot be imported ({type(error).__name__}: {error}).", "Correct the plugin."
        ) from error
    _LOADED[name] = file


def file_of(kind: type) -> Path | None:
    """Return the plugin that a class comes from; None if it comes from a package."""
    return _LOADED.get(kind.__module__)
