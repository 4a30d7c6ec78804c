"""Long measurements in pieces: a checkpoint that also holds the seconds spent, and a deadline."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import torch
from timing import TimeUp, code

from unlearnable.files import write_by


class Resumable:
    """A measurement that continues in another process, if the code is the same.

    Args:
        path: The checkpoint.
        deadline: Value of ``time.monotonic()`` after which ``save`` ends the process's work.
        every: Seconds between two checkpoints.

    Attributes:
        state: What the last process saved; empty at the beginning.
        resumed: Whether another process began.
    """

    def __init__(self, path: Path, deadline: float = float("inf"), every: float = 60.0) -> None:
        self._path, self._deadline, self._every = path, deadline, every
        found = torch.load(path, weights_only=True) if path.exists() else {}
        found = found if found.get("code") == code() else {}
        self.resumed, self.state = bool(found), found.get("state", {})
        self._spent, self._started = float(found.get("seconds", 0.0)), time.perf_counter()
        self._saved = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds of work in all processes, without those of saving."""
        return self._spent + time.perf_counter() - self._started

    def restart(self) -> None:
        """Begin the time of this process now."""
        self._started = time.perf_counter()

    def save(self, state: dict[str, Any]) -> None:
        """Write a checkpoint if one is due.

        Raises:
            TimeUp: If the deadline has passed; the checkpoint is written before.
        """
        up = time.monotonic() > self._deadline
        if not up and time.monotonic() - self._saved < self._every:
            return
        before = time.perf_counter()
        now = {"code": code(), "seconds": self.seconds, "state": state}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_by(self._path, lambda draft: torch.save(now, draft))
        self._started += time.perf_counter() - before
        self._saved = time.monotonic()
        if up:
            raise TimeUp

    def done(self) -> float:
        """Remove the checkpoint, and return the seconds of work."""
        seconds = self.seconds
        self._path.unlink(missing_ok=True)
        return seconds


def running() -> float:
    """Return the seconds since this process started, imports included; 0 where the system does not tell."""
    try:
        started = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        up = float(Path("/proc/uptime").read_text().split()[0])
        return up - started / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return 0.0
