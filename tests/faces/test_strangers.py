"""Strangers: nobody whom a network has trained on, and pairs of the photos that are left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from people import Marks, encoded, registered, with_marks

from unlearnable import hashing
from unlearnable.data.folder import folder
from unlearnable.errors import DataError
from unlearnable.faces import strangers
from unlearnable.faces.finding import FaceOptions
from unlearnable.faces.pairs_file import Listed, read
from unlearnable.faces.strangers import open_strangers

OPTIONS = FaceOptions("marks")
NAMES = [f"P{number}" for number in range(7)]


@pytest.fixture(autouse=True)
def marks() -> Iterator[None]:
    with registered("marks", Marks()):
        yield


def people(root: Path, names: Sequence[str] = NAMES, photos: int = 3) -> Path:
    """Photos of people as LFW names them; no two are equal."""
    for row, name in enumerate(names):
        (root / name).mkdir(parents=True)
        for number in range(1, photos + 1):
            pixels = with_marks(320, 320, (100, 90, 60 + number), tone=20 + 7 * row + number)
            (root / name / f"{name}_{number:04d}.png").write_bytes(encoded(pixels))
    return root


def test_all_pairs_of_people_with_two_photos(tmp_path: Path) -> None:
    root = people(tmp_path)
    (root / "P3" / "P3_0001.png").unlink()
    (root / "P3" / "P3_0002.png").unlink()
    found = open_strangers(folder(root), OPTIONS, {})
    assert found.people == 6
    assert "P3" not in found.crops.classes
    names = [found.crops.class_of[id] for id in found.crops.ids]
    assert len(names) == 18
    pairs = found.pairs
    assert (pairs.same.sum(), len(pairs.same)) == (6 * 3, 18 * 17 // 2)
    for one, other, same in zip(pairs.first, pairs.second, pairs.same, strict=True):
        assert (names[one] == names[other]) == same
    assert found.crops.photo(found.crops.ids[0]).size == (112, 112)


def test_people_who_are_trained_on_are_left_out_by_name_and_by_photo(tmp_path: Path) -> None:
    root = people(tmp_path)
    digest = hashing.of_file(root / "P5" / "P5_0002.png")
    found = open_strangers(folder(root), OPTIONS, {"P0": [], "somebody": [digest]})
    assert set(found.crops.classes) == set(NAMES) - {"P0", "P5"}
    assert found.left_out == {"P0": "the name of a person trained on", "P5": "a photo of a person trained on"}


def test_photos_without_a_face_are_left_out(tmp_path: Path) -> None:
    root = people(tmp_path)
    (root / "P1" / "P1_0002.png").write_bytes(encoded(with_marks(320, 320, tone=77)))
    found = open_strangers(folder(root), OPTIONS, {})
    assert list(found.left_out) == ["P1/P1_0002.png"]
    assert len(found.crops) == 20


def test_few_strangers_are_refused(tmp_path: Path) -> None:
    root = people(tmp_path)
    with pytest.raises(DataError, match="Only 4 strangers have two photos"):
        open_strangers(folder(root), OPTIONS, dict.fromkeys(NAMES[:3], ()))
    with pytest.raises(DataError, match="no stranger with two photos"):
        open_strangers(folder(root), OPTIONS, dict.fromkeys(NAMES, ()))


def test_of_many_people_and_photos_some_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strangers, "PEOPLE", 6)
    monkeypatch.setattr(strangers, "PHOTOS", 2)
    found = open_strangers(folder(people(tmp_path)), OPTIONS, {})
    assert sorted(Counter(found.crops.class_of.values()).values()) == [2] * 6


def pairs_of(root: Path, names: Sequence[str]) -> list[Listed]:
    """Two folds of three pairs of one person and three of two."""
    lines = ["2\t3"]
    for fold in (names[:3], names[3:6]):
        lines += [f"{name}\t1\t{3 if name == 'P1' else 2}" for name in fold]
        lines += [f"{name}\t1\t{other}\t2" for name, other in zip(fold, [*fold[1:], fold[0]], strict=True)]
    (root / "pairs.txt").write_text("\n".join(lines) + "\n", "utf-8")
    return read(root / "pairs.txt")


def test_the_pairs_of_a_file(tmp_path: Path) -> None:
    root = people(tmp_path / "photos")
    found = open_strangers(folder(root), OPTIONS, {}, pairs_of(tmp_path, NAMES))
    ids, pairs = found.crops.ids, found.pairs
    assert pairs.fold is not None
    assert pairs.fold.tolist() == [0] * 6 + [1] * 6
    assert pairs.same.tolist() == ([True] * 3 + [False] * 3) * 2
    named = [(ids[one], ids[other]) for one, other in zip(pairs.first, pairs.second, strict=True)]
    assert named[1] == ("P1/P1_0001.png", "P1/P1_0003.png")
    assert named[3] == ("P0/P0_0001.png", "P1/P1_0002.png")
    assert found.missing == 0
    # photos that no pair names are not looked at
    assert len(found.crops) == 13


def test_pairs_with_people_who_are_trained_on_do_not_count(tmp_path: Path) -> None:
    root = people(tmp_path / "photos")
    found = open_strangers(folder(root), OPTIONS, {"P4": []}, pairs_of(tmp_path, NAMES))
    assert found.missing == 3
    assert len(found.pairs.same) == 9
    with pytest.raises(DataError, match="of 12 pairs are left"):
        open_strangers(folder(root), OPTIONS, {"P4": [], "P3": []}, pairs_of(tmp_path, NAMES))
    assert np.all(found.pairs.similarities(np.eye(len(found.crops), dtype=np.float32)) == 0)
