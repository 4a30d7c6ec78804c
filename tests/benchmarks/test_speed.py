"""What the engine is measured against computes the same; the scripts that measure run, repeat nothing, and go
on where they stopped.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from quick import after_training
from unlearnable.data.image_set import ImageSet
from unlearnable.training.compute import Compute

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _scripts(monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


@pytest.fixture(scope="module")
def cifar(tmp_path_factory) -> Path:
    """Files that look like the binary version of CIFAR-10: as many images, all of them alike but for the
    label.
    """
    folder = tmp_path_factory.mktemp("cifar") / "cifar-10-batches-bin"
    folder.mkdir()
    records = np.full((10_000, 3073), 128, np.uint8)
    records[:, 0] = np.arange(10_000) // 7 % 10
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        records.tofile(folder / f"{name}.bin")
    return folder.parent


def test_in_float64_the_published_way_and_ours_make_the_same_noise() -> None:
    from engine import Engine

    engine = Engine(
        16, 8, 16, Compute("cpu", "float64"), 3
    )  # in float32, two steps at this rate magnify rounding a thousandfold
    published = engine.published()
    published.images, published.noise = (
        torch.from_numpy(engine.view.pixels).double() / 255,
        published.noise.double(),
    )
    for number in range(2):
        index = torch.randperm(16, generator=engine.ctx.rng("order", number))
        published.train(index)
        engine.method.train(engine.plan, engine.state, number)
    weights = engine.plan.surrogate(engine.state).model.state_dict()
    assert all(torch.allclose(value, weights[name]) for name, value in published.model.state_dict().items())
    published.move(torch.arange(16), 3)
    engine.method.move(engine.plan, engine.state, 0)
    apart = (published.noise * 255 - engine.state["noise"]).abs()
    assert float(apart.max()) < 1e-6
    assert float(engine.state["noise"].abs().max()) > 1
    assert 0 <= published.error() <= 1


def test_in_float32_the_published_way_and_ours_differ_by_rounding_only(images: ImageSet) -> None:
    from published import Published

    method, view, ctx, state = after_training(images, "samplewise", "float32")
    method.config = method.config.model_copy(update={"steps": 3})
    plan = method.plan(view, ctx)
    x = torch.from_numpy(view.pixels).float() / 255
    published = Published(plan.surrogate(state).model, x, torch.from_numpy(view.labels), 8)
    for batch in range(plan.noise_batches(state)):
        method.move(plan, state, batch)
    for index in torch.arange(len(x)).split(8):
        published.move(index, 3)
    apart = (published.noise * 255 - state["noise"].float()).abs()
    assert float(apart.gt(0.01).float().mean()) < 0.01
    assert float(state["noise"].float().abs().mean()) > 1


def test_a_part_is_run_again_when_the_code_changed_and_keeps_its_own_commit(
    tmp_path: Path, monkeypatch
) -> None:
    import timing

    out, ran, header = tmp_path / "x" / "speed.json", [], {"environment": {"device": "cpu"}}

    def run(commit: str, code: str, only: str = "", quick: bool = False) -> dict:
        monkeypatch.setattr(timing, "commit", lambda: commit)
        monkeypatch.setattr(timing, "code", lambda: code)
        ran.clear()
        todo = {name: lambda name=name: ran.append(name) or {"value": 1} for name in ("one", "two")}
        timing.measure(out, header, todo, quick, only)
        return json.loads(out.read_text())

    assert run("a", "1")["commit"] == "a"
    assert ran == ["one", "two"]
    run("b", "1")  # nothing that is measured changed
    assert ran == []
    result = run("c", "2", only="two")
    assert ran == ["two"]
    assert result["commit"] == "a, c"
    assert result["made"]["one"]["commit"] == "a"
    run("c", "2")
    assert ran == ["one"]
    run("c", "2", quick=True)
    assert ran == ["one", "two"]


def test_without_git_the_commit_is_unknown(monkeypatch) -> None:
    import timing

    monkeypatch.setenv("PATH", "")
    assert timing.commit() == "unknown"


def test_a_search_that_was_cut_off_goes_on_and_ends_as_if_it_had_not_been(
    images: ImageSet, tmp_path: Path
) -> None:
    import gpu

    compute, told = Compute("cpu", "float32"), []

    def cut(event: object) -> None:
        told.append(event)
        if len(told) == 15:
            raise KeyboardInterrupt

    whole = gpu.noise(images, compute, "exact", 16, 2, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        gpu.noise(images, compute, "exact", 16, 2, tmp_path / "kept", cut, 0.0)
    again = gpu.noise(images, compute, "exact", 16, 2, tmp_path / "kept", told.append, 0.0)
    assert (whole["resumed"], again["resumed"]) == (False, True)
    assert len(told) < 15 + len(whole["errors"]) * 12
    assert again["errors"] == whole["errors"]
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_gpu_script_runs_on_a_cpu_and_repeats_nothing(cifar: Path, tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), "--device", "cpu", "--quick"]
    command += ["--data-dir", str(cifar), "--out", str(out)]
    first = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    before = out.read_bytes()
    result = json.loads(before)
    kinds = {"inner loop", "training", "floor", "profile", "published round", "noise", "clean training"}
    assert {name.split(",")[0] for name in result["parts"]} == kinds
    assert result["parts"]["clean training, 1 epochs, seed 4"]["seconds_by_epoch"]
    assert result["parts"]["noise, exact"]["errors"]
    assert str(cifar) not in before.decode()
    assert len(first.splitlines()) == len(result["parts"])
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == ""
    assert out.read_bytes() == before


def test_rows_of_a_gpu_are_empty_until_they_are_measured() -> None:
    import gpu_rows

    assert {measured for _, _, measured in gpu_rows.rows({})} == {""}
    clean = {
        f"clean training, 24 epochs, seed {seed}": {
            "accuracy": 0.94 + seed / 100,
            "seconds_to_94": 20.0 + seed,
        }
        for seed in (0, 1)
    }
    found = {"images": 100, "rounds": 4, "errors": [0.5, 0.008], "seconds": 2.0}
    parts = {"published round": {"seconds_per_image": 0.1}, "noise, exact": found, **clean}
    measured = [one for _, _, one in gpu_rows.rows(parts)]
    assert measured == ["", "20.00", "", "2 s, 4 rounds to 0.8%", "", "94.50%, mean of 2", "21.0 s"]


def test_the_benchmark_runs_and_repeats_no_part(tmp_path: Path) -> None:
    out = tmp_path / "speed.json"
    command = [sys.executable, str(ROOT / "benchmarks" / "speed.py"), "--quick", "--out", str(out)]
    first = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    result = json.loads(out.read_text())
    assert {name.split(",")[0] for name in result["parts"]} == {
        "inner loop",
        "training",
        "floor",
        "profile",
        "whole noise",
        "whole search",
        "start",
    }
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
    command = [
        sys.executable,
        str(ROOT / "benchmarks" / "gpu.py"),
        "--data-dir",
        str(tmp_path),
        "--out",
        str(tmp_path / "x.json"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "CUDA" in done.stderr
    assert not (tmp_path / "x.json").exists()
