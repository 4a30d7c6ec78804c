"""Lengths of time, as the command line reads and writes them. Needs the standard library only."""

from __future__ import annotations

import re

from unlearnable.errors import UsageError

SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration(text: str) -> float:
    """Return the seconds in a length of time such as ``90s``, ``15m`` or ``1.5h``.

    Raises:
        UsageError: If the text is not a number followed by s, m or h.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh])", text.strip())
    if found is None:
        raise UsageError(f"{text!r} is not a length of time.", "Write it like 90s, 15m or 1.5h.")
    return float(found[1]) * SECONDS[found[2]]


def duration(seconds: float) -> str:
    """Return a length of time in words: ``45 s``, ``12 min``, ``1.5 h``; at least one second."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
