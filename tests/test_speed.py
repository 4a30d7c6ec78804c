"""What the engine is measured against computes the same, and the scripts that measure run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from unlearnable.methods import steps
from unlearnable.training.compute import Compute

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture
def engine(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from engine import Engine

    # in float32, two steps at this rate magnify rounding a thousandfold
    return Engine(16, 8, 16, Compute("cpu", "float64"), 3)


def test_the_published_way_and_ours_make_the_same_noise(engine) -> None:
    published = engine.published()
    published.images, published.noise = torch.from_numpy(engine.view.pixels).double() / 255, published.noise.double()
    for number in range(2):
        index = torch.randperm(16, generator=engine.ctx.rng("order", number))
        published.train(index)
        steps.train(engine.plan, engine.state, number)
    weights = engine.plan.model(engine.state).model.state_dict()
    assert all(torch.allclose(value, weights[name]) for name, value in published.model.state_dict().items())
    published.move(torch.arange(16), 3)
    steps.move(engine.plan, engine.state, 0)
    apart = (published.noise * 255 - engine.state["noise"]).abs()
    assert float(apart.max()) < 1e-6
    assert float(engine.state["noise"].abs().max()) > 1
    assert 0 <= published.error() <= 1


def test_the_benchmark_runs_and_repeats_no_part(tmp_path: Path) -> None:
    out = tmp_path / "speed.json"
    command = [sys.executable, str(BENCHMARKS / "speed.py"), "--quick", "--out", str(out)]
    first = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    result = json.loads(out.read_text())
    assert {name.split(",")[0] for name in result["parts"]} == {
        "inner loop", "training", "floor", "profile", "whole noise", "whole search", "start"
    }  # fmt: skip
    assert result["parts"]["inner loop, width 16"]["published"]["ratio"] == 1
    assert result["parts"]["floor, width 16, float32"]["share"] > 0
    fast = result["parts"]["whole search, five rounds, width 16"]
    assert fast["images"] == 20
    assert len(fast["moved by fast in each round"]) == fast["rounds"]
    assert len(first.splitlines()) == len(result["parts"])
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == ""


def test_the_gpu_benchmark_says_that_there_is_no_gpu(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    command = [sys.executable, str(BENCHMARKS / "gpu.py"), "--data-dir", str(tmp_path), "--out", str(tmp_path / "x.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "CUDA" in done.stderr
    assert not (tmp_path / "x.json").exists()
