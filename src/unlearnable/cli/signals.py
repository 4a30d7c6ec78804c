"""Signals that ask the program to stop: Ctrl-C, ``kill``, a terminal that is closed."""

from __future__ import annotations

import atexit
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from unlearnable.events import Event, OnProgress

NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
# ``timeout`` and process managers send a signal to the process and again to its group.
SAME_REQUEST_SECONDS = 1.0


# Seconds that work has after ``kill`` to come to a point where it can be saved; Kubernetes kills after 30.
PATIENCE_SECONDS = 10.0
# The request to stop that waits for such a point.
_waiting: list[int] = []
_patient: list[bool] = []
# signals that wait for it
_gentle: set[int] = {signal.SIGTERM}


class Stopped(KeyboardInterrupt):
    """A signal asked the program to stop.

    Args:
        number: The signal.
    """

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__()
        self.number = number


@contextmanager
def stopping() -> Iterator[None]:
    """Raise ``Stopped`` at the first signal; at a later one end the process at once.

    Within ``between_events``, the first SIGTERM waits for the next event, for 10 s at most; so do the signals
    of ``wait_for_steps``.

    A signal that the caller ignores, as ``nohup`` does, stays ignored. After a signal the process is expected
    to end, so its handlers stay until then.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    first = 0.0

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal first
        if not first:
            first = time.monotonic()
            if number in _gentle and _patient:
                _waiting.append(number)
                _again_later(number)
                return
            raise Stopped(number)
        if time.monotonic() - first > SAME_REQUEST_SECONDS:
            if _waiting:
                raise Stopped(_waiting.pop())
            # files are written whole or not at all, so nothing is left half done
            os.write(2, b"Stopped at once.\n")
            os._exit(128 + number)

    usual = (signal.SIG_DFL, signal.default_int_handler)
    numbers = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    taken = [number for number in numbers if before[number] in usual]
    try:
        for number in taken:
            signal.signal(number, stop)
        yield
    finally:
        if first:
            # Python restores the defaults when it exits, and a second signal would then change the exit code
            atexit.register(_set, dict.fromkeys(taken, signal.SIG_IGN))
        else:
            _set({number: before[number] for number in taken})


def wait_for_steps(number: int) -> None:
    """Let a signal wait for the next event within ``between_events``, as SIGTERM does."""
    _gentle.add(number)


@contextmanager
def between_events(on_progress: OnProgress) -> Iterator[OnProgress]:
    """Yield an ``on_progress`` at whose next event ``kill`` stops the program, rather than in between.

    An event comes when a step is done, so a search can be saved there. Work that reports no event for 10 s is
    stopped without.

    Args:
        on_progress: Called with every event first.

    Raises:
        Stopped: At an event after the signal.
    """

    def show(event: Event) -> None:
        on_progress(event)
        if _waiting:
            raise Stopped(_waiting.pop())

    _patient.append(True)
    try:
        yield show
    finally:
        _patient.pop()
        if _waiting and not _patient:
            raise Stopped(_waiting.pop())


def _again_later(number: int) -> None:
    """Send a signal to this process again unless it has stopped by then."""

    def send() -> None:
        if _waiting:
            os.kill(os.getpid(), number)

    timer = threading.Timer(PATIENCE_SECONDS, send)
    timer.daemon = True
    timer.start()


def _set(handlers: Mapping[int, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
