"""Plugins: Python files that register methods, countermeasures, models or experiments."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

from unlearnable import arguments, hashing
from unlearnable.errors import UnlearnableError, UsageError
from unlearnable.registry import REGISTRIES


@dataclass(frozen=True)
class Plugin:
    """A file that was loaded.

    Args:
        path: Its resolved path.
        content: The hash of its bytes.
    """

    path: Path
    content: str


# by name of the module
_LOADED: dict[str, Plugin] = {}


def load_plugin(path: str | Path) -> None:
    """Run a Python file that registers something.

    A file that is loaded already is run again only if it has changed since; what it registered before is
    replaced. A copy of a loaded file replaces it likewise. If the file fails, nothing of it stays registered.

    Args:
        path: A ``.py`` file that uses the decorators ``unlearnable.methods.register``,
            ``unlearnable.countermeasures.register``, ``unlearnable.models.register`` or
            ``unlearnable.experiments.base.experiment``.

    Raises:
        UsageError: If the file does not exist or cannot be imported.
    """
    file = arguments.path("path", path, "file").resolve()
    # The name is the file's own, so that two plugins called noise.py do not replace each other.
    name = f"unlearnable_plugin_{hashing.digest(str(file))[:12]}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None or not file.is_file():
        raise UsageError(f"{path} is not a Python file.", "A plugin is a .py file; see CONTRIBUTING.md.")
    plugin = Plugin(file, hashing.of_file(file))
    if _LOADED.get(name) == plugin:
        return
    for older, one in list(_LOADED.items()):
        if one.path == file or one.content == plugin.content:
            _forget(older)
    module = importlib.util.module_from_spec(spec)
    # Pydantic and dataclasses look up annotations in the module of a class.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except UnlearnableError as error:
        _forget(name)
        raise UsageError(f"{path} cannot be loaded. {error.problem}", error.remedy) from error
    # a plugin may do anything, even leave the process
    except (Exception, SystemExit) as error:
        _forget(name)
        raise UsageError(
            f"{path} cannot be imported ({type(error).__name__}: {error}).",
            f"Correct the plugin{_line(error, file)}.",
        ) from error
    _LOADED[name] = plugin


def file_of(kind: object) -> Path | None:
    """Return the plugin that a class or a function comes from; None if it comes from a package."""
    plugin = _LOADED.get(getattr(kind, "__module__", ""))
    return None if plugin is None else plugin.path


def words(error: Exception) -> str:
    """Return an error in a line: ours as they are, those of a plugin with the place where it was raised."""
    if isinstance(error, UnlearnableError):
        return f"{error.problem} {error.remedy}".strip()
    frames = traceback.extract_tb(error.__traceback__)
    files = {str(plugin.path) for plugin in _LOADED.values()}
    # a mistake in a plugin often shows in a library that it calls
    mine = [frame for frame in frames if frame.filename in files] or frames
    place = "".join(f", in {Path(frame.filename).name} at line {frame.lineno}" for frame in mine[-1:])
    return f"{type(error).__name__}: {error}{place}"


def _forget(module: str) -> None:
    _LOADED.pop(module, None)
    sys.modules.pop(module, None)
    for registry in REGISTRIES:
        registry.forget(module)


def _line(error: BaseException, file: Path) -> str:
    """Return where in a file an error was raised; empty if it was raised elsewhere."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(file)]
    return f" at line {lines[-1]}" if lines else ""
