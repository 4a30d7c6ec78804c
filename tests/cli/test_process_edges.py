"""The edges of a process: streams that are closed, gone, full or of a narrow encoding, signals, no home."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from unlearnable.cli import failures, signals
from unlearnable.cli.console import Console
from unlearnable.errors import DataError, UsageError
from unlearnable.user_cache import user_cache

NAME = "crêpe \U0001f600"
# Imports a few small modules only, so that each of these processes takes a tenth of a second.
PROGRAM = f"""
import typer
from typing import Annotated
from unlearnable.cli.process import App
from unlearnable.cli.console import Console
from unlearnable.errors import DataError

app = App(add_completion=False)


@app.command()
def show(fails: bool = False, json: bool = False, bug: bool = False, count: int = 1):
    console = Console(json)
    with console.errors(resumes=True):
        if fails:
            raise DataError({NAME!r} + " cannot be read.", "Rename it.")
        if bug:
            raise ZeroDivisionError("by nought")
        console.remark("a remark on " + {NAME!r})
        record = {{"name": {NAME!r}, "share": float("nan")}}
        console.result(record, "\\n".join([{NAME!r} + " \\udc80"] * count))
        console.listing("Skipped", {{{NAME!r} + "\\x1b[31m": "a reason"}})


app()
"""


def run(*words: str, shell: str = "", **env: str) -> subprocess.CompletedProcess[bytes]:
    """Run the program, with redirections of the shell after it."""
    command = [
        "bash",
        "-c",
        f'"$@" {shell}; exit ${{PIPESTATUS[0]}}',
        "-",
        sys.executable,
        "-c",
        PROGRAM,
        *words,
    ]
    full = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), "LC_ALL": "C.UTF-8", **env}
    return subprocess.run(command, capture_output=True, check=False, env=full)


@pytest.mark.parametrize(
    ("shell", "code", "unbuffered"),
    [
        ("| head -1", 0, ""),
        ("| head -1", 0, "1"),
        ("2>&1 >/dev/null | head -c 1", 0, ""),
        ("2>&-", 0, ""),
        ("<&- >&- 2>&-", 0, ""),
        ("2>/dev/full", 0, ""),
        (">/dev/full", 1, ""),
    ],
)
def test_a_stream_that_is_closed_gone_or_full(shell: str, code: int, unbuffered: str) -> None:
    done = run("--count", "20000", shell=shell, PYTHONUNBUFFERED=unbuffered)
    assert done.returncode == code, done.stderr
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr
    if code:
        assert b"cannot be written to standard output (No space left on device)" in done.stderr
        assert b"Finished work" not in done.stderr
    else:
        assert b"error" not in done.stderr
    if shell == "2>&-":
        assert b"remark" not in done.stdout, "what belongs on stderr never lands in the result"


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("ascii", []),
        ("cp1252", ["--json"]),
        ("utf-8", ["--json"]),
        ("latin-1", ["--fails"]),
        ("cp437", ["--help"]),
    ],
)
def test_names_that_the_encoding_lacks_are_escaped(encoding: str, words: list[str]) -> None:
    done = run(*words, PYTHONIOENCODING=encoding)
    assert done.returncode == (3 if "--fails" in words else 0), done.stderr
    assert b"Error" not in done.stderr
    done.stdout.decode(encoding)
    assert b"\x1b[31m" not in done.stderr, "the name of a file cannot colour the terminal"
    if "--json" in words:
        assert json.loads(done.stdout.decode(encoding)) == {"name": NAME, "share": None}


def test_a_bug_is_told_in_two_lines_and_its_traceback_is_saved(tmp_path: Path) -> None:
    done = run("--bug", TMPDIR=str(tmp_path))
    said = done.stderr.decode()
    assert done.returncode == 1
    assert said.startswith("error: unexpected ZeroDivisionError in <string>, line ")
    assert "Please report it" in said
    (saved,) = tmp_path.iterdir()
    assert str(saved) in said
    assert "ZeroDivisionError: by nought" in saved.read_text()
    assert saved.stat().st_mode & 0o077 == 0
    shown = run("--bug", UNLEARNABLE_TRACEBACK="1", TMPDIR=str(tmp_path))
    assert b"Traceback (most recent call last)" in shown.stderr
    assert len(list(tmp_path.iterdir())) == 1


WAITING = """
import sys, time
from unlearnable.cli.console import Console
from unlearnable.cli.process import App

app = App(add_completion=False)


@app.command()
def wait():
    with Console().errors(resumes=True):
        try:
            print("ready", flush=True)
            time.sleep(60)
        finally:
            if "slow" in sys.argv[0:]:
                time.sleep(60)


app(args=[])
"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_stops_with_the_words_and_the_code_for_it(number: int, code: int) -> None:
    process = waiting()
    process.send_signal(number)
    # process managers send it twice
    process.send_signal(number)
    _, said = process.communicate(timeout=20)
    assert process.returncode == code
    assert said == "Interrupted. Run the same command again to resume.\n"


def test_a_later_signal_ends_work_that_does_not_end() -> None:
    process = waiting("slow")
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(signals.SAME_REQUEST_SECONDS + 0.3)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert (process.returncode, said) == (130, "Stopped at once.\n")


def usual_signals() -> None:
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def waiting(*words: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # whoever runs the tests may ignore some signals, which a child inherits
        preexec_fn=usual_signals,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_signal_that_the_caller_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with signals.stopping():
            os.kill(os.getpid(), signal.SIGTERM)
            assert signal.getsignal(signal.SIGINT) != signal.default_int_handler
    finally:
        after = signal.signal(signal.SIGINT, interrupt)
        signal.signal(signal.SIGTERM, before)
    assert after == signal.default_int_handler


@pytest.mark.parametrize("option", ["--cache", "--data-dir"])
def test_a_user_without_a_home_is_told_what_to_set(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", unknown)
    with pytest.raises(UsageError) as caught:
        user_cache(option)
    assert option in caught.value.remedy
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert user_cache(option) == Path("/elsewhere/unlearnable")


@pytest.mark.parametrize(
    ("error", "words", "code"),
    [
        (DataError("No photo.", "Take one."), "error: No photo.\n  Take one.", 3),
        (MemoryError(), "error: There is not enough memory.", 1),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "error: There is not enough memory.", 1),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "--device cpu", 1),
        (OSError(28, "No space left on device"), "error: A disk is full", 1),
        (OSError(13, "Permission denied", "/etc/x"), "error: /etc/x cannot be used (Permission denied).", 1),
        (OSError(13, "Permission denied", b"/etc/\xff"), "cannot be used (Permission denied).", 1),
        (FileNotFoundError(2, "No usable temporary directory found in ['/tmp']"), "TMPDIR", 1),
        (RecursionError("maximum recursion depth exceeded"), "error: unexpected RecursionError", 1),
        (signals.Stopped(15), "Interrupted. Nothing was written.", 143),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_error_has_words(
    error: BaseException, words: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures.tempfile, "tempdir", str(tmp_path))
    said, found = failures.explain(error)
    assert words in said
    assert found == code


def test_a_cache_that_cannot_be_written_names_what_to_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    error = OSError(30, "Read-only file system", str(tmp_path / "unlearnable" / "experiments"))
    assert "XDG_CACHE_HOME" in failures.explain(error, resumes=True)[0]
    assert "XDG_CACHE_HOME" not in failures.explain(OSError(30, "Read-only", "/mnt/x"), resumes=True)[0]


def test_a_current_folder_that_was_deleted_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def gone() -> str:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(os, "getcwd", gone)
    with pytest.raises(typer.Exit) as caught, Console().errors():
        raise AssertionError("libraries that need the folder are never imported")
    assert caught.value.exit_code == 1
    assert capsys.readouterr().err.startswith("error: The current folder no longer exists.")
