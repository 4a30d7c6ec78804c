"""Progress for machines: records of JSON on stderr, and a text file that Prometheus reads."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unlearnable.cli.progress import Stage
from unlearnable.errors import UnlearnableError
from unlearnable.events import Event, OnProgress
from unlearnable.files import write

# Seconds between two versions of the file of metrics.
METRICS_EVERY = 5.0
METRICS = {
    "done": "Units of the stage that are finished.",
    "total": "Units of the stage in all; 0 when that is not known.",
    "rate": "Units a second since the stage began.",
    "left_seconds": "Seconds that the stage still takes, at that rate.",
}


def record(level: str, message: str, **more: Any) -> str:
    """Return one line of JSON for a log.

    Args:
        level: ``info``, ``warning`` or ``error``.
        message: The text for people.
        more: Further entries; None is left out.
    """
    entries = {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "level": level, "message": message}
    return json.dumps(entries | {key: value for key, value in more.items() if value is not None})


def numbers(stage: Stage) -> dict[str, Any]:
    """Return a stage as numbers by name: done, total, rate and seconds left, as far as they are known."""
    found: dict[str, Any] = {"stage": stage.event.stage, "done": stage.event.done, "total": stage.event.total}
    if stage.rate is not None:
        found["rate"] = round(stage.rate, 4)
    if stage.seconds_left is not None:
        found["left_seconds"] = round(stage.seconds_left, 1)
    return found


@contextmanager
def measured(path: Path, on_progress: OnProgress) -> Iterator[OnProgress]:
    """Yield an ``on_progress`` that also writes a file of metrics, every 5 s and at the end.

    The file is replaced as a whole, so that a reader never sees half of it.

    Args:
        path: The file, in the text format of Prometheus; its collector reads names that end in ``.prom``.
        on_progress: Called with every event.

    Raises:
        UnlearnableError: If the file cannot be written when the work begins.
    """
    stages: dict[str, Stage] = {}
    over = threading.Event()

    def show(event: Event) -> None:
        on_progress(event)
        known = stages.get(event.stage)
        stages[event.stage] = Stage(event) if known is None else known.after(event)

    def save(running: bool) -> None:
        write(path, text([*stages.values()], running).encode())

    def repeat() -> None:
        while not over.wait(METRICS_EVERY):
            _quietly(lambda: save(True))

    try:
        save(True)
    except OSError as error:
        raise UnlearnableError(
            f"{path} cannot be written ({error.strerror or error}).", "Give another --metrics FILE."
        ) from error
    # a thread, because a single step may take longer than that
    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield show
    finally:
        over.set()
        thread.join()
        _quietly(lambda: save(False))


def text(stages: list[Stage], running: bool) -> str:
    """Return stages in the text format of Prometheus.

    Args:
        stages: The stages, in the order in which they began.
        running: Whether the work goes on.
    """
    found = [numbers(stage) for stage in stages]
    lines = []
    for name, meaning in METRICS.items():
        lines += [f"# HELP unlearnable_{name} {meaning}", f"# TYPE unlearnable_{name} gauge"]
        for values in found:
            if name in values:
                label = json.dumps(values["stage"], ensure_ascii=False)
                lines.append(f"unlearnable_{name}{{stage={label}}} {values[name]}")
    for name, meaning, value in (
        ("running", "1 while the command works, 0 when it has ended.", int(running)),
        ("updated_timestamp_seconds", "Time of this file, in seconds since 1970.", round(time.time())),
    ):
        lines += [f"# HELP unlearnable_{name} {meaning}", f"# TYPE unlearnable_{name} gauge"]
        lines.append(f"unlearnable_{name} {value}")
    return "\n".join(lines) + "\n"


def _quietly(save: Callable[[], None]) -> None:
    try:
        save()
    except OSError:
        # work of hours does not end because nobody can watch it
        return
