"""The command ``unlearnable``: one file per verb.

A verb imports slow modules when it is called, so that the help appears at once.
"""

from __future__ import annotations

import logging
import sys
from typing import Annotated, Any

import typer

from unlearnable.cli import (
    demo,
    experiment,
    export,
    failures,
    fit,
    inspect,
    lists,
    protect,
    signals,
    streams,
    verify,
)
from unlearnable.cli.verb import Program, Verb
from unlearnable.version import __version__

SUMMARY = (
    "Add imperceptible noise to your photos so that models trained on them learn very little, "
    "and measure how well it works."
)


class App(typer.Typer):
    """The program as a process: its streams and signals, and the last place where an error gets words."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line, and exit."""
        streams.secure()
        # matplotlib warns of a home folder that it cannot write to, which harms nothing here
        logging.getLogger("matplotlib").setLevel(logging.ERROR)
        with signals.stopping():
            try:
                return super().__call__(*args, **kwargs)
            except (Exception, KeyboardInterrupt) as error:
                text, code = failures.explain(error)
                print(text, file=sys.stderr)
                raise SystemExit(code) from None


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
for verb, panel in (
    (demo.demo, PROTECT),
    (protect.protect, PROTECT),
    (fit.fit, PROTECT),
    (fit.apply, PROTECT),
    (verify.verify, MEASURE),
    (experiment.experiment, MEASURE),
    (inspect.inspect, SHOW),
    (lists.methods, SHOW),
    (lists.models, SHOW),
    (lists.countermeasures, SHOW),
    (export.export, EXCHANGE),
):
    app.command(cls=Verb, rich_help_panel=panel)(verb)
app.command("import", cls=Verb, rich_help_panel=EXCHANGE)(export.import_)
