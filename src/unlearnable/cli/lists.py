"""``unlearnable methods``, ``models`` and ``countermeasures``: the registered names, one line each."""

from __future__ import annotations

from unlearnable.cli import options
from unlearnable.cli.console import Console, definitions


def methods(plugin: options.Plugin = None, json: options.Json = False, quiet: options.Quiet = False) -> None:
    """List the methods that make noise."""
    console = Console(json, quiet)
    with console.errors():
        from unlearnable import methods as package

        options.load_plugins(plugin)
        _show(console, package.names())


def models(plugin: options.Plugin = None, json: options.Json = False, quiet: options.Quiet = False) -> None:
    """List the network architectures, for surrogates and targets."""
    console = Console(json, quiet)
    with console.errors():
        from unlearnable import models as package

        options.load_plugins(plugin)
        _show(console, package.names())


def countermeasures(
    plugin: options.Plugin = None, json: options.Json = False, quiet: options.Quiet = False
) -> None:
    """List the countermeasures: ways to train on protected images despite the noise."""
    console = Console(json, quiet)
    with console.errors():
        from unlearnable import countermeasures as package

        options.load_plugins(plugin)
        _show(console, package.names())


def _show(console: Console, names: dict[str, str]) -> None:
    console.result(dict(names), definitions(names))
