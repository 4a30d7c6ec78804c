"""Jobs in worker processes, any of which may die: a job that kills its worker is reported, the others are done. Standard library only."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from types import ModuleType
from typing import TypeVar

J = TypeVar("J")
R = TypeVar("R")

FEW = 8  # jobs that are done sooner than processes are started
AHEAD = 4  # jobs in flight for each worker: enough to keep it busy, few enough to hold in memory
WATCH_SECONDS = 0.5
DIED = "its worker process died twice; it may need more memory than there is, or make a library crash"

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_starting = threading.Lock()


def work(
    function: Callable[[J], R], jobs: Sequence[J], workers: int, died: Callable[[J, str], R]
) -> Iterator[R]:
    """Call a function on every job, in worker processes if that is worth it, and yield the results as they come.

    Args:
        function: Importable from a module other than the main script, which workers do not run again.
        jobs: What it is called with; a few for each worker are in flight at a time, whatever their number.
        workers: Processes; fewer than 2, or few jobs, are done in this process.
        died: Makes the result of a job whose worker died (killed, out of memory, crashed) and died again on
            its own, with the reason.

    Raises:
        Exception: What ``function`` raises, after the workers have ended.
    """
    # a daemonic process, such as a worker of somebody's pool, may not have children
    if workers < 2 or len(jobs) < FEW or multiprocessing.current_process().daemon:
        yield from map(function, jobs)
        return
    waiting = iter(jobs)
    while suspects := (yield from _together(function, waiting, workers)):
        # which of them did it cannot be told, and a worker is not to suffer for the job before: each on its
        # own, in a fresh process
        for job in suspects:
            again = yield from _together(function, iter([job]), 1)
            if again:
                yield died(job, DIED)


def _together(function: Callable[[J], R], waiting: Iterator[J], workers: int) -> Generator[R, None, list[J]]:
    """Do jobs in one pool until none is left or a worker dies; return the jobs that were in flight then."""
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _begin, (os.getpid(),))
    flying: dict[Future[R], J] = {}
    lost: list[J] = []
    try:
        while True:
            for job in () if lost else islice(waiting, AHEAD * workers - len(flying)):
                try:
                    with _fit_for_workers():
                        flying[pool.submit(function, job)] = job
                except BrokenProcessPool:
                    lost.append(job)
                    break
            if not flying:
                return lost
            done = wait(flying, return_when=FIRST_COMPLETED).done
            for future in [
                future for future in flying if future in done
            ]:  # in the order of the jobs, so far as it goes
                job = flying.pop(future)
                try:
                    result = future.result()
                except BrokenProcessPool:
                    lost.append(job)
                else:
                    yield result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _fit_for_workers() -> Iterator[None]:
    """Make this process, for a moment, what a worker that starts now is to inherit.

    No main script: a worker would run it again, which costs what it imports and goes wrong in scripts without
    the usual guard. One thread for linear algebra: there is a worker per core. And SIGINT blocked, or Ctrl-C
    would make a worker that is just starting complain.
    """
    with _starting:
        before = {name: os.environ.get(name) for name in _ONE_THREAD}
        main = sys.modules["__main__"]
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
            sys.modules["__main__"] = ModuleType("__main__")
            yield
        finally:
            sys.modules["__main__"] = main
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _begin(parent: int) -> None:
    """Begin a worker: Ctrl-C is the parent's to handle, and a parent that is killed is followed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH_SECONDS)
    os._exit(1)
