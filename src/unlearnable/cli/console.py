"""What a person or a program sees of a command: progress and remarks on stderr, the result on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from unlearnable.errors import INTERRUPTED, UnlearnableError
from unlearnable.events import Event, OnProgress

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout; everything else goes to stderr.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no remarks.")]
Seed = Annotated[
    int | None, typer.Option("--seed", help="Same seed, data and settings: same result.", min=0, max=2**53)
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps.")]
Precision = Annotated[
    str,
    typer.Option(
        "--precision",
        help="auto (found by a probe and recorded), float32 or bfloat16, where networks compute.",
    ),
]


class Console:
    """One command's voice.

    Args:
        json: Whether the result is printed as JSON.
        quiet: Whether remarks and progress are left out.
    """

    def __init__(self, json: bool = False, quiet: bool = False) -> None:
        self.json = json
        self.quiet = quiet

    def say(self, text: str) -> None:
        """Print a remark on stderr."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)

    def result(self, record: dict[str, Any], text: str) -> None:
        """Print the result on stdout: the record as JSON, or the text for people."""
        print(json.dumps(record, ensure_ascii=False, indent=2) if self.json else text, flush=True)

    @contextmanager
    def progress(self) -> Iterator[OnProgress]:
        """Give a listener that draws bars on a terminal and is silent elsewhere."""
        if self.quiet or not sys.stderr.isatty():
            # no bars in a log file, but the remarks that are made before long work
            yield (
                lambda event: (
                    self.say(f"{event.stage}: {event.text}") if event.text and not event.done else None
                )
            )
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
                if event.stage not in tasks:
                    tasks[event.stage] = bars.add_task(event.stage, total=event.total or None, text="")
                bars.update(
                    tasks[event.stage], completed=event.done, total=event.total or None, text=event.text
                )

            yield show

    @contextmanager
    def errors(self, *, goes_on: bool = False) -> Iterator[None]:
        """Turn errors into one clear line and an exit code.

        Args:
            goes_on: Whether the command, started again after an interruption, goes on where it was.
        """
        try:
            yield
        except UnlearnableError as error:
            print(f"error: {error}", file=sys.stderr)
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt:
            print(
                f"Interrupted. {'Start the same command again to go on.' if goes_on else 'Nothing was written.'}",
                file=sys.stderr,
            )
            raise typer.Exit(INTERRUPTED) from None
        except OSError as error:
            print(
                f"error: {error.filename or 'A file'} cannot be used ({error.strerror or error}).",
                file=sys.stderr,
            )
            if goes_on:
                print(
                    "  What is finished is kept. When that is mended, start the same command again.",
                    file=sys.stderr,
                )
            raise typer.Exit(1) from error


def duration(seconds: float) -> str:
    """Write a length of time as people say it."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
