"""Progress on stderr: a bar for each stage on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from unlearnable import duration
from unlearnable.events import Event, OnProgress

Say = Callable[[str], None]
# Seconds between two lines where there is no terminal.
EVERY = 30.0
# Columns of the narrowest and the widest bar.
NARROWEST, WIDEST = 8, 40
# Times at which the speed of a stage is noted, in its length so far.
MARKS = 64


class Stage:
    """The newest event of a stage, and the speed in the second half of its time.

    The first half is forgotten, so that the time left follows a machine that others begin to use.

    Args:
        event: The newest event.
        began: Time and units done at the first event; now if None.
    """

    def __init__(self, event: Event, began: tuple[float, int] | None = None) -> None:
        self.event = event
        self.began = began or (time.monotonic(), event.done)
        self._marks = deque([self.began])

    def after(self, event: Event) -> Stage:
        """Return the stage after an event, which may begin another stage."""
        if event.stage != self.event.stage:
            return Stage(event)
        # a remark in between tells nothing about the pace
        if event.text and not event.done:
            return self
        stage, now = Stage(event, self.began), time.monotonic()
        stage._marks, begun = self._marks, self.began[0]
        # a mark for each of many thousand photos would take memory and tell nothing more
        if (now - stage._marks[-1][0]) * MARKS >= now - begun:
            stage._marks.append((now, event.done))
        while len(stage._marks) > 1 and stage._marks[1][0] - begun <= (now - begun) / 2:
            stage._marks.popleft()
        return stage

    @property
    def count(self) -> str:
        """Units done, of those in all where that is known."""
        done, total = self.event.done, self.event.total
        return f"{done}/{total}" if total else f"{done}" if done else ""

    @property
    def rate(self) -> float | None:
        """Units a second, over the later half of the stage so far; None if that is not known."""
        since, first = self._marks[0]
        seconds = time.monotonic() - since
        return (self.event.done - first) / seconds if self.event.done > first and seconds > 0 else None

    @property
    def seconds_left(self) -> float | None:
        """Seconds that the stage still takes; None if that is not known."""
        event = self.event
        # the event may know better than the speed so far
        if event.left is None and event.total and self.rate:
            return max(0.0, (event.total - event.done) / self.rate)
        return event.left

    @property
    def left(self) -> str:
        """About how long the stage still takes; empty if that is not known."""
        seconds = self.seconds_left
        return f"{duration.words(seconds)} left" if seconds and seconds > 0 else ""

    @property
    def speed(self) -> str:
        """The rate in words: ``12.5 a second``; empty if it is not known."""
        if self.rate is None:
            return ""
        return f"{self.rate:.1f} a second" if self.rate >= 1 else f"{60 * self.rate:.1f} a minute"

    def line(self) -> str:
        """Return the state in words: ``searching: 120 of 800, 4.0 a second, about 3 min left``."""
        parts = [self.count.replace("/", " of "), self.speed, f"about {self.left}" if self.left else ""]
        return f"{self.event.stage}: {', '.join(filter(None, parts)) or 'in progress'}"


def bar(stage: Stage, width: int, signs: str = "━─") -> str:
    """Return a stage as one line: name, bar, count, time left, text.

    On a narrow terminal, the line drops the text first, then the bar, the time left and the name. It always
    shows the count.

    Args:
        stage: The stage.
        width: Columns of the terminal.
        signs: One sign for what is done, one for the rest.
    """
    event = stage.event
    for parts in (
        [event.stage, stage.count, stage.left, event.text],
        [event.stage, stage.count, stage.left],
        [event.stage, stage.count],
        [stage.count],
    ):
        line = "  ".join(filter(None, parts))
        if len(line) <= width:
            break
    # the text would leave too narrow a bar
    room = min(WIDEST, width - len(line) - 2)
    if event.total and parts[0] == event.stage and room >= NARROWEST:
        full = min(room, room * event.done // event.total)
        drawn = signs[0] * full + signs[1] * (room - full)
        line = "  ".join(filter(None, [parts[0], drawn, *parts[1:]]))
    return line


@contextmanager
def lines(say: Say, state: Callable[[Stage], object]) -> Iterator[OnProgress]:
    """Yield an ``on_progress`` that prints remarks at once, and the state of the work every 30 s.

    Args:
        say: Prints a line.
        state: Prints the state of the work.
    """
    stage = Stage(Event("working"))
    over = threading.Event()

    def show(event: Event) -> None:
        nonlocal stage
        stage = stage.after(event)
        _remark(event, say)

    def repeat() -> None:
        while not over.wait(EVERY):
            state(stage)

    # a thread, because a single step may take longer than that
    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield show
    finally:
        over.set()
        thread.join()


@contextmanager
def bars() -> Iterator[tuple[OnProgress, Say]]:
    """Yield an ``on_progress`` that draws a bar for each stage, and a function that prints a line above."""
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn, Task
    from rich.text import Text

    console = Console(stderr=True)
    signs = "#-" if console.options.ascii_only else "━─"

    class Line(ProgressColumn):
        max_refresh = 0.5

        def render(self, task: Task) -> Text:
            return Text(bar(task.fields["stage"], console.width, signs), no_wrap=True, overflow="crop")

    with Progress(Line(), console=console) as drawn:
        tasks: dict[str, Any] = {}
        stages: dict[str, Stage] = {}

        def say(text: str) -> None:
            # rich would break the line, and a path in it could not be copied
            console.print(text, markup=False, highlight=False, soft_wrap=True)

        def show(event: Event) -> None:
            name = event.stage
            _remark(event, say)
            stages[name] = stages[name].after(event) if name in stages else Stage(event)
            if name not in tasks:
                tasks[name] = drawn.add_task(name, total=event.total or None, stage=stages[name])
            drawn.update(tasks[name], completed=event.done, total=event.total or None, stage=stages[name])

        yield show, say


def is_drawn() -> bool:
    """Whether stderr is a terminal that can draw a line anew."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def _remark(event: Event, say: Say) -> None:
    if event.text and not event.done:
        say(f"{event.stage}: {event.text}")
