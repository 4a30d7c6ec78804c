"""Computed noise: what every rule from class and id to pattern promises."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from conftest import pixels
from quick import FORMS, fit, make
from unlearnable import methods
from unlearnable.cli.app import app
from unlearnable.data.arrays import arrays
from unlearnable.data.image_set import ImageSet
from unlearnable.methods import Context
from unlearnable.methods.computed import Computed

NAMES = [name for name in methods.names() if issubclass(methods.get(name), Computed)]


def write(root: Path, **classes: range) -> Path:
    """Write photos of 64 px: one sub-folder per class, one photo per number, the same for the same number."""
    for name, numbers in classes.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in numbers:
            image = Image.fromarray(pixels(1, 16, seed=number)[0]).resize((64, 64))
            image.save(root / name / f"{name}{number}.png")
    return root


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.png"))}


def added(source: Path, protected: Path, id: str) -> np.ndarray:
    """The change of a published photo, int (H, W, 3), where no channel of a pixel was near its limits."""
    before, after = (np.asarray(Image.open(root / id)).astype(int) for root in (source, protected))
    inside = ((before >= 8) & (before <= 247)).all(axis=2, keepdims=True)
    return np.where(inside, after - before, 0)


def test_the_computed_methods_are_listed() -> None:
    assert {"textures", "linear_separable", "autoregressive"} <= set(NAMES)


@pytest.mark.parametrize(("name", "form"), [(name, form) for name in NAMES for form in FORMS])
def test_noise_does_not_depend_on_pixels(name: str, form: str, images: ImageSet) -> None:
    negatives = arrays(
        np.stack([255 - images.photo(id).pixels for id in images.ids]),
        [images.class_of[id] for id in images.ids],
        ids=images.ids,
    )
    ours, theirs = (fit(name, one.view(16), form).noise.bank for one in (images, negatives))
    assert np.array_equal(ours, theirs)


@pytest.mark.parametrize(("name", "form"), [(name, form) for name in NAMES for form in FORMS])
def test_classes_that_come_later_have_patterns_of_their_own_and_old_ones_stay(
    name: str, form: str, images: ImageSet
) -> None:
    method = make(name, form)
    # one class after the other, in an order that is not that of their names
    known: tuple[str, ...] = ()
    fitted = None
    for new in ("bee", "cat", "ant"):
        known += (new,)
        some = images.subset([id for id in images.ids if images.class_of[id] == new])
        if fitted is None:
            fitted = method.fit(some.view(16), Context(5))
            continue
        before = fitted.noise
        later = before.joined(method.extend(fitted, some.view(16), Context(5)))
        for id in (id for id in images.ids if images.class_of[id] in known[:-1]):
            old, now = (noise.row(id, images.class_of[id]) for noise in (before, later))
            assert np.array_equal(before.bank[old], later.bank[now])
        fitted = methods.Fitted(later, {}, (), (), "")
    banks: dict[str, set[bytes]] = {name: set() for name in known}
    for id in images.ids:
        row = fitted.noise.row(id, images.class_of[id])
        banks[images.class_of[id]].add(fitted.noise.bank[row].tobytes())
    assert len(set.union(*banks.values())) == sum(len(bank) for bank in banks.values())


@pytest.mark.parametrize("name", NAMES)
def test_protect_takes_new_photos_and_a_new_class_and_leaves_old_files_alone(
    name: str, tmp_path: Path
) -> None:
    photos, protected = write(tmp_path / "photos", bee=range(3), cat=range(3, 6)), tmp_path / "protected"

    def protect() -> dict[str, object]:
        command = ["protect", str(photos), str(protected), "--method", name, "--seed", "1", "--json", "-q"]
        result = CliRunner().invoke(app, [*command, "--workers", "1", "--device", "cpu"])
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    protect()
    first = files(protected)
    write(photos, ant=range(6, 9), cat=range(9, 11))
    record = protect()
    assert (record["written"], record["retained"]) == (5, 6)
    now = files(protected)
    assert {path: now[path] for path in first} == first
    for path in now:
        assert 0 < np.abs(added(photos, protected, path)).max() <= 8
    fresh = methods.Fitted.load(record["run"]).noise
    keys = {name: set(fresh.assignment.keys(name)) for name in ("ant", "bee", "cat")}
    if fresh.form == "classwise":
        assert set(fresh.keys) == set.union(*keys.values())
    assert len({fresh.bank[row].tobytes() for row in range(len(fresh.keys))}) == len(fresh.keys)


@pytest.mark.parametrize("name", [*NAMES, "random"])
def test_one_class_alone_needs_no_context(name: str, tmp_path: Path) -> None:
    photos = write(tmp_path / "photos", mine=range(3))
    command = ["protect", str(photos), str(tmp_path / "protected"), "--device", "cpu", "--workers", "1"]
    result = CliRunner().invoke(app, [*command, "--method", name])
    assert result.exit_code == 0, result.output
    assert len(files(tmp_path / "protected")) == 3
    refused = CliRunner().invoke(app, [*command[:2], str(tmp_path / "other"), *command[3:]])
    assert refused.exit_code == 3
    assert "one class only" in refused.output.replace("\n", " ")
    assert not (tmp_path / "other").exists()
