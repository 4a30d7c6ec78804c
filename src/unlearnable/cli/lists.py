"""``unlearnable methods``, ``models`` and ``countermeasures``: the registered names, one line each."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from unlearnable.cli import options
from unlearnable.cli.console import Console, definitions
from unlearnable.errors import UsageError

Weights = Annotated[
    bool, Option("--weights", help="List published ImageNet weights, and the files that are on this machine.")
]
Load = Annotated[
    str | None,
    Option("--download", help="Download the published weights of a network.", metavar="NETWORK"),
]


def methods(plugin: options.Plugin = None, json: options.Json = False, quiet: options.Quiet = False) -> None:
    """List the methods that make noise."""
    console = Console(json, quiet)
    with console.errors():
        from unlearnable import methods as package

        options.load_plugins(plugin)
        _show(console, package.names())


def models(
    weights: Weights = False,
    download: Load = None,
    plugin: options.Plugin = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """List the network architectures, for surrogates and targets; or their published weights."""
    console = Console(json, quiet)
    with console.errors():
        from unlearnable import models as package
        from unlearnable.models import pretrained

        if weights and download:
            raise UsageError("--weights and --download cannot be combined.", "Give one of them.")
        options.load_plugins(plugin)
        if download:
            console.remark(pretrained.describe(download))
            path = pretrained.download(download)
            console.result({"model": download, "file": str(path)}, str(path))
        elif weights:
            lines = {
                model: f"{one.find() or 'not on this machine'}: {one.words}"
                for model, one in pretrained.PUBLISHED.items()
            }
            records = {model: one.record for model, one in pretrained.PUBLISHED.items()}
            console.result(records, definitions(lines))
        else:
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
