"""The command ``unlearnable``: one file per verb, imported here; what is slow to import is imported inside the verbs."""

from __future__ import annotations

from typing import Annotated

import typer

from unlearnable.cli import demo, experiment, export, fit, inspect, lists, protect, verify
from unlearnable.version import __version__

app = typer.Typer(
    name="unlearnable",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Make photos that people can look at but models cannot learn from, and prove it.",
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"unlearnable {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Make photos that people can look at but models cannot learn from, and prove it."""


for verb in (
    demo.demo,
    protect.protect,
    verify.verify,
    fit.fit,
    fit.apply,
    inspect.inspect,
    lists.methods,
    lists.models,
    lists.countermeasures,
):
    app.command()(verb)
app.command()(experiment.experiment)
app.command("import")(export.import_)
app.command()(export.export)
