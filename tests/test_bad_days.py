"""Killed, interrupted, out of space, locked out: a command started again ends with the same bytes as one that
nothing happened to.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import unlearnable
from conftest import pixels

SECONDS = 180  # limit of every command and wait, for a busy machine
COUNT = 60
LISTENING = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
# a checkpoint at every step, so that a search of seconds can be killed between two of them
COMMAND = (
    "import unlearnable.search as search; search.CHECKPOINT_SECONDS = -1.0; "
    "from unlearnable.cli.app import app; app()"
)
QUICK = """
form = "classwise"
surrogate = "cnn:width=8,depth=2"
resolution = 16
zoom = 1.5
transforms = "photo"
batch = 16
train_batches = 2
steps = 2
min_rounds = 3
max_rounds = 6
stop_error = 0.0
"""
pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are found in /proc")
CAN_MOUNT = os.geteuid() == 0 and sys.platform == "linux"


def draw(root: Path, count: int, size: tuple[int, int]) -> Path:
    """Photos of two classes, with a grain that compresses as badly as that of a camera."""
    rng = np.random.default_rng(count)
    for index in range(count):
        path = root / ("cats", "dogs")[index % 2] / f"p{index:02d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        smooth = np.asarray(Image.fromarray(pixels(1, 16, seed=index)[0]).resize(size), dtype=np.int16)
        Image.fromarray((smooth + rng.integers(-6, 7, smooth.shape)).clip(0, 255).astype(np.uint8)).save(
            path, quality=92
        )
    return root


def tree(root: Path) -> dict[str, str]:
    return {
        p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in root.rglob("*")
        if p.is_file()
    }


def start(*args: object, **options: object) -> subprocess.Popen[str]:
    """Start a command in a session of its own, as a terminal does: Ctrl-C works in it even where the tests
    run in the background.
    """
    env = {**os.environ, "PYTHONPATH": str(Path(unlearnable.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", LISTENING + COMMAND, *map(str, args)],
        env=env,
        start_new_session=True,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


def end(process: subprocess.Popen[str], code: int | None = 0) -> str:
    """Wait for a command; return what it said on stderr."""
    stdout, stderr = process.communicate(timeout=SECONDS)
    assert "Traceback" not in stderr, stderr
    assert code is None or process.returncode == code, (process.returncode, stdout, stderr)
    return stderr


def reach(process: subprocess.Popen[str], moment: Callable[[], bool]) -> bool:
    """Wait for a moment in the life of a command; False if it ends before."""
    deadline = time.monotonic() + SECONDS
    while not moment():
        if process.poll() is not None:
            return False
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)
    return process.poll() is None


def kill(process: subprocess.Popen[str], *, everything: bool) -> None:
    """Kill a command: with its workers, as a power cut does, or alone, as the kernel does when memory runs
    out.
    """
    os.killpg(process.pid, signal.SIGKILL) if everything else process.kill()
    process.wait()  # not communicate: workers that linger hold the pipes
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    process.stderr.close()


def interrupt(process: subprocess.Popen[str]) -> str:
    """Press Ctrl-C: every process of the session gets it."""
    os.killpg(process.pid, signal.SIGINT)
    return end(process, 130)


@contextmanager
def paused(process: subprocess.Popen[str]) -> Iterator[None]:
    """Hold a command and its workers for a while."""
    os.killpg(process.pid, signal.SIGSTOP)
    while any(state_of(pid) not in "TZ" for pid in {process.pid, *children(process.pid)}):
        time.sleep(0.001)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGCONT)


def images_in(protected: Path) -> int:
    return sum(1 for path in protected.rglob("*.png")) if protected.is_dir() else 0


@dataclass(frozen=True)
class Case:
    """A folder of photos, a quick search, and what comes out if nothing goes wrong."""

    place: Path
    photos: Path
    config: Path
    whole: dict[str, str]

    def protect(self, name: str, *more: object) -> tuple[object, ...]:
        """Return the command that protects the photos."""
        return (
            "protect",
            self.photos,
            self.place / name,
            "--config",
            self.config,
            "--seed",
            1,
            "--workers",
            2,
            "--quiet",
            *more,
        )

    def apply(self, name: str) -> tuple[object, ...]:
        """Return the command that applies the noise of the uninterrupted run."""
        return ("apply", self.run("whole"), self.photos, self.place / name, "--workers", 2, "--quiet")

    def run(self, name: str) -> Path:
        """Return the default run folder."""
        return self.place / "photos.unlearnable" / name

    def require_whole(self, name: str, *runs: str) -> None:
        """Check that everything is there, and nothing else."""
        assert tree(self.place / name) == self.whole
        for run in runs:
            assert not [
                path
                for path in self.run(run).rglob("*")
                if path.name.endswith(".part") or "checkpoint" in path.name
            ]


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    place = tmp_path_factory.mktemp("bad_days")
    config = place / "quick.toml"
    config.write_text(QUICK)
    photos = draw(place / "photos", COUNT, (400, 260))
    empty = Case(place, photos, config, {})
    end(start(*empty.protect("whole")))
    whole = tree(place / "whole")
    assert len(whole) == COUNT
    assert all(name.endswith(".png") for name in whole)
    return Case(place, photos, config, whole)


def survive(
    command: tuple[object, ...], moments: list[Callable[[], bool]], rng: random.Random, delay: float
) -> int:
    """Start a command over and over, kill it soon after each of the moments, and let the last one finish;
    return how many were killed.
    """
    kills = 0
    for moment in moments:
        process = start(*command)
        if reach(process, moment):
            time.sleep(rng.uniform(0, delay))
            kills += process.poll() is None
            kill(process, everything=rng.random() < 0.5)
        else:
            end(process)
    end(start(*command))
    return kills


def grown(protected: Path, by: int) -> Callable[[], bool]:
    """Make the moment at which a command has written so many images more than there are when it is first
    asked.
    """
    before: list[int] = []

    def moment() -> bool:
        before.extend([] if before else [images_in(protected)])
        return images_in(protected) >= min(before[0] + by, COUNT - 1)

    return moment


def test_killed_at_five_moments_it_ends_with_the_same_bytes(case: Case) -> None:
    protected, run = case.place / "killed", case.run("killed")
    moments = [
        (run / "run.json").exists,
        (run / "checkpoint.safetensors").exists,
        (run / "checkpoint.safetensors").exists,
        grown(protected, 1),
        grown(protected, 10),
    ]
    assert survive(case.protect("killed"), moments, random.Random(5), 0.2) == 5
    case.require_whole("killed", "killed")


@pytest.mark.slow
def test_killed_a_hundred_times_it_ends_with_the_same_bytes(case: Case) -> None:
    rng, kills = random.Random(100), 0
    while kills < 20:
        name = f"searching{kills}"
        run = case.run(name)
        moments = [
            (run / "run.json").exists,
            *[(run / "checkpoint.safetensors").exists] * rng.randrange(3, 8),
        ]
        kills += survive(case.protect(name), moments[: 20 - kills], rng, 0.8)
        case.require_whole(name, name)
    while kills < 100:
        name = f"applying{kills}"
        moments = [grown(case.place / name, rng.randrange(1, 12)) for _ in range(rng.randrange(2, 9))]
        kills += survive(case.apply(name), moments[: 100 - kills], rng, 0.1)
        case.require_whole(name, "whole")


def test_a_worker_that_is_killed_while_it_writes_costs_nothing(case: Case) -> None:
    process = start(*case.apply("worker"))
    assert reach(process, lambda: images_in(case.place / "worker") >= 4)
    drafts: list[Path] = []
    while not drafts:  # hold everything at moments, until one of them is in the middle of a file
        assert process.poll() is None
        with paused(process):
            drafts = list((case.place / "worker").rglob(".*.part"))
            if drafts:
                for pid in children(process.pid):
                    if "spawn_main" in command_of(pid):
                        os.kill(pid, signal.SIGKILL)
        time.sleep(0.001)
    end(process)
    case.require_whole("worker", "whole")


def test_workers_do_not_outlive_a_command_that_is_killed(case: Case) -> None:
    process = start(*case.apply("orphans"))
    assert reach(process, lambda: images_in(case.place / "orphans") >= 4)
    offspring = children(process.pid)
    assert len(offspring) >= 2
    kill(process, everything=False)
    deadline = time.monotonic() + 5
    while any(command_of(pid) for pid in offspring):
        assert time.monotonic() < deadline, [command_of(pid) for pid in offspring]
        time.sleep(0.1)


@pytest.mark.parametrize("moment", ["searching", "applying"])
def test_ctrl_c_is_one_line_and_the_same_command_goes_on(case: Case, moment: str) -> None:
    name = f"interrupted_{moment}"
    protected, checkpoint = case.place / name, case.run(name) / "checkpoint.safetensors"
    process = start(*case.protect(name))
    assert reach(process, checkpoint.exists if moment == "searching" else lambda: images_in(protected) >= 3)
    said = interrupt(process)
    assert said.splitlines() == ["Interrupted. Run the same command again to resume."]
    if moment == "applying":
        assert 3 <= images_in(protected) < COUNT
        assert set(tree(protected).items()) <= set(case.whole.items())  # only finished images
    end(start(*case.protect(name)))
    case.require_whole(name, name)


def test_two_at_once_the_second_says_so_and_the_first_finishes(case: Case) -> None:
    run = case.run("twice")
    first = start(*case.protect("twice"))
    assert reach(first, (run / "checkpoint.safetensors").exists)
    with paused(first):  # or it might finish before the second gets there
        said = end(start(*case.protect("twice")), 2)
        assert "Another process is working in" in said
        assert str(run) in said
        assert "Another process" in end(
            start("apply", run, case.photos, case.place / "elsewhere", "--quiet"), 2
        )
    end(first)
    case.require_whole("twice", "twice")
    assert not (case.place / "elsewhere").exists()


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """Mount a small file system; skip the test where that is not allowed."""
    place.mkdir()
    if (
        not CAN_MOUNT
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "small", place], capture_output=True
        ).returncode
    ):
        pytest.skip("a small disk can be mounted by root only")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def fill(disk: Path) -> None:
    """Write until nothing fits any more."""
    with open(disk / "other", "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


def enlarge(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)


def test_a_disk_that_is_too_small_is_named_and_more_room_finishes_it(tmp_path: Path) -> None:
    photos = draw(tmp_path / "photos", 24, (120, 90))
    more = ("--method", "random", "--seed", 2, "--workers", 2, "--quiet")
    end(start("protect", photos, tmp_path / "whole", *more))
    whole = tree(tmp_path / "whole")
    with small_disk(tmp_path / "disk", "300k") as disk:
        command = ("protect", photos, disk / "protected", *more)
        process = start(*command)
        said = end(process, None)
        assert process.returncode in (1, 2, 4), said
        assert "No space left on device" in said or "is too small" in said
        assert set(tree(disk / "protected").items()) < set(whole.items())
        enlarge(disk)
        end(start(*command))
        assert tree(disk / "protected") == whole


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_disk_that_fills_up_leaves_nothing_half_written_and_more_room_finishes_it(
    tmp_path: Path, workers: int
) -> None:
    photos = draw(tmp_path / "photos", 40, (240, 180))
    more = ("--method", "random", "--seed", 2, "--workers", workers, "--quiet")
    end(start("protect", photos, tmp_path / "whole", *more))
    whole = tree(tmp_path / "whole")
    with small_disk(tmp_path / "disk", "16m") as disk:
        protected = disk / "protected"
        command = ("protect", photos, protected, *more)
        process = start(*command)
        assert reach(process, lambda: images_in(protected) >= 3)
        with paused(process):  # or it might be faster than the disk is filled
            fill(disk)
        said = end(process, None)
        assert process.returncode in (1, 4), said
        assert "No space left on device" in said
        before = tree(protected)
        assert 3 <= len(before) < len(whole)
        assert set(before.items()) < set(whole.items())
        if process.returncode == 4:  # what is missing is named
            assert all(Path(name).with_suffix(".jpg").as_posix() in said for name in set(whole) - set(before))
        else:
            assert len(said.splitlines()) <= 2
        enlarge(disk)
        end(start(*command))
        assert tree(protected) == whole


def test_a_full_disk_under_the_run_folder_is_one_clear_line(tmp_path: Path) -> None:
    photos = draw(tmp_path / "photos", 24, (120, 90))
    more = ("--config", tmp_path / "quick.toml", "--seed", 2, "--quiet")
    (tmp_path / "quick.toml").write_text(QUICK)
    end(start("protect", photos, tmp_path / "whole", *more))
    with small_disk(tmp_path / "disk", "20k") as disk:
        command = ("protect", photos, tmp_path / "protected", "--run", disk / "run", *more)
        said = end(start(*command), 1)
        assert "No space left on device" in said
        assert len(said.splitlines()) <= 2
        enlarge(disk)
        end(start(*command))
    assert tree(tmp_path / "protected") == tree(tmp_path / "whole")


def obey_modes() -> None:
    """Give up root's right to write where the mode of a folder forbids it (for this process and what it
    starts).
    """
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        if libc.prctl(24, capability, 0, 0, 0):  # PR_CAPBSET_DROP
            os._exit(77)


def start_unprivileged(*args: object) -> subprocess.Popen[str]:
    # another user could not run this Python where it lies in root's home
    return start(*args, **({"preexec_fn": obey_modes} if os.geteuid() == 0 else {}))


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_target_that_may_not_be_written_is_named(tmp_path: Path, workers: int) -> None:
    photos = draw(tmp_path / "photos", 10, (60, 40))
    protected = tmp_path / "protected"
    protected.mkdir(mode=0o555)
    more = ("--method", "random", "--seed", 2, "--workers", workers, "--quiet")
    process = start_unprivileged("protect", photos, protected, *more)
    said = end(process, None)
    if process.returncode == 77:
        pytest.skip("root may not give up its rights here")
    assert process.returncode in (1, 4), said
    assert "Permission denied" in said
    assert str(protected) in said
    assert not list(protected.iterdir())
    protected.chmod(0o755)
    end(start_unprivileged("protect", photos, protected, *more))
    assert len(tree(protected)) == 10


def test_a_run_folder_that_may_not_be_made_is_named(tmp_path: Path) -> None:
    photos = draw(tmp_path / "photos", 10, (60, 40))
    shelf = tmp_path / "shelf"
    shelf.mkdir(mode=0o555)
    process = start_unprivileged(
        "protect", photos, tmp_path / "out", "--run", shelf / "run", "--method", "random", "--quiet"
    )
    said = end(process, None)
    if process.returncode == 77:
        pytest.skip("root may not give up its rights here")
    assert process.returncode == 1
    assert said.splitlines()[0] == f"error: {shelf / 'run'} cannot be used (Permission denied)."
    assert "--run FOLDER" in said
    assert not (tmp_path / "out").exists()


def children(parent: int) -> set[int]:
    """Children of a process and their children."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:  # ended meanwhile
            continue
    found = {parent}
    while more := {pid for pid, above in parents.items() if above in found} - found:
        found |= more
    return found - {parent}


def state_of(pid: int) -> str:
    """Return the letter of a process's state; Z if it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def command_of(pid: int) -> str:
    """Return the command line of a process; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
