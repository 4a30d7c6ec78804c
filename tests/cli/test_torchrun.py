"""``torchrun -m unlearnable fit``: one result, one voice, and a checkpoint for any number of processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import processes
from conftest import pixels
from unlearnable.noise import Noise
from unlearnable.search import rounds_done

# a checkpoint after every step
OFTEN = (
    "import unlearnable.search as search; search.CHECKPOINT_SECONDS = -1.0; "
    "import unlearnable.training.connection as connection; connection.STEP_SECONDS = 60.0; "
    "from unlearnable.cli.app import app; app()"
)
SETTINGS = """
surrogate = "cnn:width=8,depth=2"
resolution = 16
batch = 8
train_batches = 2
steps = 2
min_rounds = 3
max_rounds = 3
stop_error = 0.0
"""
pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """22 small photos of two classes, and settings of a quick search."""
    root = tmp_path / "in" / "photos"
    for number, image in enumerate(pixels(22)):
        path = root / ("cats", "dogs")[number % 2] / f"p{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    (tmp_path / "quick.toml").write_text(SETTINGS)
    return root


def fit(photos: Path, run: str, *more: object) -> list[object]:
    folder = photos.parents[1]
    given = ("--config", folder / "quick.toml", "--seed", 1, "--device", "cpu", "--precision", "float64")
    return ["fit", photos, folder / run, *given, *more]


def alone(words: list[object], code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "unlearnable", *map(str, words)],
        env=processes.environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stderr
    return done


def bank(photos: Path, run: str) -> np.ndarray:
    return Noise.load(photos.parents[1] / run / "noise.safetensors").bank


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_torchrun_finds_the_noise_of_one_process_and_speaks_once(digits: Path) -> None:
    words = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port"]
    words += [processes.free_port(), "-m", "unlearnable", *fit(digits, "two", "--form", "samplewise")]
    env = processes.environment()
    done = subprocess.run([*map(str, words)], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Keep private") == 1
    assert done.stderr.count("22 photos in 2 classes") == 1
    assert "cpu, float64, 2 processes" in done.stderr
    alone(fit(digits, "one", "--form", "samplewise"))
    assert np.abs(bank(digits, "one")).max() > 0
    assert np.array_equal(bank(digits, "two"), bank(digits, "one"))
    one, two = digits.parents[1] / "one", digits.parents[1] / "two"
    assert names(one) == names(two)
    records = [json.loads((folder / "run.json").read_text()) for folder in (one, two)]
    assert records[1]["environment"].pop("processes") == 2
    for record in records:
        for entry in ("started", "search_seconds"):
            record.pop(entry)
    assert records[0] == records[1]


def together(count: int, words: list[object]) -> list[subprocess.Popen[str]]:
    return processes.start(count, ["-c", OFTEN, *words])


def reach(group: list[subprocess.Popen[str]], path: Path) -> None:
    """Wait until these processes have saved a step of the second round or a later one."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    end = time.monotonic() + processes.SECONDS
    while not path.exists() or path.stat().st_mtime_ns == before or not rounds_done(path):
        assert all(process.poll() is None for process in group), processes.end(group)
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 143), pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow)],
)
def test_a_signal_saves_the_same_step_and_another_number_resumes(
    digits: Path, number: int, code: int
) -> None:
    # many rounds, so that it is not finished before the signal
    words = fit(digits, "two", "--form", "samplewise", "--set", "max_rounds=400")
    run = digits.parents[1] / "two"
    group = together(2, words)
    reach(group, run / "checkpoint.safetensors")
    # to one process only: the other one stops with it
    group[1 if number == signal.SIGTERM else 0].send_signal(number)
    said = processes.end(group, [code, code])
    assert said[0][1].count("Interrupted. Run the same command again to resume.") == 1
    assert said[1] == ("", "")
    before = {path.name for path in (run / "checkpoint.parts").iterdir()}
    assert len(before) == 2
    assert "noise.safetensors" not in names(run)
    # the time is up at once; every process agrees
    late = processes.end(together(3, [*words, "--time-limit", "0.001s"]), [6, 6, 6])
    assert "resuming with processes 3 instead of 2" in late[0][1]
    assert late[0][1].count("The time is up") == 1
    assert late[1:] == [("", "")] * 2
    assert len([*(run / "checkpoint.parts").iterdir()]) == 3


@pytest.mark.slow
@pytest.mark.parametrize("form", ["samplewise", "classwise"])
@pytest.mark.parametrize("after", [1, 3])
def test_a_process_that_is_killed_ends_the_others_and_the_search_resumes(
    digits: Path, form: str, after: int
) -> None:
    rounds = ("--set", "max_rounds=12")
    alone(fit(digits, "whole", "--form", form, *rounds))
    words = fit(digits, "two", "--form", form, *rounds)
    run = digits.parents[1] / "two"
    for killed in (1, 0):
        group = together(2, words)
        reach(group, run / "checkpoint.safetensors")
        group[killed].kill()
        codes = [1, 1]
        codes[killed] = -signal.SIGKILL
        said = processes.end(group, codes)
        assert f"Process {1 - killed} of 2: Another process of the search ended" in said[1 - killed][1]
    if after == 1:
        alone(words)
    else:
        processes.end(together(after, words))
    assert np.array_equal(bank(digits, "two"), bank(digits, "whole"))
    assert not {"checkpoint.safetensors", "checkpoint.parts"} & names(run)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["protect", "photos", "out"], 2, "Run `unlearnable protect` without torchrun."),
        pytest.param(["methods"], 2, "Run `unlearnable methods` without torchrun.", marks=pytest.mark.slow),
        (
            ["fit", "photos", "run", "--method", "feature_shift"],
            2,
            "use one of these methods: error_maximizing",
        ),
        pytest.param(["fit", "missing", "run"], 3, "missing", marks=pytest.mark.slow),
    ],
)
def test_a_refusal_is_told_once_and_leaves_nothing(
    digits: Path, words: list[str], code: int, told: str
) -> None:
    words = [str(digits) if word == "photos" else word for word in words]
    words = [str(digits.parents[1] / word) if word in ("out", "run", "missing") else word for word in words]
    said = processes.end(processes.start(2, ["-m", "unlearnable", *words]), [code, code])
    assert told in said[0][1]
    assert said[1] == ("", "")
    assert names(digits.parents[1]) == {"in", "quick.toml"}


@pytest.mark.slow
def test_processes_with_other_photos_are_refused(digits: Path) -> None:
    other = digits.with_name("other")
    other.mkdir()
    for number, path in enumerate(sorted(digits.rglob("*.png"))):
        target = other / path.parent.name / path.name
        target.parent.mkdir(exist_ok=True)
        Image.open(path).rotate(90 if number == 3 else 0).save(target)
    code = "import sys, os; sys.argv[2] += os.environ['RANK']; from unlearnable.cli.app import app; app()"
    digits.rename(digits.with_name("photos0"))
    other.rename(digits.with_name("photos1"))
    said = processes.end(processes.start(2, ["-c", code, *fit(digits, "two")]), [1, 1])
    assert "The photos or the settings of process 1 differ" in said[0][1]
    assert said[1] == ("", "")
