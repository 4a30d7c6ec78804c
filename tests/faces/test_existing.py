"""Recognisers under names of their own, and those that a search used, whatever their path."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from people import variant

from onnx_files import recogniser
from unlearnable import hashing
from unlearnable.data.arrays import arrays
from unlearnable.errors import UsageError
from unlearnable.faces.existing import names_of, try_recognisers
from unlearnable.faces.recogniser import Recogniser
from unlearnable.training.compute import Compute

pytest.importorskip("onnxruntime")


class Found:
    """Crops of two people, and the same again as the published ones."""

    def __init__(self) -> None:
        people = [person for person in ("eileen", "grace") for _ in range(6)]
        pictures = [variant(person, number)[:160, :160] for number, person in enumerate(people)]
        self.clean = self.protected = arrays(np.stack(pictures), people)
        self.context = None


def files(root: Path, *names: str) -> list[Recogniser]:
    found = []
    for seed, name in enumerate(names):
        (root / name).parent.mkdir(exist_ok=True)
        found.append(Recogniser(recogniser(root / name, 3 * seed), 127.5, 127.5))
    return found


def test_files_of_the_same_name_both_count(tmp_path: Path) -> None:
    networks = files(tmp_path, "one/model.onnx", "two/model.onnx", "three/other.onnx")
    tried = try_recognisers(Found(), networks, (0,), False, "", Compute())  # type: ignore[arg-type]
    assert list(tried.frozen) == names_of(networks)
    assert len(tried.frozen) == 3
    assert names_of(networks)[2] == "other"


def test_the_same_recogniser_twice_is_refused_and_other_numbers_are_another(tmp_path: Path) -> None:
    (one,) = files(tmp_path, "net.onnx")
    with pytest.raises(UsageError, match="twice"):
        names_of([one, one])
    assert len(set(names_of([one, replace(one, mean=0.0)]))) == 2


def test_a_recogniser_of_the_search_is_marked_by_its_content(tmp_path: Path) -> None:
    used, other = files(tmp_path, "used.onnx", "other.onnx")
    copy = Recogniser(Path(shutil.copy(used.file, tmp_path / "copy.onnx")), 127.5, 127.5)
    used.file.unlink()
    weights = f"{'0' * 64}+{hashing.of_file(copy.file)}"
    tried = try_recognisers(Found(), [copy, other], (0,), False, weights, Compute())  # type: ignore[arg-type]
    assert tried.searched == {"copy"}


def test_a_network_that_is_no_recogniser_is_refused_before_photos_are_read(tmp_path: Path) -> None:
    from onnx_files import node, save

    nodes = [node("Mul", ["in", "k"], "q"), node("Flatten", ["q"], "out")]
    zero = save(tmp_path / "zero.onnx", nodes, {"k": np.float32(0)})
    with pytest.raises(UsageError, match="same values"):
        Recogniser(zero).check()
    with pytest.raises(UsageError, match="not finite"):
        Recogniser(save(tmp_path / "nan.onnx", nodes, {"k": np.float32(np.nan)})).check()
    Recogniser(save(tmp_path / "open.onnx", nodes, {"k": np.float32(1)}, size=("N", 3, "H", "W"))).check()
