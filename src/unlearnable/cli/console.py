"""The output of a command: progress and remarks on stderr, the result on stdout."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import textwrap
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unicodedata import category

import typer

from unlearnable.cli import failures, progress, watching
from unlearnable.cli.progress import Stage
from unlearnable.cli.signals import Stopped, between_events
from unlearnable.errors import Unfinished, UnlearnableError, UsageError
from unlearnable.events import Event, OnProgress, silent

# Entries of a list that are printed; --json has all.
LISTED = 20
LOGS = ("text", "json")


class Console:
    """Prints what one command has to report.

    Args:
        json: Whether the result is printed as JSON.
        quiet: Whether remarks and progress are left out.
        log: ``text``, or ``json`` for one JSON object a line on stderr.
        metrics: File for the state of the work, for Prometheus; None for no file.

    Raises:
        Exit: If ``log`` is neither.
    """

    def __init__(
        self, json: bool = False, quiet: bool = False, log: str = "text", metrics: Path | None = None
    ) -> None:
        self.json = json
        self.quiet = quiet
        self.log = log
        self.metrics = metrics
        self._say: progress.Say = _stderr
        if log not in LOGS:
            self.log = "text"
            with self.errors():
                raise UsageError(f"--log {log} is unknown.", f"Choose {' or '.join(LOGS)}.")

    def remark(self, text: str) -> None:
        """Print a remark on stderr."""
        if not self.quiet:
            self._print("info", text)

    def result(self, record: Mapping[str, Any], text: str) -> None:
        """Print the result on stdout: the record as JSON, or the text for people.

        Raises:
            UnlearnableError: If stdout cannot be written.
        """
        shown = _to_json(record) if self.json else fold(printable(text), width())
        try:
            print(shown, flush=True)
        except OSError as error:
            raise UnlearnableError(
                f"The result cannot be written to standard output ({error.strerror or error}).",
                "Free some space, or write it to another place.",
            ) from error

    def listing(self, title: str, entries: Mapping[str, str] | Iterable[str]) -> None:
        """Print names on stderr, each with its reason if it has one. A long list is cut.

        Args:
            title: The title, without the number of entries.
            entries: Reasons by name, or names.
        """
        reasons = entries if isinstance(entries, Mapping) else dict.fromkeys(entries, "")
        if reasons and self.log == "json":
            self._print("warning", title, entries=reasons)
        elif reasons:
            _stderr("\n".join([f"{title} ({len(reasons)}):", *shortened(reasons)]))

    @contextmanager
    def progress(self, deadline: float = math.inf) -> Iterator[OnProgress]:
        """Yield an ``on_progress`` that draws bars on a terminal, and elsewhere prints a line every 30 s.

        Args:
            deadline: Time of ``time.monotonic()`` at which the next event ends work that cannot resume.

        Raises:
            Unfinished: At the first event after the deadline.
            Stopped: At the first event after ``kill``, so that a search can save what it has found.
        """
        with ExitStack() as stack:
            show = stack.enter_context(self._shown())
            if self.metrics is not None:
                show = stack.enter_context(watching.measured(self.metrics, show))
            yield _until(deadline, stack.enter_context(between_events(show)))

    @contextmanager
    def _shown(self) -> Iterator[OnProgress]:
        if self.quiet:
            yield silent
        elif progress.is_drawn() and self.log == "text":
            with progress.bars() as (show, say):
                self._say = say
                try:
                    yield show
                finally:
                    self._say = _stderr
        else:
            with progress.lines(self.remark, self._state) as show:
                yield show

    def _state(self, stage: Stage) -> None:
        """Print the state of the work."""
        self._print("info", stage.line(), **watching.numbers(stage))

    def _print(self, level: str, text: str, **more: Any) -> None:
        """Print a line on stderr; as JSON, it has more entries."""
        if self.log == "json":
            _stderr(watching.record(level, text, **more))
        else:
            self._say(printable(text))

    @contextmanager
    def errors(self, *, resumes: bool = False) -> Iterator[None]:
        """Turn errors into a clear message on stderr and an exit code.

        Args:
            resumes: Whether the same command resumes after an interruption.
        """
        try:
            failures.require_current_folder()
            yield
        except (typer.Exit, typer.BadParameter):
            raise
        except (Exception, KeyboardInterrupt) as error:
            # a question that was left unanswered
            ended = Stopped() if isinstance(error, typer.Abort) else error
            text, code = failures.explain(ended, resumes=resumes)
            if self.log == "json":
                self._print("error", text.removeprefix("error: "), exit_code=code)
            else:
                _stderr(text)
            raise typer.Exit(code) from error


def width() -> int | None:
    """Return the columns of the terminal that stdout is, or that COLUMNS says; None if neither is known."""
    if not (os.environ.get("COLUMNS") or sys.stdout.isatty()):
        return None
    return max(1, shutil.get_terminal_size().columns)


def fold(text: str, columns: int | None) -> str:
    """Return text with lines that are too long broken between words, and indented like their first line.

    A line with a path stays whole, so that the path can be copied.

    Args:
        text: The text.
        columns: The longest line; None for no limit.
    """
    lines = text.split("\n")
    if columns is None:
        return text
    return "\n".join(
        line if len(line) <= columns or _has_path(line) else _folded(line, columns) for line in lines
    )


def definitions(lines: Mapping[str, str]) -> str:
    """Return names, each with a line of text, in two columns that fit the terminal."""
    longest = max(map(len, lines), default=0)
    columns = width()
    if columns is None:
        return "\n".join(f"{name.ljust(longest)}  {line}" for name, line in lines.items())
    # too narrow for two columns
    below = columns < longest + 22
    indent = " " * (2 if below else longest + 2)
    return "\n".join(
        (f"{name}\n{indent}" if below else name.ljust(len(indent)))
        + textwrap.fill(line, max(columns - len(indent), 10), break_long_words=False).replace(
            "\n", f"\n{indent}"
        )
        for name, line in lines.items()
    )


def printable(text: str) -> str:
    """Return text with characters escaped that could rewrite the terminal, as the name of a file may hold."""
    if text.isprintable():
        return text
    return "".join(
        sign if sign.isprintable() or sign in "\n\t" or category(sign) == "Zs" else _escaped(sign)
        for sign in text
    )


def _escaped(sign: str) -> str:
    return sign.encode("unicode_escape").decode("ascii")


def shortened(entries: Mapping[str, str], most: int = LISTED) -> list[str]:
    """Return a line for each entry, sorted, but not more than ``most`` and one that counts the others."""
    lines = [
        f"  {name}: {reason}" if reason else f"  {name}" for name, reason in sorted(entries.items())[:most]
    ]
    more = len(entries) - len(lines)
    lines += [f"  and {more:,} more; --json has all of them"] if more else []
    return [printable(line.replace("\n", "\\n")) for line in lines]


def _folded(line: str, columns: int) -> str:
    indent = line[: len(line) - len(line.lstrip())]
    return textwrap.fill(
        line.strip(),
        columns,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _has_path(line: str) -> bool:
    words = line.split()
    return any(("/" in word or "\\" in word) and not word.partition("/")[0].isdigit() for word in words)


def _to_json(record: Mapping[str, Any]) -> str:
    finite = _finite(record)
    text = json.dumps(finite, ensure_ascii=False, indent=2, allow_nan=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(finite, indent=2, allow_nan=False)
    return text


def _finite(value: Any) -> Any:
    """Return a record with null for numbers that JSON does not have: NaN and the infinities."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, list | tuple) else value


def _until(deadline: float, on_progress: OnProgress) -> OnProgress:
    def show(event: Event) -> None:
        on_progress(event)
        if time.monotonic() >= deadline and event.done < event.total:
            raise Unfinished(
                f"The time is up: {event.stage}, {event.done} of {event.total}. Nothing was written.",
                "Give more time with --time-limit.",
            )

    return on_progress if deadline == math.inf else show


def _stderr(text: str) -> None:
    print(printable(text), file=sys.stderr, flush=True)
