"""A finished file stays only while everything that it depends on is as it was."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import unlearnable as un
from publishing import RANDOM, call, change, draw, draw_all, tree
from unlearnable import methods, unfinished
from unlearnable.noise import Noise
from unlearnable.runs import RunFolder

SEARCH = {
    "surrogate": "cnn:width=8,depth=2",
    "batch": 6,
    "train_batches": 1,
    "steps": 2,
    "max_rounds": 1,
    "resolution": 16,
}


class Labelled:
    """A folder of six photos whose classes are in a file."""

    def __init__(self, place: Path) -> None:
        self.root = draw_all(place / "photos")
        self.file = place / "labels.csv"
        self.out = place / "out"
        self.run = place / "photos.unlearnable" / "out"
        self.names = sorted(path.relative_to(self.root).as_posix() for path in self.root.rglob("*.png"))

    def label(self, wrong: dict[str, str] | None = None) -> None:
        """Write the classes: those of the folders, but for some."""
        classes = {name: name.split("/")[0] for name in self.names} | (wrong or {})
        rows = "".join(f"{name},{class_name}\n" for name, class_name in classes.items())
        self.file.write_text(f"file,class\n{rows}")

    def protect(self, method: methods.Method[Any]) -> un.Published:
        options = un.PhotoOptions(labels=self.file)
        return un.protect(self.root, self.out, method, options=options, seed=1, workers=1)

    def noise(self, name: str) -> np.ndarray:
        return change(self.root / name, self.out / name)


@pytest.fixture
def labelled(tmp_path: Path) -> Labelled:
    return Labelled(tmp_path)


@pytest.mark.parametrize("wrong", [{"dogs/p1.png": "cats"}, {"cats/p0.png": "dogs", "dogs/p2.png": "cats"}])
def test_a_corrected_label_gets_the_pattern_of_its_class(labelled: Labelled, wrong: dict[str, str]) -> None:
    method = un.Random(form="classwise")
    labelled.label(wrong)
    labelled.protect(method)
    before = tree(labelled.out)
    labelled.label()
    done = labelled.protect(method)
    assert done.relabelled == tuple(sorted(wrong))
    assert (done.written, done.retained, done.changed, done.added) == (len(wrong), 6 - len(wrong), (), ())
    after = tree(labelled.out)
    assert {name for name in after if after[name] != before[name]} == set(wrong)
    again = labelled.protect(method)
    assert (again.written, again.relabelled) == (0, ())


def test_a_corrected_label_gets_other_noise_of_its_own(labelled: Labelled) -> None:
    method = un.ErrorMinimizing(form="samplewise", **SEARCH)
    labelled.label({"dogs/p1.png": "cats"})
    labelled.protect(method)
    before, noise = tree(labelled.out), Noise.load(labelled.run / "noise.safetensors")
    assert noise.classes[noise.keys.index("dogs/p1.png")] == "cats"
    labelled.label()
    done = labelled.protect(method)
    after, noise = tree(labelled.out), Noise.load(labelled.run / "noise.safetensors")
    assert (done.relabelled, done.written) == (("dogs/p1.png",), 1)
    assert {name for name in after if after[name] != before[name]} == {"dogs/p1.png"}
    assert noise.classes[noise.keys.index("dogs/p1.png")] == "dogs"


def test_apply_skips_or_extends_noise_that_was_found_for_another_class(labelled: Labelled) -> None:
    labelled.label({"dogs/p1.png": "cats"})
    run, labels = labelled.run, ("--labels", labelled.file)
    call("fit", labelled.root, run, *labels, "--method", "random", "--form", "samplewise")
    labelled.label()
    words = ("apply", run, labelled.root, labelled.out, *labels, "--workers", 1)
    said = call(*words, code=4).stderr
    assert "its class is now 'dogs', and its noise was made for 'cats'" in said
    assert "dogs/p1.png" not in tree(labelled.out)
    assert json.loads(call(*words, "--missing", "extend", "--json").stdout)["written"] == 1


def test_the_command_names_corrected_labels(labelled: Labelled) -> None:
    labelled.label({"dogs/p1.png": "cats"})
    words = (
        "protect",
        labelled.root,
        labelled.out,
        "--labels",
        labelled.file,
        *RANDOM,
        "--form",
        "classwise",
    )
    call(*words)
    labelled.label()
    done = call(*words, "--json")
    title = "Class corrected, now with the noise of the new class (1):\n  dogs/p1.png"
    assert title in done.stderr
    assert json.loads(done.stdout)["relabelled"] == ["dogs/p1.png"]


def test_a_renamed_class_is_refused_before_any_file_is_touched(labelled: Labelled) -> None:
    method = un.ErrorMinimizing(form="classwise", **SEARCH)
    labelled.label()
    labelled.protect(method)
    before = tree(labelled.out)
    labelled.label({name: "hounds" for name in labelled.names if name.startswith("dogs")})
    with pytest.raises(un.DataError, match="hounds") as caught:
        labelled.protect(method)
    assert "--refit" in caught.value.remedy
    assert tree(labelled.out) == before


def test_photos_that_swap_names_or_move_to_another_class_get_noise_of_their_own(tmp_path: Path) -> None:
    root, out = draw_all(tmp_path / "photos"), tmp_path / "out"
    method = un.Random(form="samplewise")
    un.protect(root, out, method, seed=1, workers=1)
    (root / "cats" / "p0.png").rename(tmp_path / "x.png")
    (root / "cats" / "p1.png").rename(root / "cats" / "p0.png")
    (tmp_path / "x.png").rename(root / "cats" / "p1.png")
    (root / "cats" / "p2.png").rename(root / "dogs" / "moved.png")
    done = un.protect(root, out, method, seed=1, workers=1)
    assert done.changed == ("cats/p0.png", "cats/p1.png")
    assert set(done.added) == {"cats/p0.png", "cats/p1.png", "dogs/moved.png"}
    assert done.vanished == ("cats/p2.png",)
    for name in ("cats/p0.png", "cats/p1.png", "dogs/moved.png"):
        assert 0 < np.abs(change(root / name, out / name)).max() <= 8


def edit(run: Path, *lost: str) -> None:
    """Take fields out of a list, as versions that did not have them wrote it."""
    records = RunFolder(run).files().values()
    rows = ({key: value for key, value in record.items() if key not in lost} for record in records)
    (run / "files.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


@pytest.mark.parametrize("form", ["samplewise", "classwise"])
def test_lists_of_earlier_versions_leave_finished_files_alone(labelled: Labelled, form: str) -> None:
    method = un.Random(form=form)
    labelled.label()
    labelled.protect(method)
    edit(labelled.run, "made_with")
    before = tree(labelled.out)
    assert labelled.protect(method).retained == 6
    # and a class that was corrected under that version is found now
    labelled.label({"dogs/p1.png": "cats"})
    assert labelled.protect(method).relabelled == ("dogs/p1.png",)
    assert {name for name in before if tree(labelled.out)[name] != before[name]} <= {"dogs/p1.png"}


def test_noise_files_of_earlier_versions_take_the_classes_of_the_list(labelled: Labelled) -> None:
    method = un.ErrorMinimizing(form="samplewise", **SEARCH)
    labelled.label({"dogs/p1.png": "cats"})
    labelled.protect(method)
    file = labelled.run / "noise.safetensors"
    noise = Noise.load(file)
    old = Noise(np.array(noise.bank), noise.keys, noise.form, noise.budget, noise.grid, digests=noise.digests)
    old.save(file)
    assert Noise.load(file).classes == ()
    edit(labelled.run, "made_with")
    assert labelled.protect(method).retained == 6
    labelled.label()
    assert labelled.protect(method).relabelled == ("dogs/p1.png",)


@pytest.mark.parametrize("part", ["noise", "revision", "source"])
def test_whatever_a_file_depends_on_makes_it_again(
    labelled: Labelled, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = un.Random(form="classwise")
    labelled.label()
    labelled.protect(method)
    written = 6
    if part == "revision":
        monkeypatch.setattr(unfinished, "REVISION", unfinished.REVISION + 1)
    elif part == "source":
        draw(labelled.root / "cats" / "p0.png", 99)
        written = 1
    else:
        file = labelled.run / "noise.safetensors"
        noise = Noise.load(file)
        other = np.array(noise.bank)
        other[0] = -other[0]
        replace(noise, bank=other).save(file)
        written = 3
    assert labelled.protect(method).written == written
    assert labelled.protect(method).written == 0
