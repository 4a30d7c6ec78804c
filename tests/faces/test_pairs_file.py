"""Files of pairs in LFW's form: read as they are, and refused with the line that is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from people import encoded

from unlearnable.data.folder import folder
from unlearnable.errors import DataError, UsageError
from unlearnable.faces.pairs_file import Listed, photos_of, read

GOOD = "2\t1\nAnn_A\t1\t4\nAnn_A\t1\tBea B\t2\nZoe\t1\t3\nZoe\t2\tAnn_A\t3\n"


def written(root: Path, text: str) -> Path:
    (root / "pairs.txt").write_text(text, "utf-8")
    return root / "pairs.txt"


def test_a_file_of_two_folds(tmp_path: Path) -> None:
    assert read(written(tmp_path, GOOD)) == [
        Listed(("Ann_A", 1), ("Ann_A", 4), 0),
        Listed(("Ann_A", 1), ("Bea B", 2), 0),
        Listed(("Zoe", 1), ("Zoe", 3), 1),
        Listed(("Zoe", 2), ("Ann_A", 3), 1),
    ]
    spaces = GOOD.replace("Bea B", "Bea").replace("\t", " ")
    assert [pair.same for pair in read(written(tmp_path, spaces))] == [True, False, True, False]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "does not begin with"),
        ("ten 300\n", "does not begin with"),
        (GOOD.replace("2\t1\n", "2\t2\n"), "has 4 pairs, but"),
        (GOOD.replace("2\t1\n", "1\t2\n"), "announces 1 folds"),
        (GOOD.replace("Zoe\t1\t3", "Zoe\tone\t3"), "Pair 3"),
        (GOOD.replace("Bea B", "Ann_A"), "Pair 2 .* one person instead of two"),
        (GOOD.replace("Zoe\t1\t3", "Zoe\t1\tBea\t3"), "Pair 3"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(DataError, match=problem) as refused:
        read(written(tmp_path, text))
    assert "FOLDS PAIRS" in refused.value.remedy


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read(tmp_path / "none.txt")


def test_photos_are_found_by_person_and_number(tmp_path: Path) -> None:
    for id in ("Ann_A/Ann_A_0001.png", "Ann_A/Ann_A_4.png", "Ann_A/Zoe_0002.png", "Zoe/Zoe_0001.png"):
        (tmp_path / "photos" / id).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / id).write_bytes(encoded(np.full((8, 8, 3), 90, np.uint8)))
    found = photos_of(read(written(tmp_path, GOOD)), folder(tmp_path / "photos"))
    assert found == {
        ("Ann_A", 1): "Ann_A/Ann_A_0001.png",
        ("Ann_A", 4): "Ann_A/Ann_A_4.png",
        ("Zoe", 1): "Zoe/Zoe_0001.png",
    }
