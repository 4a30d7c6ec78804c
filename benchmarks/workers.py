"""Sign steps and training in processes of their own, for settings that a process takes when it starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from timing import against

HERE = Path(__file__).resolve().parent
# a step for every line that it reads; answers with seconds of work and seconds of the clock
STEPS = """
import sys, time
sys.path.insert(0, {here!r})
import torch
from engine import Engine
from unlearnable.training.compute import Compute
torch.set_num_threads({threads})
engine = Engine({batch}, {width}, {batch}, Compute("cpu", {precision!r}), 1)
acts = {{
    "a sign step": lambda: engine.method.move(engine.plan, engine.state, 0),
    "training": lambda: engine.method.train(engine.plan, engine.state, 0),
}}
for line in sys.stdin:
    work, clock = time.process_time(), time.perf_counter()
    acts[line.strip()]()
    print(time.process_time() - work, time.perf_counter() - clock, flush=True)
"""


class Worker:
    """A process that takes a step when it is asked to.

    Args:
        width: Width of the surrogate.
        batch: Images.
        precision: Precision.
        threads: Threads.
        env: Variables of its environment, beside those of this process.
    """

    def __init__(
        self, width: int, batch: int, precision: str, threads: int = 1, env: dict[str, str] | None = None
    ) -> None:
        code = STEPS.format(here=str(HERE), width=width, batch=batch, precision=precision, threads=threads)
        self._process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(env or {})},
        )

    def begin(self, act: str) -> None:
        """Let it begin a step."""
        assert self._process.stdin is not None
        print(act, file=self._process.stdin, flush=True)

    def end(self) -> tuple[float, float]:
        """Return the seconds of work and of the clock of the step that it began, when it is done."""
        assert self._process.stdout is not None
        work, clock = self._process.stdout.readline().split()
        return float(work), float(clock)

    def close(self) -> None:
        """End it."""
        self._process.communicate()


def memory(width: int, batch: int, precision: str, act: str, repetitions: int) -> dict[str, Any]:
    """Time a step with the memory of freed tensors given back to the system, kept, and in large pages.

    In seconds of work, with one thread: they do not depend on what else runs.
    """
    ways = {
        "plain": {},
        "kept": {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**40)},
        "large pages": {"THP_MEM_ALLOC_ENABLE": "1"},
    }
    workers = {name: [Worker(width, batch, precision, env=env)] for name, env in ways.items()}
    return {"batch": batch, "used": False, **against(_turns(workers, act, repetitions, 0), batch)}


def processes(width: int, batch: int, precision: str, act: str, repetitions: int) -> dict[str, Any]:
    """Time a step by two threads of one process, and by a process a core with a share of the batch each."""
    cores = os.cpu_count() or 1
    workers = {
        "plain": [Worker(width, batch, precision, cores)],
        "a process a core": [Worker(width, batch // cores, precision) for _ in range(cores)],
    }
    return {"batch": batch, "used": False, **against(_turns(workers, act, repetitions, 1), batch)}


def _turns(
    workers: dict[str, list[Worker]], act: str, repetitions: int, which: int
) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in workers}
    for number in range(repetitions + 1):
        for name, some in workers.items():
            for one in some:
                one.begin(act)
            taken = max(one.end()[which] for one in some)
            if number:
                seconds[name].append(taken)
    for some in workers.values():
        for one in some:
            one.close()
    return seconds
