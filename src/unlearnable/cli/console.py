"""The output of a command: progress and remarks on stderr, the result on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from unlearnable.errors import INTERRUPTED, Unfinished, UnlearnableError
from unlearnable.events import Event, OnProgress


class Console:
    """Prints what one command has to report.

    Args:
        json: Whether the result is printed as JSON.
        quiet: Whether remarks and progress are left out.
    """

    def __init__(self, json: bool = False, quiet: bool = False) -> None:
        self.json = json
        self.quiet = quiet

    def remark(self, text: str) -> None:
        """Print a remark on stderr."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)

    def result(self, record: dict[str, Any], text: str) -> None:
        """Print the result on stdout: the record as JSON, or the text for people."""
        print(json.dumps(record, ensure_ascii=False, indent=2) if self.json else text, flush=True)

    @contextmanager
    def progress(self) -> Iterator[OnProgress]:
        """Yield an ``on_progress`` that draws bars on a terminal and prints only remarks elsewhere."""
        if self.quiet or not sys.stderr.isatty():
            yield self._remarks
            return
        from rich.console import Console as Rich
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[text]}"),
        )
        with Progress(*columns, console=Rich(stderr=True), transient=False) as bars:
            tasks: dict[str, Any] = {}

            def show(event: Event) -> None:
                if event.text and not event.done:
                    bars.console.print(f"{event.stage}: {event.text}", markup=False, highlight=False)
                total = event.total or None
                if event.stage not in tasks:
                    tasks[event.stage] = bars.add_task(event.stage, total=total, text="")
                bars.update(tasks[event.stage], completed=event.done, total=total, text=event.text)

            yield show

    @contextmanager
    def errors(self, *, resumes: bool = False) -> Iterator[None]:
        """Turn errors into a clear message on stderr and an exit code.

        Args:
            resumes: Whether the same command resumes after an interruption.
        """
        try:
            yield
        except Unfinished as stop:
            print(stop, file=sys.stderr)
            raise typer.Exit(stop.exit_code) from stop
        except UnlearnableError as error:
            print(f"error: {error}", file=sys.stderr)
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt:
            remedy = "Run the same command again to resume." if resumes else "Nothing was written."
            print(f"Interrupted. {remedy}", file=sys.stderr)
            raise typer.Exit(INTERRUPTED) from None
        except OSError as error:
            reason = error.strerror or error
            print(f"error: {error.filename or 'A file'} cannot be used ({reason}).", file=sys.stderr)
            if resumes:
                print(
                    "  Finished work is saved. Correct the cause, then run the same command again.",
                    file=sys.stderr,
                )
            raise typer.Exit(UnlearnableError.exit_code) from error

    def _remarks(self, event: Event) -> None:
        if event.text and not event.done:
            self.remark(f"{event.stage}: {event.text}")
