"""``faces protect --recogniser``: noise that misleads recognisers, and what is refused before work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from people import write_people
from typer.testing import CliRunner

from onnx_files import node, recogniser, save
from publishing import call
from unlearnable.cli.app import app
from unlearnable.errors import DataError
from unlearnable.faces.crops import crops
from unlearnable.faces.face_list import FACES, places_of, read
from unlearnable.faces.protection import remedies_for_faces
from unlearnable.models.onnx_network import OnnxFile
from unlearnable.opening import PhotoOptions

SAME = ("--seed", "1", "--workers", "1", "--device", "cpu", "--precision", "float32")
# small crops and few rounds; the other settings are those for recognisers
QUICK = ("--set", "resolution=24", "--set", "grid=24", "--set", "max_rounds=12", "--epsilon", "16")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("recognisers")
    write_people(root / "photos")
    recogniser(root / "net.onnx")
    return root


def protect(folder: Path) -> dict[str, Any]:
    """Run the command, and return its record."""
    network = f"{folder / 'net.onnx'},127.5,127.5"
    words = (folder / "photos", folder / "out", "--recogniser", network, *QUICK, *SAME)
    return json.loads(call("faces", "protect", *words, "--json", "--quiet").stdout)


@pytest.fixture(scope="module")
def published(folder: Path) -> dict[str, Any]:
    return protect(folder)


def embedded(folder: Path, photos: Path) -> tuple[np.ndarray, list[str]]:
    """Return the embeddings of the faces, cut out where they were found on the originals, and the people."""
    places = places_of(read(folder / "photos.unlearnable" / "out" / FACES))
    images = PhotoOptions().folder(photos)
    by_stem = {str(Path(id).with_suffix("")): place for id, place in places.items()}
    found = crops(images, {id: by_stem[str(Path(id).with_suffix(""))] for id in images.ids})
    x = (
        torch.stack([torch.from_numpy(found.photo(id).rgb().copy()).permute(2, 0, 1) for id in found.ids])
        / 255
    )
    with torch.no_grad():
        features = OnnxFile(folder / "net.onnx", 127.5, 127.5).network()(x)
    return features.numpy(), [found.class_of[id] for id in found.ids]


def test_published_faces_move_away_from_their_person(folder: Path, published: dict[str, Any]) -> None:
    assert published["written"] == 8
    clean, people = embedded(folder, folder / "photos")
    moved, same = embedded(folder, folder / "out")
    assert people == same
    middle = clean.mean(0)

    def closeness(z: np.ndarray) -> np.ndarray:
        """The cosine of each face to the centre of its own person."""
        own = np.stack([clean[[one == name for one in people]].mean(0) for name in people]) - middle
        z = z - middle
        return (z * own).sum(1) / np.linalg.norm(z, axis=1) / np.linalg.norm(own, axis=1)

    assert (closeness(moved) < closeness(clean)).mean() > 0.85


def test_the_run_records_the_recogniser_and_its_digest(folder: Path, published: dict[str, Any]) -> None:
    record = json.loads((folder / "photos.unlearnable" / "out" / "run.json").read_text("utf-8"))
    assert record["method"] == "feature_shift"
    assert record["settings"]["surrogate"].endswith("net.onnx,127.5,127.5")
    assert len(record["settings"]["weights"]) == 64


def test_the_same_command_again_changes_nothing(folder: Path, published: dict[str, Any]) -> None:
    again = protect(folder)
    assert (again["written"], again["retained"]) == (0, 8)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--method", "random"), "not for random"),
        (("--method", "error_minimizing"), "not for error_minimizing"),
        (("--recogniser", "{}/net.onnx"), "given twice"),
        (("--recogniser", "{}/zero.onnx"), "same values for different pictures"),
        (("--set", "surrogate=cnn"), "given twice"),
        (("--recogniser", "missing.onnx"), "There is no file missing.onnx"),
    ],
)
def test_what_does_not_fit_is_refused_before_faces_are_looked_for(
    words: tuple[str, ...], said: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "unlearnable.faces.finding.find", lambda *_, **__: pytest.fail("faces were looked for")
    )
    nodes = [node("Mul", ["in", "k"], "q"), node("Flatten", ["q"], "out")]
    save(folder / "zero.onnx", nodes, {"k": np.float32(0)})
    more = [word.format(folder) for word in words]
    given = [folder / "photos", folder / "new", "--recogniser", folder / "net.onnx", *more]
    done = CliRunner().invoke(app, ["faces", "protect", *map(str, given)])
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())
    assert not (folder / "new").exists()


def test_a_person_alone_is_told_that_others_help(folder: Path, tmp_path: Path) -> None:
    words = (
        "--recogniser",
        folder / "net.onnx",
        "--set",
        "max_rounds=1",
        "--set",
        "min_rounds=1",
        *QUICK[:4],
        *SAME,
    )
    alone = call(
        "faces",
        "protect",
        folder / "photos" / "grace",
        tmp_path / "out",
        "--class",
        "me",
        *words,
        "--run",
        tmp_path / "alone",
    )
    assert "no other person to move the faces towards" in " ".join(alone.output.split())
    more = ("--context", folder / "photos", "--run", tmp_path / "run")
    among = call(
        "faces", "protect", folder / "photos" / "grace", tmp_path / "new", "--class", "me", *words, *more
    )
    assert "no other person" not in " ".join(among.output.split())


@pytest.mark.parametrize(
    ("remedy", "wanted"),
    [
        (
            "Find new noise with `unlearnable protect --refit`.",
            "Find new noise with `unlearnable faces protect --refit`.",
        ),
        ("Start over with `protect --refit`.", "Start over with `faces protect --refit`."),
        (
            "Run `unlearnable faces protect`, which protected photos.",
            "Run `unlearnable faces protect`, which protected photos.",
        ),
    ],
)
def test_remedies_name_the_command_for_faces(remedy: str, wanted: str) -> None:
    with pytest.raises(DataError) as refused, remedies_for_faces():
        raise DataError("A problem.", remedy)
    assert refused.value.remedy == wanted
    assert refused.value.problem == "A problem."


def test_a_network_trained_from_scratch_joins_if_asked_for(folder: Path, tmp_path: Path) -> None:
    method = "feature_shift_error_minimizing"
    words = (
        "--recogniser",
        folder / "net.onnx",
        "--method",
        method,
        "--set",
        "max_rounds=1",
        "--set",
        "min_rounds=1",
    )
    call(
        "faces",
        "protect",
        folder / "photos",
        tmp_path / "out",
        *words,
        *QUICK[:4],
        *SAME,
        "--run",
        tmp_path / "run",
    )
    assert json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))["method"] == method
