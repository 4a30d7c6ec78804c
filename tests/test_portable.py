"""Systems without POSIX: imports, protect and verify where everything that only POSIX has is taken away."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import unlearnable
from unlearnable import portable

ROOT = Path(unlearnable.__file__).parent
# modules, and names in `os`, `signal` and `time`, that Python lacks on Windows
MODULES = frozenset({"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"})
POSIX_ONLY = frozenset(
    """
    chown fchmod fork forkpty geteuid getgid getpgid getuid killpg lchown mkfifo mknod nice openpty setsid
    sched_getaffinity sched_setaffinity statvfs sysconf uname wait3 wait4
    SIGALRM SIGHUP SIGKILL SIGQUIT SIGUSR1 SIGUSR2 alarm pause pthread_kill pthread_sigmask setitimer sigwait
    """.split()  # noqa: SIM905
)

# used on POSIX by Python's own modules for disks and processes, which have other code on Windows
OF_PYTHON = frozenset({"statvfs", "pthread_sigmask"})


def used(path: Path) -> set[str]:
    """Names of POSIX in a file: modules imported, and attributes of `os` and `signal`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= MODULES & {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= MODULES & {(node.module or "").split(".")[0]}
            if node.module in ("os", "signal"):
                found |= POSIX_ONLY & {alias.name for alias in node.names}
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("os", "signal"):
            found |= POSIX_ONLY & {node.attr}
    return found


def test_only_one_module_has_calls_of_posix() -> None:
    files = {path: used(path) for path in ROOT.rglob("*.py") if path.name != "portable.py"}
    assert {path: names for path, names in files.items() if names} == {}


def test_the_one_module_has_a_fallback_for_each() -> None:
    assert used(ROOT / "portable.py") == {"pthread_sigmask"}


ELSEWHERE = """
import os, signal, sys

# these libraries look for the modules themselves, and have code of their own for Windows
import matplotlib.pyplot, multiprocessing.popen_spawn_posix, pkgutil, subprocess, torch
for name in {modules}:
    sys.modules[name] = None
for home in (os, signal):
    for name in {names}:
        if hasattr(home, name):
            delattr(home, name)

import unlearnable as un
from unlearnable import portable
portable._HAS_MASKS = False

for module in pkgutil.walk_packages(un.__path__, "unlearnable."):
    if not module.name.endswith("__main__"):
        __import__(module.name)

if __name__ == "__main__":
    from pathlib import Path
    from unlearnable.data.digits import write_digits
    photos = sys.argv[1] + "/photos"
    write_digits(Path(photos), 32)
    done = un.protect(photos, sys.argv[1] + "/protected", un.Random(), seed=0, workers=2)
    report = un.verify(
        photos, sys.argv[1] + "/protected", seeds=(0,), targets=["cnn:width=8,depth=2"], countermeasures=()
    )
    print(done.written, report.verdict)
"""


@pytest.mark.slow
def test_protect_and_verify_work_without_posix(tmp_path: Path) -> None:
    script = tmp_path / "elsewhere.py"
    script.write_text(
        ELSEWHERE.format(modules=sorted(MODULES - {"posix"}), names=sorted(POSIX_ONLY - OF_PYTHON))
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT.parent)}
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], capture_output=True, text=True, env=env, timeout=600
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split()[0] == "1797"


def test_interrupts_are_blocked_for_a_moment_and_then_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, set())
    with portable.interrupts_blocked():
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, set())
    assert signal.pthread_sigmask(signal.SIG_BLOCK, set()) == before
    monkeypatch.setattr(portable, "_HAS_MASKS", False)
    with portable.interrupts_blocked():
        assert signal.pthread_sigmask(signal.SIG_BLOCK, set()) == before


def test_a_process_that_is_no_worker_follows_nobody() -> None:
    portable.exit_with_parent()


def test_flush_reaches_files_and_says_what_it_cannot(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"x")
    portable.flush(file)
    with pytest.raises(OSError, match="No such file"):
        portable.flush(tmp_path / "none")


def test_the_load_is_zero_where_the_system_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(os, "getloadavg", lambda: (2.5, 1.0, 0.5))
    assert portable.load() == 2.5
    monkeypatch.delattr(os, "getloadavg")
    assert portable.load() == 0.0


def test_busy_cores_are_counted_from_the_ticks_of_the_system(tmp_path, monkeypatch) -> None:
    """Idle time and waiting for a disk are not busy, and time of virtual machines is counted once."""
    lines = iter(["cpu  100 10 40 800 50 0 0 0 30 0\ncpu0 1 2", "cpu  150 10 65 860 65 0 0 0 80 0\ncpu0 1 2"])
    file = tmp_path / "stat"
    monkeypatch.setattr(portable, "_STAT", file)
    monkeypatch.setattr(portable.os, "cpu_count", lambda: 4)
    file.write_text(next(lines))
    monkeypatch.setattr(portable.time, "sleep", lambda seconds: file.write_text(next(lines)))
    assert portable.busy_cores(0.1) == 4 * 75 / 150
    file.unlink()
    monkeypatch.setattr(portable.time, "sleep", lambda seconds: None)
    assert portable.busy_cores(0.1) is None
