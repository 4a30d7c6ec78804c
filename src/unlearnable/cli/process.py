"""The program as a process: its streams and signals, and the last handler of errors."""

from __future__ import annotations

import logging
import sys
from typing import Any

import typer

from unlearnable.cli import failures, group, signals, streams


class App(typer.Typer):
    """A command line that is safe to run as a process of its own."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line, and exit."""
        streams.secure()
        # matplotlib warns of a home folder that it cannot write to, which harms nothing here
        logging.getLogger("matplotlib").setLevel(logging.ERROR)
        with signals.stopping():
            try:
                return super().__call__(*args, **kwargs)
            except SystemExit as ended:
                group.end(ended.code)
                raise
            except (Exception, KeyboardInterrupt) as error:
                text, code = failures.explain(error)
                print(text, file=sys.stderr)
                group.end(code)
                raise SystemExit(code) from None
