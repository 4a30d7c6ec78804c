"""The script that runs cells where only the numeric libraries are."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from pathlib import Path

import pytest

from unlearnable.cells import cell_runner

ROOT = Path(__file__).resolve().parents[2]


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, *options: str) -> int:
    folders = ["--out", str(folder / "out"), "--cache", str(folder / "cache")]
    chosen = ["--profile", "smoke", "--only", "0%/class-wise", "--seed", "0", "--device", "cpu"]
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    monkeypatch.setattr(sys, "argv", ["paper.py", "share", *chosen, *folders, *options])
    script = importlib.import_module("paper")
    monkeypatch.setattr(script, "running", lambda: 0.0)
    code: int = script.main()
    return code


def test_a_time_limit_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        run(monkeypatch, tmp_path, "--time-limit", "soon")
    assert stopped.value.code == 2
    assert (
        "'soon' is not a length of time greater than zero. Write it like 90s, 15m or 2h."
        in capsys.readouterr().err
    )


def test_nothing_is_begun_once_the_time_is_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, tmp_path, "--time-limit", "0.001s") == 6
    assert "0 made, 0 were there" in capsys.readouterr().out
    assert run(monkeypatch, tmp_path, "--time-limit", "1h") == 0
    assert "last epoch" in (out := capsys.readouterr().out)
    assert "0 are missing" in out


@pytest.mark.slow
def test_a_search_that_is_cut_off_resumes_where_its_folders_are_moved(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here, there, elsewhere = (tmp_path / name for name in ("here", "there", "elsewhere"))
    assert run(monkeypatch, elsewhere) == 0
    saved = cell_runner.save_state

    def slow(path: Path, state: dict, identity: dict) -> None:
        saved(path, state, identity)
        raise cell_runner.TimeIsUp

    with monkeypatch.context() as late:
        # every checkpoint is due at once, and the time is up at the first
        late.setattr(importlib.import_module("paper"), "CHECKPOINTS", -1.0)
        late.setattr(cell_runner, "save_state", slow)
        assert run(monkeypatch, here, "--time-limit", "3s") == 6
    assert len(list(here.rglob("checkpoint.safetensors"))) == 1
    shutil.copytree(here, there)
    assert run(monkeypatch, there) == 0
    assert not list(there.rglob("checkpoint.safetensors"))
    first, second = (next(folder.rglob("cells/*.json")) for folder in (elsewhere, there))
    assert json.loads(first.read_text())["test"] == json.loads(second.read_text())["test"]
