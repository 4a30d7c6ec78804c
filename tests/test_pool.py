"""Worker processes: every job is done or reported, whoever dies."""

from __future__ import annotations

import multiprocessing
import operator
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from unlearnable import pool

SECONDS = 60
looks_at_processes = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="children are found in /proc"
)


# what workers are asked to do, importable from this module
def square(number: int) -> int:
    return number * number


def refuse_three(number: int) -> int:
    if number == 3:
        raise ValueError("three")
    return number


def die_of_three(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def exit_always(number: int) -> int:
    os._exit(1)


def die_once(flag: str) -> str:
    """Die on a job that carries a flag file, but on the first attempt only."""
    if flag and not os.path.exists(flag):
        open(flag, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return flag


def surroundings(number: int) -> tuple[int, str, bool, list[str]]:
    heavy = [name for name in ("numpy", "PIL", "torch", "typer") if name in sys.modules]
    return (
        os.getpid(),
        os.environ.get("OMP_NUM_THREADS", ""),
        signal.getsignal(signal.SIGINT) is signal.SIG_IGN,
        heavy,
    )


def dawdle(place: str) -> str:
    Path(place, str(os.getpid())).touch()
    time.sleep(SECONDS)
    return place


def reported(job: object, reason: str) -> tuple[object, str]:
    return job, reason


@pytest.mark.parametrize(("workers", "jobs"), [(1, 50), (2, 0), (2, 7), (2, 8), (2, 100), (3, 100)])
def test_every_job_is_done_once(workers: int, jobs: int) -> None:
    assert sorted(pool.work(square, range(jobs), workers, reported)) == [n * n for n in range(jobs)]


def test_few_jobs_and_one_worker_stay_in_this_process() -> None:
    for workers, jobs in ((1, 20), (2, 7)):
        assert {pid for pid, *_ in pool.work(surroundings, range(jobs), workers, reported)} == {os.getpid()}


def test_workers_are_small_have_one_thread_and_leave_ctrl_c_to_the_parent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    main = sys.modules["__main__"]
    for pid, threads, ignores, heavy in pool.work(surroundings, range(20), 2, reported):
        assert (threads, ignores) == ("1", True)
        assert pid != os.getpid()
        assert "torch" not in heavy
        assert "typer" not in heavy
    assert os.environ["OMP_NUM_THREADS"] == "3"
    assert "MKL_NUM_THREADS" not in os.environ
    assert sys.modules["__main__"] is main
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == set()


@looks_at_processes
@pytest.mark.parametrize("workers", [1, 2])
def test_exceptions_propagate(workers: int) -> None:
    with pytest.raises(ValueError, match="three"):
        list(pool.work(refuse_three, range(40), workers, reported))
    assert children(os.getpid()) == set()


@looks_at_processes
def test_a_consumer_that_stops_early_leaves_no_workers() -> None:
    results = pool.work(square, range(1000), 2, reported)
    assert isinstance(next(results), int)
    results.close()  # type: ignore[attr-defined]
    assert children(os.getpid()) == set()


def test_a_job_that_kills_its_worker_is_reported_and_the_others_are_done() -> None:
    results = list(pool.work(die_of_three, range(40), 2, reported))
    assert [result for result in results if isinstance(result, tuple)] == [(3, pool.DIED)]
    assert sorted(result for result in results if isinstance(result, int)) == [n for n in range(40) if n != 3]


def test_a_worker_that_dies_by_chance_costs_nothing(tmp_path: Path) -> None:
    jobs = ["", str(tmp_path / "flag"), *[""] * 18]
    assert sorted(pool.work(die_once, jobs, 2, reported)) == sorted(jobs)


def test_it_ends_even_if_every_job_dies() -> None:
    assert list(pool.work(exit_always, range(9), 2, reported)) == [(n, pool.DIED) for n in range(9)]


class Counted(Sequence[int]):
    """Jobs that remember how many were asked for."""

    asked = 0

    def __len__(self) -> int:
        return 500

    def __getitem__(self, index):
        raise NotImplementedError

    def __iter__(self) -> Iterator[int]:
        for number in range(500):
            self.asked += 1
            yield number


def test_few_jobs_are_in_flight_however_many_there_are() -> None:
    jobs, ahead = Counted(), 0
    for done, _ in enumerate(pool.work(square, jobs, 2, reported), 1):
        ahead = max(ahead, jobs.asked - done)
    assert done == 500
    assert ahead <= 2 * pool.AHEAD


def test_a_script_without_the_usual_guard_works(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "print('once')\nimport test_pool\nfrom unlearnable import pool\n"
        "print(sum(pool.work(test_pool.square, range(20), 2, None)))\n"
    )
    done = subprocess.run(
        [sys.executable, script], env=environment(), capture_output=True, text=True, timeout=SECONDS
    )
    assert (done.returncode, done.stdout.split(), done.stderr) == (
        0,
        ["once", str(sum(n * n for n in range(20)))],
        "",
    )


@looks_at_processes
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_workers_follow_a_parent_that_is_killed(tmp_path: Path, number: signal.Signals) -> None:
    work = f"pool.work(test_pool.dawdle, [{str(tmp_path)!r}] * 20, 2, None)"
    code = f"import test_pool; from unlearnable import pool; list({work})"
    parent = subprocess.Popen([sys.executable, "-c", code], env=environment(), stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
        offspring = children(parent.pid)
        assert {int(path.name) for path in tmp_path.iterdir()} <= offspring
    finally:
        parent.send_signal(number)
        parent.wait()
    wait_until(lambda: not any(alive(pid) for pid in offspring), 5)


def environment() -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(Path(pool.__file__).parents[1]), str(Path(__file__).parent)]),
    }


def children(parent: int) -> set[int]:
    """Children of a process, but for the tracker of shared resources, which the standard library keeps for
    later.
    """
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            status, command = (path / "stat").read_text(), (path / "cmdline").read_text()
        except OSError:  # ended meanwhile
            continue
        if int(status.rpartition(")")[2].split()[1]) == parent and "resource_tracker" not in command:
            found.add(int(path.name))
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition, seconds: float = SECONDS) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def test_work_that_is_given_up_at_once_leaves_no_process() -> None:
    """A shard takes a minute, and a scheduler kills 30 s after it asked for an end."""
    started = time.monotonic()
    results = pool.work(
        time.sleep, [0.0, *[300.0] * 3], 2, died=lambda task, reason: None, few=0, at_once=True
    )
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert time.monotonic() - started < 100
    assert not multiprocessing.active_children()


def test_tasks_of_unknown_number_are_done_in_processes() -> None:
    here = os.getpid()
    found = [*pool.work(operator.call, iter([os.getpid] * 3), 2, died=lambda task, reason: 0, few=0)]
    assert len(found) == 3
    assert here not in found
