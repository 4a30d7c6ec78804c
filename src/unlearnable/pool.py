"""Tasks in worker processes, any of which may die. Standard library only.

A task that kills its worker is reported; all others are done.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sized
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from types import ModuleType
from typing import TypeVar

from unlearnable import portable

T = TypeVar("T")
R = TypeVar("R")

# So few tasks are done before worker processes have started.
FEW = 8
# Tasks in flight for each worker: enough to keep it busy, few enough for the memory.
AHEAD = 4
DIED = "its worker process died twice; it may need too much memory, or crash a library"

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_starting = threading.Lock()


def work(
    function: Callable[[T], R],
    tasks: Iterable[T],
    workers: int,
    died: Callable[[T, str], R],
    *,
    few: int = FEW,
    ahead: int = AHEAD,
    at_once: bool = False,
) -> Iterator[R]:
    """Call a function on every task, in worker processes if that pays, and yield results as they come.

    Args:
        function: Importable from a module other than the main script, which workers do not run again.
        tasks: The arguments of the calls; a few for each worker are in flight at a time.
        workers: Number of processes; with fewer than 2, or few tasks, this process does the work.
        died: Makes the result of a task whose worker died twice (killed, out of memory, crashed), given the
            reason.
        few: With fewer tasks than this, this process does the work, if their number is known.
        ahead: Tasks in flight for each worker; those of a worker that dies are done again one by one.
        at_once: Whether an exception, such as Ctrl-C, ends workers in the middle of their tasks. Otherwise
            they finish the tasks that they have begun.

    Raises:
        Exception: Any exception of ``function``, after the workers have ended.
    """
    # A daemonic process, such as a worker of another pool, may not have children.
    too_few = isinstance(tasks, Sized) and len(tasks) < few
    if workers < 2 or too_few or multiprocessing.current_process().daemon:
        yield from map(function, tasks)
        return
    waiting = iter(tasks)
    while suspects := (yield from _together(function, waiting, workers, ahead, at_once)):
        # The pool does not report which task killed the worker. Each suspect runs again alone, in a fresh
        # process, so that no task pays for another.
        for task in suspects:
            again = yield from _together(function, iter([task]), 1, 1, at_once)
            if again:
                yield died(task, DIED)


def _together(
    function: Callable[[T], R], waiting: Iterator[T], workers: int, ahead: int, at_once: bool
) -> Generator[R, None, list[T]]:
    """Do tasks in one pool until none is left or a worker dies; return the tasks in flight at that moment."""
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _begin)
    flying: dict[Future[R], T] = {}
    lost: list[T] = []
    before = multiprocessing.active_children()
    try:
        while True:
            for task in () if lost else islice(waiting, ahead * workers - len(flying)):
                try:
                    with _fit_for_workers():
                        flying[pool.submit(function, task)] = task
                except BrokenProcessPool:
                    lost.append(task)
                    break
            if not flying:
                return lost
            done = wait(flying, return_when=FIRST_COMPLETED).done
            # In the order of the tasks, as far as they are done.
            for future in [future for future in flying if future in done]:
                task = flying.pop(future)
                try:
                    result = future.result()
                except BrokenProcessPool:
                    lost.append(task)
                else:
                    yield result
    except BaseException:
        if at_once:
            for child in multiprocessing.active_children():
                if child not in before:
                    child.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _fit_for_workers() -> Iterator[None]:
    """Put this process, for a moment, into the state that a starting worker should inherit.

    No main script: a worker would run it again, which is slow and fails in scripts without the usual guard.
    One thread for linear algebra: there is a worker per core. SIGINT blocked: Ctrl-C would make a starting
    worker print a traceback.
    """
    with _starting:
        before = {name: os.environ.get(name) for name in _ONE_THREAD}
        main = sys.modules["__main__"]
        try:
            os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
            sys.modules["__main__"] = ModuleType("__main__")
            with portable.interrupts_blocked():
                yield
        finally:
            sys.modules["__main__"] = main
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def _begin() -> None:
    """Begin a worker: ignore Ctrl-C, which the parent handles, and exit when the parent dies."""
    portable.ignore_interrupts()
    portable.exit_with_parent()
