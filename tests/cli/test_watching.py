"""Long work is watched by machines: logs of JSON, metrics, the logger of the library, and `kill`."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import unlearnable
from publishing import call, draw_all, tree
from shards import begin
from unlearnable import Event, Noise
from unlearnable.cli import progress, signals, watching
from unlearnable.cli.console import Console
from unlearnable.cli.progress import Stage

RANDOM = ("--method", "random", "--seed", "1")


def test_a_log_of_json_has_one_object_a_line(tmp_path: Path) -> None:
    photos = draw_all(tmp_path / "photos", 3)
    (photos / "cats" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    out = call(
        "protect", photos, tmp_path / "out", *RANDOM, "--workers", "1", "--log", "json", "--json", code=4
    )
    lines = [json.loads(line) for line in out.stderr.splitlines()]
    assert len(lines) > 2
    assert all({"time", "level", "message"} <= line.keys() for line in lines)
    assert lines[-1]["level"] == "warning"
    assert list(lines[-1]["entries"]) == ["cats/broken.png"]
    assert json.loads(out.stdout)["written"] == 6
    said = call("protect", tmp_path / "nowhere", tmp_path / "out2", "--log", "json", code=3).stderr
    error = json.loads(said)
    assert (error["level"], error["exit_code"]) == ("error", 3)
    assert "is not a folder" in error["message"]
    assert "--log xml is unknown" in call("apply", "a", "b", "c", "--log", "xml", code=2).stderr


def test_progress_in_json_has_numbers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.05)
    with Console(log="json").progress() as on_progress:
        on_progress(Event("writing", 10, 40))
        time.sleep(0.1)
        on_progress(Event("writing", 20, 40))
        time.sleep(0.1)
    line = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert (line["stage"], line["done"], line["total"]) == ("writing", 20, 40)
    # 10 units since the first event, 20 left
    assert 20 < line["rate"] < 110
    assert line["left_seconds"] == pytest.approx(20 / line["rate"], abs=0.1)


def test_a_line_has_what_is_done_the_rate_and_the_time_left() -> None:
    stage = Stage(Event("writing", 120, 800), (time.monotonic() - 30, 0))
    assert stage.line() == "writing: 120 of 800, 4.0 a second, about 3 min left"
    slow = Stage(Event("writing", 2, 4), (time.monotonic() - 120, 0))
    assert slow.line() == "writing: 2 of 4, 1.0 a minute, about 2 min left"
    assert Stage(Event("writing", 2, 4)).line() == "writing: 2 of 4"


def test_metrics_are_the_state_in_the_format_of_prometheus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "METRICS_EVERY", 0.05)
    file = tmp_path / "job.prom"
    seen: list[str] = []
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            seen.append(file.read_text())

    with Console(quiet=True, metrics=file).progress() as on_progress:
        on_progress(Event("checking", 5, 5))
        on_progress(Event('wri"ting', 10, 40))
        thread = threading.Thread(target=read)
        thread.start()
        time.sleep(0.1)
        on_progress(Event('wri"ting', 20, 40))
        time.sleep(0.15)
        during = file.read_text()
        over.set()
        thread.join()
    assert 'unlearnable_done{stage="checking"} 5\n' in during
    assert 'unlearnable_done{stage="wri\\"ting"} 20\n' in during
    assert 'unlearnable_total{stage="wri\\"ting"} 40\n' in during
    assert re.search(r'unlearnable_rate\{stage="wri\\"ting"\} [1-9]', during)
    assert "unlearnable_running 1\n" in during
    assert "unlearnable_running 0\n" in file.read_text()
    assert all(text.endswith("\n") and "updated_timestamp" in text for text in seen), "never half a file"
    for line in during.splitlines():
        assert re.fullmatch(r"# (HELP|TYPE) \w+ .+|\w+(\{stage=\".*\"\})? [0-9.e-]+", line), line
    assert [path.name for path in tmp_path.iterdir()] == ["job.prom"]


def test_metrics_that_cannot_be_written_are_refused_before_work(tmp_path: Path) -> None:
    photos = draw_all(tmp_path / "photos", 2)
    (tmp_path / "file").write_text("")
    said = call(
        "protect", photos, tmp_path / "out", *RANDOM, "--metrics", tmp_path / "file" / "x.prom", code=1
    ).stderr
    assert "x.prom cannot be written" in said
    assert not (tmp_path / "out").exists()


def test_shards_report_metrics(tmp_path: Path) -> None:
    photos = draw_all(tmp_path / "photos", 3)
    call("fit", photos, tmp_path / "run", *RANDOM)
    words = ("--part", "1/1", "--workers", "1", "--metrics", tmp_path / "x.prom")
    call("apply", tmp_path / "run", photos, tmp_path / "out", *words)
    assert 'unlearnable_done{stage="writing"} 6\n' in (tmp_path / "x.prom").read_text()


def test_the_library_logs_to_its_own_logger(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    photos = draw_all(tmp_path / "photos", 2)
    with caplog.at_level(logging.DEBUG, "unlearnable"):
        unlearnable.protect(photos, tmp_path / "out", "random", seed=1, workers=1)
    texts = [record.getMessage() for record in caplog.records]
    assert any(text.startswith("writing: about") for text in texts)
    assert "writing: 4 of 4" in texts
    code = "import unlearnable, logging; logging.getLogger('unlearnable').warning('x')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "", "a program that does not ask hears nothing"


QUICK = (
    "--seed",
    "3",
    "--set",
    "surrogate=cnn:width=8,depth=2",
    "--set",
    "max_rounds=9",
    "--set",
    "steps=4",
)


@pytest.mark.skipif(os.name != "posix", reason="sends SIGTERM")
def test_kill_saves_the_search_and_ends_with_its_own_code(tmp_path: Path) -> None:
    """The usual interval of checkpoints is a minute, so that the signal alone saves this search."""
    photos = draw_all(tmp_path / "photos", 6)
    words = ("fit", photos, tmp_path / "run", *QUICK, "--set", "train_batches=4", "--set", "min_rounds=9")
    often = (
        "import unlearnable.cli.watching as w; w.METRICS_EVERY = 0.02; "
        "import unlearnable.cli.app as a; a.app()"
    )
    with begin(*words, "--metrics", tmp_path / "m.prom", code=often) as process:
        limit = time.monotonic() + 120
        while "searching" not in metrics(tmp_path / "m.prom") and time.monotonic() < limit:
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        said = process.communicate()[1]
    assert process.returncode == 143, said
    assert "Interrupted. Run the same command again to resume." in said
    assert (tmp_path / "run" / "checkpoint.safetensors").exists()
    call(*words)
    call("fit", photos, tmp_path / "other", *words[3:])
    one, other = (Noise.load(tmp_path / name / "noise.safetensors") for name in ("run", "other"))
    assert one.bank.any()
    assert (one.bank == other.bank).all()


def metrics(path: Path) -> str:
    return path.read_text() if path.exists() else ""


@pytest.mark.skipif(os.name != "posix", reason="sends SIGTERM")
def test_work_without_events_is_stopped_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr(signals, "SAME_REQUEST_SECONDS", 0.1)
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        with pytest.raises(signals.Stopped) as caught, signals.stopping():  # noqa: PT012, SIM117
            with signals.between_events(lambda event: None) as on_progress:
                os.kill(os.getpid(), signal.SIGTERM)
                started = time.monotonic()
                time.sleep(20)
                on_progress(Event("never"))
        assert caught.value.number == signal.SIGTERM
        assert 0.1 < time.monotonic() - started < 5
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_published_folder_is_the_same_with_and_without_a_log(tmp_path: Path) -> None:
    photos = draw_all(tmp_path / "photos", 2)
    call("protect", photos, tmp_path / "a", *RANDOM, "--workers", "1")
    call("protect", photos, tmp_path / "b", *RANDOM, "--workers", "1", "--log", "json", "--quiet")
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
