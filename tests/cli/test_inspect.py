"""``inspect``, ``methods`` and ``models``: whole outputs and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from unlearnable import methods, models
from unlearnable.budget import Budget
from unlearnable.cli import inspect, lists
from unlearnable.noise import Noise
from unlearnable.runs import RunFolder

app = typer.Typer()
for verb in (inspect.inspect, lists.methods, lists.models):
    app.command()(verb)
runner = CliRunner()


def call(*args: object, code: int = 0) -> str:
    result = runner.invoke(app, [str(arg) for arg in args])
    assert result.exit_code == code, (result.output, result.exception)
    return result.stdout if code == 0 else result.stderr


@pytest.fixture
def noise() -> Noise:
    bank = np.zeros((2, 3, 16, 16), np.int8)
    bank[0], bank[1] = 3, -6
    return Noise(
        bank, ("cats", "dogs"), "classwise", Budget(8), (32, 32), provenance={"method": "random", "seed": 3}
    )


def test_a_folder_is_described(photos: Path) -> None:
    (photos / "cats" / "broken.png").write_bytes(b"no image")
    assert call("inspect", photos).splitlines() == [
        "18 images of 2 classes, 49 x 40 to 98 x 89 px (width x height)",
        "  cats: 9",
        "  dogs: 9",
        f"  skipped cats/broken.png: {photos}/cats/broken.png is not a photo: its content is text.",
    ]
    record = json.loads(call("inspect", photos, "--json"))
    assert (record["kind"], record["images"], record["classes"]) == ("folder", 18, {"cats": 9, "dogs": 9})
    assert (record["smallest"], record["largest"], list(record["skipped"])) == (
        [40, 49],
        [89, 98],
        ["cats/broken.png"],
    )


def test_a_noise_file_is_described(tmp_path: Path, noise: Noise) -> None:
    path = tmp_path / "noise.safetensors"
    noise.save(path)
    assert call("inspect", path).splitlines() == [
        "2 classwise patterns of 16 x 16 px on a grid of 32 x 32",
        "  budget linf(8/255); largest value 6, rms 4.74 levels",
        "  method: random",
        "  seed: 3",
    ]
    record = json.loads(call("inspect", path, "--json"))
    assert (record["kind"], record["largest"], record["epsilon"], record["provenance"]) == (
        "noise",
        6,
        8,
        {"method": "random", "seed": 3},
    )


def test_a_run_folder_is_described(tmp_path: Path, noise: Noise) -> None:
    with RunFolder(tmp_path / "run").open() as run:
        run.update(
            status="protected",
            method="random",
            seed=3,
            settings={"epsilon": 8},
            environment={"device": "cpu"},
        )
        noise.save(run.noise)
        with run.recording() as append:
            append({"id": "cats/a.png"})
    assert call("inspect", tmp_path / "run").splitlines() == [
        "Run folder (keep it private): protected, 1 files written",
        "  method: random",
        "  seed: 3",
        "  epsilon = 8",
        "  device: cpu",
        "2 classwise patterns of 16 x 16 px on a grid of 32 x 32",
        "  budget linf(8/255); largest value 6, rms 4.74 levels",
    ]
    record = json.loads(call("inspect", tmp_path / "run", "--json"))
    assert (record["kind"], record["files"], record["run"]["seed"], record["noise"]["patterns"]) == (
        "run",
        1,
        3,
        2,
    )


def test_a_photo_is_described(photos: Path, tmp_path: Path) -> None:
    assert call("inspect", photos / "cats" / "grey.png") == "A photo of 48 x 48 px, grey\n"
    assert (
        json.loads(call("inspect", photos / "dogs" / "see-through.png", "--json"))["colours"]
        == "colour with transparency"
    )
    (tmp_path / "cut.jpg").write_bytes((photos / "cats" / "p1.jpg").read_bytes()[:200])
    assert "cut.jpg cannot be read as an image" in call("inspect", tmp_path / "cut.jpg", code=3)


def test_what_is_nothing_of_that_says_so(tmp_path: Path) -> None:
    assert "does not exist" in call("inspect", tmp_path / "absent", code=3)
    (tmp_path / "text").write_text("text")
    assert "not a readable noise file" in call("inspect", tmp_path / "text", code=3)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{")
    assert "is damaged" in call("inspect", tmp_path / "run", code=3)


@pytest.mark.parametrize(("verb", "names"), [("methods", methods.names()), ("models", models.names())])
def test_lists_have_one_line_each(verb: str, names: dict[str, str]) -> None:
    assert json.loads(call(verb, "--json")) == names
    lines = call(verb).splitlines()
    assert [line.split("  ")[0].strip() for line in lines] == list(names)
    assert all(line.endswith(names[line.split()[0]]) and names[line.split()[0]] for line in lines)


def test_models_lists_published_weights_and_names_what_it_downloads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "resnet18-f37072fd.pth").write_bytes(b"no weights")
    found = json.loads(call("models", "--weights", "--json"))
    assert found["resnet18:stem=imagenet"]["file"] == str(folder / "resnet18-f37072fd.pth")
    missing = found["resnet50:stem=imagenet"]
    assert missing["file"] == ""
    assert missing["source"] == "https://download.pytorch.org/models/resnet50-0676ba61.pth"
    assert (missing["size"], missing["licence"], missing["sha256"]) == (102530333, "BSD-3-Clause", "0676ba61")
    listed = call("models", "--weights")
    assert "resnet50-0676ba61.pth, 97.8 MiB, BSD-3-Clause, SHA-256 0676ba61" in " ".join(listed.split())
    error = " ".join(call("models", "--download", "resnet18:stem=imagenet", code=3).split())
    assert "resnet18-f37072fd.pth, 44.7 MiB, BSD-3-Clause" in error
    assert "its checksum is different" in error
    assert "Give one of them" in call("models", "--weights", "--download", "mobilenet-v2", code=2)
