"""Lengths of time: read from an option, and written for people."""

from __future__ import annotations

import re

from unlearnable.errors import UsageError

SECONDS = {"s": 1, "m": 60, "h": 3600}


def parse(text: str, option: str = "--time-limit") -> float:
    """Return the seconds in a length of time such as ``90s``, ``15m`` or ``1.5h``.

    Args:
        text: A number and its unit: s, m or h.
        option: Where the text was given, for the error.

    Raises:
        UsageError: If it is not a length of time, or is zero.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh])", text.strip())
    seconds = float(match[1]) * SECONDS[match[2]] if match else 0.0
    if not seconds:
        raise UsageError(
            f"{option} {text!r} is not a length of time greater than zero.", "Write it like 90s, 15m or 2h."
        )
    return seconds


def words(seconds: float) -> str:
    """Return a length of time the way people say it: ``42 s``, ``2.5 min``, ``17 min``, ``1.5 h``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 570:
        return f"{round(seconds / 30) / 2:g} min"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
