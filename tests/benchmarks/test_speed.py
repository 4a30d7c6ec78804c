"""What the engine is measured against computes the same; the scripts that measure run, repeat nothing, and go
on where they stopped.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from quick import after_training
from unlearnable.data.image_set import ImageSet
from unlearnable.training.compute import Compute

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _scripts(monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


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
    assert measured == ["", "", "20.00", "", "2 s, 4 rounds to 0.8%", "", "94.50%, mean of 2", "21.0 s"]
    forms = {"samplewise": {"equal": 1.0}, "classwise": {"failed": "RuntimeError: no"}}
    smoke = {"smoke, method a": forms, "smoke, countermeasure b": {"failed": "x"}, "smoke, method c": {}}
    assert gpu_rows.rows(smoke)[0][2] == "1 of 2, 2 failed"


@pytest.mark.slow
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


@pytest.mark.slow
def test_steps_in_processes_of_their_own_are_timed_in_turns() -> None:
    import workers

    found = workers.memory(16, 2, "float32", "a sign step", 1)
    assert [name for name, one in found.items() if isinstance(one, dict)] == ["plain", "kept", "large pages"]
    assert all(one["seconds"][0] > 0 for one in found.values() if isinstance(one, dict))
    assert found["plain"]["ratios"] == [1]


def test_the_gradient_is_the_same_however_the_batch_is_arranged(monkeypatch: pytest.MonkeyPatch) -> None:
    import tried

    found: dict[str, torch.Tensor] = {}

    def noted(actions: dict, repetitions: int, device: str, clock: object) -> dict[str, list[float]]:
        found.update({name: action() for name, action in actions.items()})
        return {name: [1.0] for name in actions}

    monkeypatch.setattr(tried, "turns", noted)
    threads = torch.get_num_threads()
    tried.arranged("resnet18:width=16,stem=cifar", 8, 1)
    assert len(found) == 5
    # a ReLU near zero may turn the other way, which moves the gradient of one pixel and not of the picture
    plain = found["plain"]
    assert all(float((one - plain).norm()) < 1e-3 * float(plain.norm()) for one in found.values())
    assert float(found["plain"].abs().max()) > 1e-3
    assert torch.get_num_threads() == threads


def test_every_way_that_was_tried_has_a_row() -> None:
    import performance

    one = {"ratio": 1.1, "ratios": [1.0, 1.2]}
    parts = {
        "tried: a": {"plain": one, "b": one, "c": one},
        "tried: d": {"plain": one, "e": one, "used": True},
    }
    rows = performance.attempts(parts)
    assert [(row[0], row[-1]) for row in rows] == [("a: b", "no"), ("a: c", "no"), ("d", "yes")]


def test_winograd_gives_the_same_convolution() -> None:
    import tried

    for channels, side in ((3, 8), (8, 4)):
        found = tried.convolutions(channels, side, 2, 1)
        assert found["largest_difference"] < 1e-4
        assert found["winograd"]["seconds"]
