"""The time left of a search follows its kinds of steps, and a machine that slows down."""

from __future__ import annotations

import pytest

from unlearnable import portable
from unlearnable.data.image_set import ImageSet
from unlearnable.events import Event
from unlearnable.methods import Context, Progress, search_loop
from unlearnable.methods.base import Method
from unlearnable.methods.config import Config
from unlearnable.methods.steps import Steps
from unlearnable.training import crowding
from unlearnable.training.compute import Compute

ROUNDS, FIRST = 20, 30
SECONDS = {"pretrain": 0.5, "train": 1.0, "move": 8.0, "measure": 2.0}


class Clocked(Method[Config]):
    """A search whose steps only take time, on a clock of its own."""

    name, Config = "clocked", Config

    def __init__(self, clock: list[float], slow_from: float, **settings: object) -> None:
        super().__init__(form="classwise", resolution=16, grid=16, max_rounds=ROUNDS, stop_error=0.0)
        self.clock, self.slow_from, self.factor = clock, slow_from, 3.0

    def pretrain(self, *_: object) -> None: ...
    def train(self, *_: object) -> None: ...
    def move(self, *_: object) -> None: ...
    def measure(self, *_: object) -> None: ...

    def round_steps(self, number: int, images: int, moving: int | None = None) -> tuple[Steps, ...]:
        first = () if number else (Steps(self.pretrain, images, FIRST),)
        return (
            *first,
            Steps(self.train, images, 10),
            Steps(self.move, images, 5),
            Steps(self.measure, images),
        )

    def start(self, view, ctx):
        return {"round": 0, "step": 0}

    def advance(self, state, view, ctx):
        kinds = [part.kind for part in self.round_steps(state["round"], 24) for _ in range(part.count)]
        kind, total = kinds[state["step"]], len(kinds)
        self.clock[0] += SECONDS[kind] * (self.factor if self.clock[0] >= self.slow_from else 1.0)
        state["step"] += 1
        ended = state["step"] == total
        progress = Progress(state["step"], total, ended, 0.5 if ended else None, kind)
        if ended:
            state["step"], state["round"] = 0, state["round"] + 1
        return progress

    def finish(self, state): ...


def followed(
    slow_from: float, images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> list[tuple[float, Event]]:
    """The events of a search, each with the time at which it came."""
    clock, events = [0.0], list[tuple[float, Event]]()
    monkeypatch.setattr(search_loop.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(crowding, "remark", lambda compute: "")
    search_loop.search(
        Clocked(clock, slow_from),
        images.view(16),
        Context(0),
        lambda event: events.append((clock[0], event)),
        state=None,
        save=None,
        every=60.0,
    )
    return events


@pytest.mark.parametrize("slow_from", [0.0, 20.0, 40.0, 80.0, 1e9])
def test_the_time_left_is_within_30_percent_at_a_tenth_of_the_way(
    slow_from: float, images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = followed(slow_from, images, monkeypatch)
    end = events[-1][0]
    at, event = next((at, event) for at, event in events if at >= end / 10 and event.done >= event.total / 10)
    assert event.left == pytest.approx(end - at, rel=0.3)
    assert events[-1][1].left == 0


def test_at_an_even_speed_the_time_left_is_exact_once_every_kind_is_known(
    images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = followed(1e9, images, monkeypatch)
    known = [(at, event.left) for at, event in events if event.left is not None]
    assert len(events) - len(known) == FIRST + 10 + 5, "nothing is known before the first measurement"
    assert all(left == pytest.approx(events[-1][0] - at, abs=1e-6) for at, left in known)


def test_other_work_on_the_machine_is_said_once(images: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowding.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(portable, "load", lambda: 7.25)
    monkeypatch.setattr(portable, "busy_cores", lambda seconds: None)
    monkeypatch.setattr(crowding.os, "times", lambda: crowding.os.times_result((60.0, 0, 0, 15.0, 0)))
    monkeypatch.setattr(crowding, "quota", lambda: None)
    monkeypatch.setattr(crowding, "_said", set())
    events = list[Event]()
    for _ in range(2):
        search_loop.search(
            Clocked([0.0], 0.0),
            images.view(16),
            Context(0),
            events.append,
            state=None,
            save=None,
            every=60.0,
        )
    remarks = [event.text for event in events if not event.done]
    assert len(remarks) == 1
    assert "want about 6.0 of the 2 cores" in remarks[0], (
        "without what this process itself and its workers took"
    )


@pytest.mark.parametrize(
    ("load", "now", "limit", "threads", "said"),
    [
        (0.4, None, None, 2, ""),
        (0.6, None, None, 2, "OMP_NUM_THREADS=1"),
        # one core is left for one thread
        (1.1, None, None, 1, ""),
        (1.6, None, None, 1, "want about 1.6"),
        # the work that the load remembers has ended
        (1.6, 0.1, None, 2, ""),
        (1.6, 1.2, None, 2, "want about 1.2 of the 2 cores"),
        # with no core idle, only the load tells how many wait
        (9.0, 2.0, None, 1, "want about 9.0 of the 2 cores"),
        (0.0, None, "150000 100000", 2, "may use 1.5 cores, but 2 threads"),
        (0.0, None, "150000 100000", 1, ""),
        (0.0, None, "max 100000", 2, ""),
    ],
)
def test_a_machine_without_enough_cores_is_noticed(
    load: float,
    now: float | None,
    limit: str | None,
    threads: int,
    said: str,
    tmp_path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "cpu.max"
    if limit is not None:
        file.write_text(f"{limit}\n")
    found = crowding.quota(file)
    monkeypatch.setattr(crowding, "quota", lambda: found)
    monkeypatch.setattr(crowding.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(portable, "load", lambda: load)
    monkeypatch.setattr(portable, "busy_cores", lambda seconds: now)
    monkeypatch.setattr(crowding.os, "times", lambda: crowding.os.times_result((0.0, 0, 0, 0, 0)))
    monkeypatch.setattr(crowding.torch, "get_num_threads", lambda: threads)
    text = crowding.remark(Compute())
    assert (said in text) if said else not text
    assert ("OMP_NUM_THREADS" in text) == (bool(said) and threads > 1)
    assert not crowding.remark(Compute("cuda"))
