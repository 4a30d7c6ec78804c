"""Registries: things by name, from this package, from plugins and from installed packages (entry points)."""

from __future__ import annotations

import inspect
import re
import sys
import warnings
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from unlearnable.arguments import unknown
from unlearnable.errors import UnlearnableError, UsageError

T = TypeVar("T")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
REGISTRIES: list[Registry[Any]] = []


class Registry(dict[str, T]):
    """Things of one kind by name.

    Installed packages offer more of them as entry points of the group ``unlearnable.KINDs``; these are loaded
    when a name is first looked up, because that reads the metadata of every installed package. One that
    cannot be loaded is a warning, so that a broken package does not stop everybody else.

    Args:
        kind: The kind in errors: ``method``.
        reserved: Names that mean something else already.
    """

    def __init__(self, kind: str, *reserved: str) -> None:
        super().__init__()
        self.kind = kind
        self.group = f"unlearnable.{kind}s"
        self.reserved = reserved
        self.modules: dict[str, str] = {}
        self._broken: dict[str, str] = {}
        self._complete = False
        REGISTRIES.append(self)

    def add(self, name: str, item: T, module: str) -> None:
        """Register something.

        Args:
            name: Its name: letters, digits, ``_`` and ``-``.
            item: The thing.
            module: Name of the module that defines it.

        Raises:
            UsageError: If the name is taken, or cannot be written where names are given.
        """
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} cannot be the name of a {self.kind}.", "Use letters, digits, _ and - only."
            )
        if name in self or name in self.reserved:
            place = sys.modules.get(self.modules.get(name, ""))
            file = getattr(place, "__file__", None)
            found = f"There is already a {self.kind} called {name!r}{f', in {file}' if file else ''}."
            raise UsageError(found, "Give yours another name.")
        self[name] = item
        self.modules[name] = module

    def find(self, name: str) -> T:
        """Return the thing with a name.

        Raises:
            UsageError: If there is none; the message names the nearest and all others.
        """
        self.complete()
        if not isinstance(name, str) or name not in self:
            raise unknown(self.kind, name, [*self.reserved, *sorted(self)], self._broken.get(str(name), ""))
        return self[name]

    def summaries(self) -> dict[str, str]:
        """Return the first line of every docstring, by name."""
        self.complete()
        return {name: (inspect.getdoc(item) or "").split("\n")[0] for name, item in sorted(self.items())}

    def forget(self, module: str) -> None:
        """Remove everything that a module has registered."""
        for name in [name for name, origin in self.modules.items() if origin == module]:
            self.modules.pop(name)
            self.pop(name, None)

    def complete(self) -> None:
        """Load the entry points of this kind, once."""
        if self._complete:
            return
        # set first: what is loaded here may look up names itself
        self._complete = True
        for point in entry_points(group=self.group):
            if problem := self._load(point):
                self._broken[point.name] = problem
                warnings.warn(problem, RuntimeWarning, stacklevel=3)

    def _load(self, point: EntryPoint) -> str:
        """Load an entry point, and return what is wrong with it; empty if nothing is."""
        package = point.dist.name if point.dist else point.value
        offered = f"The package {package} offers the {self.kind} {point.name!r}"
        if point.name in self:
            # a plugin, or the package itself, has registered the name before
            own = self.modules.get(point.name, "").partition(".")[0] == "unlearnable"
            return f"{offered}, but there is one of that name already." if own else ""
        try:
            point.load()
        # a package may raise anything when it is imported
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            if isinstance(error, UnlearnableError):
                reason = error.problem
            return f"{offered}, but it cannot be loaded ({reason}). Update or uninstall it."
        return (
            ""
            if point.name in self
            else f"{offered}, but {point.value} does not register that name. Update or uninstall it."
        )
