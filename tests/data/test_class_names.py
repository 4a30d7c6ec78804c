"""Labels from Python and from files: what is no class is refused with its position, value and a remedy."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import unlearnable as un
from conftest import pixels
from unlearnable.data.class_names import class_names
from unlearnable.data.labels import labels_and_lines
from unlearnable.errors import DataError

GOOD = [
    ([0, 1, 0], None, ["0000", "0001", "0000"]),
    ([0.0, 1.0, 1], None, ["0000", "0001", "0001"]),
    (np.array([2, 0], np.uint8), ["x", "y", "z"], ["z", "x"]),
    (torch.tensor([1, 0]), ["x", "y"], ["y", "x"]),
    ([torch.tensor(1), np.int64(0)], None, ["0001", "0000"]),
    (np.array([[1], [0]]), ["x", "y"], ["y", "x"]),
    (np.array(["b", "a"]), None, ["b", "a"]),
    (("cafe\u0301", "a\u2028b"), None, ["caf\xe9", "a\u2028b"]),
    (iter(["a", "b"]), ("b", "a"), ["a", "b"]),
    (range(2), None, ["0000", "0001"]),
    ([9_999, 10_000, 3], None, ["09999", "10000", "00003"]),
    ([10**20, 1], None, ["1" + "0" * 20, "0" * 20 + "1"]),
]


@pytest.mark.parametrize(("labels", "classes", "names"), GOOD)
def test_labels_become_class_names(labels: Any, classes: Any, names: list[str]) -> None:
    assert class_names(labels, classes) == names


BAD = [
    ([0, 1.5, 1], "labels[1] is 1.5", "whole numbers"),
    ([0, 1, None], "labels[2] is None", "leave the image out"),
    ([0.0, float("nan")], "labels[1] is NaN", "leave the image out"),
    ([0, float("inf")], "labels[1] is inf", "whole numbers"),
    ([b"cats", b"dogs"], "labels[0] is b'cats'", "decode()"),
    (np.array([b"cats"]), "labels[0] is b'cats'", "decode()"),
    (np.eye(3), "labels have the shape (3, 3)", "labels.argmax(1)"),
    (torch.eye(3), "labels have the shape (3, 3)", "labels.argmax(1)"),
    ([[1, 0], [0, 1]], "labels[0] is a row of 2 values", "labels.argmax(1)"),
    ([np.array([0, 1])], "labels[0] is a row of 2 values", "labels.argmax(1)"),
    ([0, True], "labels[1] is True", "labels.astype(int)"),
    (np.array([False, True]), "labels[0] is False", "labels.astype(int)"),
    ([0, 1, -1], "labels[2] is -1", "leave the image out"),
    (["a", " "], "labels[1] is ' ', an empty name", "leave the image out"),
    (["a", "\ud800"], "labels[1] is '\\ud800', which is not valid Unicode", "UTF-8"),
    (["a", "b\0"], "labels[1] is 'b\\x00', with a NUL", "Remove"),
    (["a", "b", 3], "labels[0] is 'a', and labels[2] is 3", "all labels as names"),
    ("abc", "labels are 'abc', not a list", "one label for each image"),
    ({"a": 0}, "not a list", "one label for each image"),
    (7, "labels are 7, not a list", "one label for each image"),
    ([1j], "labels[0] is 1j", "whole numbers"),
    (np.array(["2020-01-01"], "M8[D]"), "labels have the type datetime64[D]", "whole numbers"),
]


@pytest.mark.parametrize(("labels", "problem", "remedy"), BAD, ids=lambda value: repr(value)[:40])
def test_labels_that_are_no_classes_are_refused(labels: Any, problem: str, remedy: str) -> None:
    with pytest.raises(DataError) as caught:
        class_names(labels)
    assert problem in caught.value.problem
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    ("labels", "classes", "problem"),
    [
        ([0, 2], ["x", "y"], "labels[1] is 2, but there are only 2 classes"),
        ([0, -1], ["x", "y"], "labels[1] is -1"),
        (["x", "w"], ["x", "y"], "labels[1] is 'w', which is not among the classes"),
        ([0], ["x", "y", "x"], "classes[2] is 'x', as classes[0] is"),
        ([0], ["caf\xe9", "cafe\u0301"], "classes[1] is 'caf\xe9', as classes[0] is"),
        ([0], ["x", 1], "classes[1] is 1, not a name"),
        ([0], ["x", ""], "classes[1] is '', an empty name"),
        ([0], "xy", "classes is 'xy', not a list"),
        ([0], {"x": 0}, "classes is {'x': 0}, not a list"),
        ([0], 2, "classes is 2, not a list"),
    ],
)
def test_class_names_and_labels_must_fit(labels: Any, classes: Any, problem: str) -> None:
    with pytest.raises(DataError) as caught:
        un.load(pixels(len(labels), 8), labels, classes=classes)
    assert problem in caught.value.problem


def test_names_of_many_classes_sort_as_their_numbers_do() -> None:
    numbers = [*range(9_990, 10_010), 21_840]
    names = class_names(numbers)
    assert sorted(names) == names


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("true", "the label is True"),
        ("1.5", "the label is 1.5"),
        ("[0, 1]", "the label is a row of 2 values"),
        ('{"a": 1}', "the label is a row of 1 values"),
        ('"a\\u0000"', "with a NUL character"),
        ('"  "', "the image has no label"),
        ("Infinity", "the label is inf"),
    ],
)
def test_labels_in_a_file_are_held_to_the_same(tmp_path: Path, value: str, problem: str) -> None:
    file = tmp_path / "labels.jsonl"
    file.write_text(f'{{"file": "a.png", "class": "cats"}}\n{{"file": "b.png", "class": {value}}}\n')
    with pytest.raises(DataError) as caught:
        labels_and_lines(file)
    assert f"line 2: {problem}" in caught.value.problem or problem in caught.value.problem
    assert "line 2" in caught.value.problem


def test_a_masked_label_is_a_missing_value() -> None:
    with pytest.raises(DataError, match=r"labels\[1\] is None"):
        class_names(np.ma.array([0, 1, 1], mask=[False, True, False]))
    assert class_names(np.ma.array([0, 1])) == ["0000", "0001"]


def test_members_of_an_enumeration_become_plain_text() -> None:
    kind = enum.Enum("Kind", {"CAT": "cat"}, type=str)
    (name,) = class_names([kind.CAT])
    assert (type(name), f"{name}") == (str, "cat")
