"""The script that measures on a GPU: in pieces that write a file each, resume after any interruption, and are
merged for the page.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from unlearnable.data.image_set import ImageSet
from unlearnable.training.compute import Compute

ROOT = Path(__file__).resolve().parents[2]
PIECES = ["smoke", "inner-loop", "clean", "noise-exact", "noise-fast", "compile", "more-networks"]
HOST = Compute("cpu", "float32")


@pytest.fixture(autouse=True)
def _scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


@pytest.fixture(scope="module")
def cifar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that look like the binary version of CIFAR-10: as many images, each of one brightness."""
    folder = tmp_path_factory.mktemp("cifar") / "cifar-10-batches-bin"
    folder.mkdir()
    records = np.repeat(np.arange(10_000) % 251, 3073).reshape(10_000, 3073).astype(np.uint8)
    records[:, 0] = np.arange(10_000) // 7 % 10
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        records.tofile(folder / f"{name}.bin")
    return folder.parent


@pytest.fixture(scope="module")
def packed(cifar: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("packed") / "cifar.npz"
    script = [sys.executable, str(ROOT / "benchmarks" / "gpu.py")]
    subprocess.run([*script, "--data-dir", str(cifar), "--pack", str(file), "--images", "640"], check=True)
    return file


@pytest.fixture
def run(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Runs the script in this process, as if it had just started: its exit code and its last line."""

    def call(*options: str, device: str = "cpu") -> tuple[int, str]:
        given = ["--device", device, "--quick", "--seeds", "2", "--data-dir", str(packed)]
        gpu = importlib.import_module("gpu")
        monkeypatch.setattr(sys, "argv", ["gpu.py", *given, "--out", str(tmp_path / "out"), *options])
        monkeypatch.setattr(gpu, "running", lambda: 0.0)
        capsys.readouterr()
        try:
            code = gpu.main()
        except SystemExit as stop:
            return int(stop.code or 0), capsys.readouterr().err
        return code, capsys.readouterr().out.splitlines()[-1]

    return call


def test_packed_data_are_the_published_data(cifar: Path, packed: Path) -> None:
    from gpu_data import read

    whole, smaller = read(cifar), read(packed)
    assert [len(images) for images in smaller] == [640, 10_000]
    for images, of in zip(smaller, whole, strict=True):
        first = of.subset(of.ids[: len(images)])
        assert images.ids == first.ids
        assert all(images.class_of[id] == first.class_of[id] for id in first.ids)
        assert np.array_equal(images.view(32).pixels, first.view(32).pixels)
    assert packed.stat().st_size < 640 * 3072


@pytest.mark.slow
def test_every_piece_runs_in_turn_on_a_cpu_and_nothing_is_repeated(
    run: Callable[..., tuple[int, str]], packed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    for number, name in enumerate(PIECES):
        code, said = run()
        assert (code, json.loads(said)) == (
            0,
            {"piece": name, "finished": True, "left": PIECES[number + 1 :]},
        )
        assert {path.stem for path in out.glob("*.json")} == set(PIECES[: number + 1])
    before = {path.name: path.read_bytes() for path in out.glob("*.json")}
    assert run() == (0, "Every piece is there.")
    assert {path.name: path.read_bytes() for path in out.glob("*.json")} == before
    assert not list((out / "checkpoints").glob("*"))
    assert not any(str(packed).encode() in content for content in before.values())
    parts = {name: json.loads(before[f"{name}.json"])["parts"] for name in PIECES}
    assert "failed" not in json.dumps(parts["smoke"])
    assert {one["equal"] for one in parts["smoke"]["smoke, method autoregressive"].values()} == {1.0}
    assert {name.split(",")[0] for name in parts["inner-loop"]} == {
        *("inner loop", "training", "floor", "profile", "published round")
    }
    assert len(parts["clean"]["clean training, 2 epochs, seed 0"]["seconds_by_epoch"]) == 2
    assert parts["noise-exact"]["noise, exact"]["errors"]
    assert list(parts["more-networks"]) == ["clean training, 2 epochs, seed 1"]


def test_nothing_is_begun_when_the_time_is_up(run: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    code, said = run("--piece", "smoke", "--time-limit", "0.001s")
    assert (code, said) == (6, '{"piece": "smoke", "finished": false} The same command resumes.')
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.parametrize(
    ("name", "part"), [("noise-fast", "noise, fast"), ("clean", "clean training, 2 epochs, seed 0")]
)
def test_a_piece_that_is_cut_off_resumes(
    name: str,
    part: str,
    run: Callable[..., tuple[int, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gpu = importlib.import_module("gpu")
    checkpoint = gpu.checkpoint
    with monkeypatch.context() as late:
        late.setattr(gpu, "checkpoint", lambda work, name, _: checkpoint(work, name, time.monotonic()))
        assert run("--piece", name)[0] == 6
    assert len(list((tmp_path / "out" / "checkpoints").iterdir())) == 1
    assert run("--piece", name)[0] == 0
    assert json.loads((tmp_path / "out" / f"{name}.json").read_text())["parts"][part]["resumed"]


@pytest.mark.slow
def test_a_search_that_was_cut_off_resumes_and_ends_as_if_it_had_not_been(
    images: ImageSet, tmp_path: Path
) -> None:
    from gpu_parts import noise
    from resumable import Resumable
    from timing import TimeUp

    def part(name: str, deadline: float = float("inf")) -> dict:
        told.clear()
        work = Resumable(tmp_path / name, deadline, every=0.0)
        return noise(images, HOST, "exact", 16, 2, work, told.append)

    told: list[object] = []
    whole = part("whole")
    steps = len(told)
    with pytest.raises(TimeUp):
        part("cut", time.monotonic())
    assert len(told) == 1
    again = part("cut")
    assert len(told) == steps - 1
    assert (whole["resumed"], again["resumed"]) == (False, True)
    assert again["errors"] == whole["errors"]
    assert not list(tmp_path.iterdir())


def test_a_network_that_was_cut_off_ends_as_if_it_had_not_been(images: ImageSet, tmp_path: Path) -> None:
    from gpu_parts import training
    from resumable import Resumable
    from timing import TimeUp

    def part(name: str, deadline: float = float("inf")) -> dict:
        work = Resumable(tmp_path / name, deadline)
        return training(images, images, HOST, 16, 3, 0, work)

    whole = part("whole")
    with pytest.raises(TimeUp):
        part("cut", time.monotonic())
    again = part("cut")
    assert (whole["resumed"], again["resumed"]) == (False, True)
    assert again["accuracy_by_epoch"] == whole["accuracy_by_epoch"]
    assert list(again["seconds_by_epoch"]) == sorted(again["seconds_by_epoch"])


def test_saving_takes_no_time_of_the_measurement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import resumable

    clock = [0.0]
    monkeypatch.setattr(resumable.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(torch, "save", lambda *_: clock.__setitem__(0, clock[0] + 7))
    monkeypatch.setattr(resumable, "write_by", lambda path, write: write(path))
    work = resumable.Resumable(tmp_path / "x", every=0.0)
    clock[0] = 3.0
    work.save({})
    clock[0] += 2.0
    assert work.seconds == 5.0


def test_the_results_of_pieces_are_merged_with_earlier_ones_of_the_same_gpu() -> None:
    import performance

    gpu = {"device": "cuda", "device_name": "A GPU", "torch": "2", "threads": 1}

    def file(date: str, parts: dict, **more: object) -> dict:
        return {"kind": "speed", "environment": gpu, "date": date, "parts": parts, "machine": "", **more}

    old = file("2026-01-01", {"a": 1, "b": 1})
    new = file("2026-02-01", {"b": 2, "c": 2}, piece="smoke")
    cpu = {**file("2026-02-02", {"a": 3}), "environment": {"device": "cpu"}, "processor": "A CPU"}
    for files in ({"old": old, "new": new, "cpu": cpu}, {"new": new, "cpu": cpu, "old": old}):
        found = performance.machines(files)
        assert found["A GPU"] == {"a": 1, "b": 2, "c": 2}
        assert found["A CPU"] == {"a": 3}


def test_a_gpu_that_is_missing_and_a_piece_that_is_unknown_are_refused(
    run: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    code, said = run("--piece", "lunch")
    assert code == 2
    assert "choose from smoke, inner-loop" in said
    if not torch.cuda.is_available():
        code, said = run(device="cuda")
        assert code == 2
        assert "No CUDA device is available here." in said
    assert not list(tmp_path.iterdir())
