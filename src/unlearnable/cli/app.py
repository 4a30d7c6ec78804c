"""The command ``unlearnable``: one file per verb.

A verb imports slow modules when it is called, so that the help appears at once.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from unlearnable.cli import (
    apply,
    demo,
    detect,
    experiment,
    export,
    faces,
    fit,
    inspect,
    lists,
    protect,
    verify,
)
from unlearnable.cli.process import App
from unlearnable.cli.verb import Addressed, Program, Shared, Verb
from unlearnable.version import __version__

SUMMARY = (
    "Add imperceptible noise to your photos so that models trained on them learn very little, "
    "and measure how well it works."
)


# "rich" groups the options of a verb under titles.
app = App(
    name="unlearnable",
    cls=Program,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"unlearnable {__version__}")
        raise typer.Exit


@app.callback(help=SUMMARY)
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Run before every verb; the options of the program itself."""


PROTECT, MEASURE, SHOW, EXCHANGE = "Protect", "Measure", "Show", "Exchange"
KINDS: dict[Any, type[Verb]] = {apply.apply: Addressed, fit.fit: Shared}
for verb, panel in (
    (demo.demo, PROTECT),
    (protect.protect, PROTECT),
    (fit.fit, PROTECT),
    (apply.apply, PROTECT),
    (verify.verify, MEASURE),
    (detect.detect, MEASURE),
    (experiment.experiment, MEASURE),
    (inspect.inspect, SHOW),
    (lists.methods, SHOW),
    (lists.models, SHOW),
    (lists.countermeasures, SHOW),
    (export.export, EXCHANGE),
):
    app.command(cls=KINDS.get(verb, Verb), rich_help_panel=panel)(verb)
app.command("import", cls=Verb, rich_help_panel=EXCHANGE)(export.import_)
app.add_typer(faces.app, name="faces", rich_help_panel=PROTECT)
