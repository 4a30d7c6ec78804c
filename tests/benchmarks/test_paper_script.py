"""The script that runs cells where only the numeric libraries are."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, *options: str) -> None:
    folders = ["--out", str(folder / "out"), "--cache", str(folder / "cache")]
    chosen = ["--profile", "smoke", "--only", "0%/class-wise", "--seed", "0", "--device", "cpu"]
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    monkeypatch.setattr(sys, "argv", ["paper.py", "share", *chosen, *folders, *options])
    importlib.import_module("paper").main()


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
    run(monkeypatch, tmp_path, "--time-limit", "0.001s")
    assert "0 made, 0 were there" in capsys.readouterr().out
    run(monkeypatch, tmp_path, "--time-limit", "1h")
    assert "last epoch" in (out := capsys.readouterr().out)
    assert "0 are missing" in out
