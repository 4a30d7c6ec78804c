"""Calls that differ between operating systems, each with a fallback. Standard library only."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Windows has no signal masks
_HAS_MASKS = hasattr(signal, "pthread_sigmask")
# Windows flushes only files that are open for writing
_FLUSHABLE = os.O_RDWR if os.name == "nt" else os.O_RDONLY

# Linux
_STAT = Path("/proc/stat")


@contextmanager
def interrupts_blocked() -> Iterator[None]:
    """Block Ctrl-C in this thread; a process started meanwhile inherits that, as far as the system allows."""
    if not _HAS_MASKS:
        yield
        return
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def ignore_interrupts() -> None:
    """Ignore Ctrl-C in this process from now on, and lift a block that it inherited."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if _HAS_MASKS:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def load() -> float:
    """Return how many processes ran or waited for a core in the last minute; 0 where this is unknown."""
    try:
        return os.getloadavg()[0]
    # Windows has no such function
    except (AttributeError, OSError):
        return 0.0


def busy_cores(seconds: float) -> float | None:
    """Return how many cores are busy on average while this thread sleeps; None where this is unknown.

    Args:
        seconds: How long it sleeps.
    """
    before = _ticks()
    time.sleep(seconds)
    after = _ticks()
    if before is None or after is None or after[1] <= before[1]:
        return None
    return (os.cpu_count() or 1) * (after[0] - before[0]) / (after[1] - before[1])


def _ticks() -> tuple[int, int] | None:
    """Return the busy time and the whole time of all cores, in clock ticks; None without ``/proc/stat``."""
    try:
        user, nice, system, idle, waiting, *rest = map(
            int, _STAT.read_text("ascii").split("\n")[0].split()[1:]
        )
    except (OSError, ValueError, IndexError):
        return None
    # the time of virtual machines, the last two numbers, is a part of the first two
    busy = user + nice + system + sum(rest[:3])
    return busy, busy + idle + waiting


def exit_with_parent() -> None:
    """End this worker process when the process that started it ends, however it ends."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def flush(path: str | os.PathLike[str]) -> None:
    """Bring the content of a file, or the names in a folder, to the disk.

    Raises:
        OSError: If the disk is full or failing, or the system cannot do this; some cannot open folders.
    """
    handle = os.open(path, _FLUSHABLE)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
