"""The script that times whole commands reads what the commands say."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from unlearnable.evaluation.schedule import SMALL, schedule, trials

SCRIPTS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    spec = importlib.util.spec_from_file_location("_commands", SCRIPTS / "commands.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def a_schedule() -> str:
    tried = trials(SMALL, 100, ("cnn:width=8",))
    return schedule(tried, [360.0] * len(tried), 1e6, 120.0).words


@pytest.mark.parametrize(
    ("line", "announced"),
    [
        ("The search takes about 1.5 min.", "1.5 min"),
        (a_schedule(), "2 min"),
        ("750 photos in 10 classes, clean and protected; cpu, bfloat16; about 45 s", "45 s"),
        ("searching: 423 of 900, 14.6 a second, about 33 s left", ""),
        ("500 photos written and checked in 73 s; no pixel changed by more than 8/255.", ""),
    ],
)
def test_the_announced_time_is_found(line: str, announced: str, script: ModuleType) -> None:
    found = next((one for one in (re.search(pattern, line) for pattern in script.ANNOUNCED) if one), None)
    assert (found[1] if found else "") == announced


@pytest.mark.parametrize(
    ("line", "is_answer"),
    [
        ("cnn: not protected (best epoch: clean 75%, protected 70%; guessing 10%) after 1 of 3 seeds", True),
        ("resnet18: protected (best epoch: clean 75%, protected 14%; guessing 10%)", True),
        ("resnet18: 63 of 354, 2.1 a second, about 2.5 min left", False),
        ("A verdict is possible if networks classify 30% of them correctly (guessing: 10%)", False),
    ],
)
def test_an_answer_is_told_from_progress(line: str, is_answer: bool, script: ModuleType) -> None:
    assert bool(script.ANSWER.match(line)) == is_answer


def test_a_command_that_ends_is_timed_and_one_that_answers_is_stopped(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "unlearnable.py").write_text(
        "import sys, time\n"
        "lines = 'The search takes about 7 s.', 'cnn: protected (clean 9%)'\n"
        "print(*lines, sep='\\n', file=sys.stderr, flush=True)\n"
        "time.sleep(float(sys.argv[1]))\n"
    )
    environment = {"PYTHONPATH": str(tmp_path), "PATH": ""}
    for seconds, stop in (("0", False), ("60", True)):
        found = script.timed([seconds], tmp_path, environment, stop)
        assert found["announced"] == "7 s"
        assert found["wall_seconds"] < 30
        assert found["peak_megabytes"] > 1
    with pytest.raises(SystemExit, match="unlearnable much"):
        script.timed(["much"], tmp_path, environment, False)
