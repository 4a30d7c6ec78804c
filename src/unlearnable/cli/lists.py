"""``unlearnable methods``, ``models`` and ``countermeasures``: what there is, one line each."""

from __future__ import annotations

from unlearnable.cli.console import Console, Json
from unlearnable.cli.options import Plugin


def methods(plugin: Plugin = None, json: Json = False) -> None:
    """List the ways of making noise."""
    console = Console(json)
    with console.errors():
        from unlearnable import methods as package

        if plugin is not None:
            package.load_plugin(plugin)
        _show(console, package.names())


def models(json: Json = False) -> None:
    """List the architectures, for surrogates and targets."""
    console = Console(json)
    with console.errors():
        from unlearnable import models as package

        _show(console, package.names())


def countermeasures(json: Json = False) -> None:
    """List what somebody may try who wants to learn from the images anyway."""
    console = Console(json)
    with console.errors():
        from unlearnable import countermeasures as package

        _show(console, package.names())


def _show(console: Console, names: dict[str, str]) -> None:
    width = max(map(len, names))
    console.result(dict(names), "\n".join(f"{name.ljust(width)}  {line}" for name, line in names.items()))
