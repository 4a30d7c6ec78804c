"""Progress as events: the library never prints; an ``on_progress`` function receives the events."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """One step of progress, or a remark.

    Args:
        stage: The stage of the work: ``"searching"``.
        done: Units finished so far.
        total: Units in all; 0 when that is not known.
        text: A remark, such as ``"round 3: error 4.1%"``.
        left: Seconds that the rest of the stage takes at most, at the speed measured last; None while that
            is not known.
    """

    stage: str
    done: int = 0
    total: int = 0
    text: str = ""
    left: float | None = None


OnProgress = Callable[[Event], None]


logger = logging.getLogger("unlearnable")


def logged(on_progress: OnProgress) -> OnProgress:
    """Return an ``on_progress`` that also sends every event to the logger ``unlearnable``.

    Remarks have the level INFO, progress has DEBUG.
    """

    def show(event: Event) -> None:
        if event.text and not event.done:
            logger.info("%s: %s", event.stage, event.text)
        else:
            logger.debug("%s: %d of %d", event.stage, event.done, event.total)
        on_progress(event)

    return show


def silent(event: Event) -> None:
    """Ignore the event."""
