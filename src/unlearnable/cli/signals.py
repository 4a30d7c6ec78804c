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

NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
# ``timeout`` and process managers send a signal to the process and again to its group.
SAME_REQUEST_SECONDS = 1.0


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
            raise Stopped(number)
        if time.monotonic() - first > SAME_REQUEST_SECONDS:
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


def _set(handlers: Mapping[int, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
