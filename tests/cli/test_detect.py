"""`unlearnable detect`: answers, JSON, exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

import unlearnable as un
from unlearnable.cli.app import app
from unlearnable.data.demo_photos import demo_photos
from unlearnable.data.image_set import ImageSet

CLASSES = ("astronaut", "brick", "china", "flower")


def write(images: ImageSet, root: Path) -> Path:
    for id in images.ids:
        file = root / images.class_of[id] / f"{id}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(images.photo(id).pixels).save(file)
    return root


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """120 photos of four classes, and the same with class-wise noise."""
    root, images = tmp_path_factory.mktemp("detect"), demo_photos().first(30, CLASSES)
    noise = un.fit(images, un.Random(form="classwise"), seed=1, compute=un.Compute("cpu", "float32")).noise
    return write(images, root / "clean"), write(images.with_noise(noise), root / "noisy")


def call(*words: object, code: int = 0) -> Any:
    result = CliRunner().invoke(app, ["detect", *map(str, words)])
    assert result.exit_code == code, (result.stdout, result.stderr, result.exception)
    return result


def test_the_answer_and_its_figures_are_printed_and_the_exit_code_is_0(folders: tuple[Path, Path]) -> None:
    clean, noisy = call(folders[0], "--device", "cpu"), call(folders[1], "--device", "cpu")
    assert noisy.stdout.startswith("Probably protected. Fine noise tells the class")
    assert not clean.stdout.startswith("Probably protected")
    assert "linear network: " in noisy.stdout
    assert "from content; lead +" in noisy.stdout
    assert "120 images of 4 classes; cpu; about " in noisy.stderr


def test_json_is_one_object_and_the_same_seed_gives_the_same_figures(folders: tuple[Path, Path]) -> None:
    words = (folders[1], "--json", "--quiet", "--seed", "7")
    first, second = (json.loads(call(*words).stdout) for _ in range(2))
    assert call(*words).stderr == ""
    assert first["answer"] == "probably protected"
    assert first["seeds"] == [7, 8, 9]
    assert first["images_of"] == dict.fromkeys(CLASSES, 30)
    assert [one["network"] for one in first["contrasts"]] == ["linear", "convolutional"]
    assert first["contrasts"] == second["contrasts"]
    other = json.loads(call(folders[1], "--json", "--seed", "8").stdout)
    assert other["contrasts"] != first["contrasts"]


def test_unreadable_images_are_listed(folders: tuple[Path, Path], tmp_path: Path) -> None:
    root = write(demo_photos().first(30, CLASSES), tmp_path / "photos")
    (root / "brick" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and nothing else")
    result = call(root, code=4)
    assert "broken.png" in result.stderr
    assert "120 images" in result.stderr


def test_bad_input_is_refused_with_the_usual_codes(folders: tuple[Path, Path], tmp_path: Path) -> None:
    assert "only one class" in call(write(demo_photos().first(5, ["brick"]), tmp_path / "one"), code=3).stderr
    assert "is not a folder" in call(tmp_path / "none", code=3).stderr
    flat = call(folders[0] / "brick", code=3).stderr
    assert "--labels FILE" in flat
    assert "--class " not in flat
    call(folders[0], "--time-limit", "soon", code=2)
    call(folders[0], "--device", "abacus", code=2)
    assert "The time is up" in call(folders[0], "--time-limit", "0.001s", code=6).stderr


def test_few_images_cannot_tell(tmp_path: Path) -> None:
    result = call(write(demo_photos().first(6, CLASSES), tmp_path / "few"))
    assert result.stdout.startswith("Cannot tell. There are too few images: 24, 6 in the smallest class.")
