"""``faces verify`` with strangers and a CosFace head, on photos of the sample; skipped without it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from publishing import call
from unlearnable.evaluation.schedule import SMALL
from unlearnable.training.victim import Victim

NETWORK = "cnn:width=8,depth=2"
STRANGERS = 7


@pytest.fixture
def sample() -> list[Path]:
    """The folders of the people."""
    root = Path(os.environ.get("UNLEARNABLE_DATA", "")) / "lfw-sample"
    if "UNLEARNABLE_DATA" not in os.environ or not root.is_dir():
        pytest.skip("UNLEARNABLE_DATA names no folder that holds lfw-sample")
    return sorted(path for path in root.iterdir() if path.is_dir())


def some(person: Path, folder: Path) -> list[Path]:
    """Copy the first five photos of a person into a folder, and return them."""
    folder.mkdir(parents=True)
    return [Path(shutil.copy(path, folder)) for path in sorted(person.glob("*.jpg"))[:5]]


def write_pairs(file: Path, people: Sequence[Path]) -> None:
    """Two folds of three pairs of one person and three of two."""
    lines = ["2\t3"]
    for fold in (people[:3], people[3:6]):
        number = {path.name: [int(one.stem[-4:]) for one in sorted(path.glob("*.jpg"))] for path in fold}
        names = list(number)
        lines += [f"{name}\t{number[name][0]}\t{number[name][1]}" for name in names]
        lines += [
            f"{name}\t{number[name][0]}\t{other}\t{number[other][0]}"
            for name, other in zip(names, [*names[1:], names[0]], strict=True)
        ]
    file.write_text("\n".join(lines) + "\n", "utf-8")


@pytest.mark.parametrize("file", [False, True], ids=["all pairs", "a file of pairs"])
def test_strangers_are_told_apart_by_both_heads(
    sample: list[Path], file: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)
    small = Victim(model=NETWORK, size=24, batch=8, lr=0.05, schedule="onecycle", transform="none")
    settings = replace(SMALL, victim=small, other=NETWORK, side=24, epochs=(2, 2), unseen={"size": 20})
    monkeypatch.setattr("unlearnable.evaluation.gathering.defaults", lambda frame: settings)
    photos, out, strangers = tmp_path / "photos", tmp_path / "out", tmp_path / "strangers"
    for person in sample[:3]:
        (out / person.name).mkdir(parents=True)
        for path in some(person, photos / person.name):
            pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
            noise = np.random.default_rng(len(path.name)).choice([-8, 8], (*pixels.shape[:2], 1))
            copy = Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))
            copy.save(out / person.name / f"{path.stem}.png")
    # one of the strangers is a person who is trained on
    for person in sample[2 : 3 + STRANGERS]:
        some(person, strangers / person.name)
    words = ["--target", NETWORK, "--seeds", "1", "--countermeasure", "grey", "--cosface", "--json"]
    words += ["--strangers", str(strangers), "--device", "cpu", "--precision", "float32"]
    if file:
        write_pairs(tmp_path / "pairs.txt", sample[3 : 3 + STRANGERS])
        words += ["--pairs", str(tmp_path / "pairs.txt")]
    record = json.loads(call("faces", "verify", photos, out, *words).stdout)
    told = record["strangers"]
    assert told["people"] == (6 if file else STRANGERS)
    assert told["left_out"][sample[2].name] == "the name of a person trained on"
    assert [one["name"] for one in told["networks"]][:2] == ["cnn", "CosFace"]
    for one in told["networks"]:
        assert one["floor"] == max(one["pixels"]["auc"], one["untrained"]["auc"])
        assert 0 < one["clean"]["auc"] < 1
        assert (one["clean"]["folds"] is None) == (not file)
        # photos of one person are more alike than photos of two, even as pixels
        assert one["pixels"]["auc"] > 0.5 or file
        assert one["verdict"] == "cannot tell"
    names = [part["name"] for part in record["recognition"]["parts"]]
    assert names == [
        "training from scratch",
        "verification of strangers after training from scratch",
        "training from scratch with CosFace",
        "verification of strangers after training from scratch with CosFace",
    ]
    assert "CosFace (scale 16, margin 0.2)" in json.dumps(record["trials"])
