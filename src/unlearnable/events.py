"""Progress as events: the library never prints, and whoever listens decides what a person sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """Something worth knowing.

    Args:
        stage: What is being done, in words: ``"searching"``.
        done: Units finished so far.
        total: Units in all; 0 when that is not known.
        text: A remark, such as ``"round 3: error 4.1%"``.
    """

    stage: str
    done: int = 0
    total: int = 0
    text: str = ""


OnProgress = Callable[[Event], None]


def silent(event: Event) -> None:
    """Listen to nothing."""
