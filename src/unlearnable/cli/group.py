"""A command that ``torchrun`` runs in several processes: the first one speaks for all of them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import typer

from unlearnable.cli import failures, signals
from unlearnable.errors import Unfinished, UsageError
from unlearnable.training.launch import Launch

# whether this process has worked together with others
_joined: list[bool] = []


def require_alone(verb: str) -> None:
    """Refuse a command that several processes cannot run together.

    Args:
        verb: The command.

    Raises:
        UsageError: If torchrun started several processes.
        Exit: The same, in all processes but the first.
    """
    launch = Launch.of()
    if launch.count == 1:
        return
    if launch.rank:
        raise typer.Exit(UsageError.exit_code)
    raise UsageError(
        f"torchrun started {launch.count} processes, but only `unlearnable fit` runs in several.",
        f"Run `unlearnable {verb}` without torchrun.",
    )


@contextmanager
def speaking(launch: Launch) -> Iterator[None]:
    """Let the first process report what all of them know; the others end with the same exit code.

    Ctrl-C then waits for the next step, as ``kill`` does, so that the processes save the same step.

    Args:
        launch: The place of this process.
    """
    from unlearnable.training.connection import Deserted
    from unlearnable.training.ranks import Elsewhere

    if launch.count > 1:
        signals.wait_for_steps(signal.SIGINT)
        _joined.append(True)
    try:
        yield
    except (Elsewhere, Unfinished, KeyboardInterrupt) as error:
        if not launch.rank:
            raise
        raise typer.Exit(failures.explain(error)[1]) from error
    except Deserted as error:
        # any process may be the one that is left
        problem = f"Process {launch.rank} of {launch.count}: {error.problem}"
        raise Deserted(problem, error.remedy) from error


def end(code: object) -> None:
    """End a process that has worked together with others, with an exit code; return in any other process.

    While Python exits, threads of a lost connection may still run in PyTorch, which then ends the process
    with a code of its own.

    Args:
        code: As ``SystemExit`` has it.
    """
    if _joined:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))
