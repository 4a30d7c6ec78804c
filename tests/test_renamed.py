"""Settings that were renamed: files of earlier versions are still read, and no committed cell changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open

import unlearnable.search as searching
from unlearnable import experiments, methods, presets
from unlearnable.assignment import Assignment
from unlearnable.budget import Budget
from unlearnable.cells.results import Result, Results
from unlearnable.cells.revisions import revisions
from unlearnable.data.image_set import ImageSet
from unlearnable.errors import UsageError
from unlearnable.experiments import profiles
from unlearnable.methods import checkpoint
from unlearnable.methods.fitted import load_state, load_tensors, save_state, save_tensors
from unlearnable.noise import Noise
from unlearnable.renamed import RENAMED, to_current, to_recorded
from unlearnable.runs import RunFolder

CELLS = Path(__file__).resolve().parent.parent / "results" / "cpu" / "cells"
OLD = {"several": 2, "settled": 0.01, "place": "centre"}
NEW = {"patterns_per_class": 2, "skip_below": 0.01, "offset": "centre"}


def test_names_are_translated_both_ways_and_others_stay() -> None:
    assert to_current({**OLD, "epsilon": 4}) == {**NEW, "epsilon": 4}
    assert to_recorded({**NEW, "epsilon": 4}) == {**OLD, "epsilon": 4}
    assert to_current(NEW) == NEW
    assert to_current({"jpeg": 75}) == {"countermeasures": "jpeg:75"}
    assert to_current({"jpeg": 0}) == {"countermeasures": "none"}
    assert to_recorded({"countermeasures": "jpeg:75"}) == {"countermeasures": "jpeg:75"}
    assert set(RENAMED.values()) <= set(methods.ErrorMinimizingConfig.model_fields)
    assert not set(RENAMED) & set(methods.ErrorMinimizingConfig.model_fields)


def test_old_settings_make_the_same_method() -> None:
    old, new = (methods.create("error_minimizing", settings).config for settings in (OLD, NEW))
    assert old == new
    old, new = (
        methods.create("error_minimizing", {name: value}).config
        for name, value in (("jpeg", 30), ("countermeasures", "jpeg:30"))
    )
    assert old == new
    with pytest.raises(UsageError, match="quality must be a whole number, not 'high'"):
        methods.create("error_minimizing", {"jpeg": "high"})
    with pytest.raises(UsageError, match="It is called countermeasures now"):
        methods.ErrorMinimizing(jpeg=30)  # type: ignore[call-arg]
    with pytest.raises(UsageError, match="settled and skip_below are one setting"):
        methods.create("error_minimizing", {"settled": 0.1, "skip_below": 0.1})


def test_a_toml_file_of_old_names_changes_the_preset(tmp_path: Path) -> None:
    file = tmp_path / "old.toml"
    file.write_text(
        'place = "centre"\nsearch = "fast"\n[classwise]\nseveral = 2\n[fast.samplewise]\nsettled = 0.5\n'
    )
    samplewise, classwise = (
        presets.merge(presets.read("paper"), file, {"form": form, "search": search})
        for form, search in (("samplewise", "fast"), ("classwise", "exact"))
    )
    assert (samplewise["offset"], samplewise["skip_below"]) == ("centre", 0.5)
    assert (classwise["offset"], classwise["patterns_per_class"], classwise["skip_below"]) == (
        "centre",
        2,
        0.0,
    )
    assert not set(RENAMED) & (samplewise.keys() | classwise.keys())
    assert presets.merge({"place": "tile"}, None, {"several": 3}) == {
        "offset": "tile",
        "patterns_per_class": 3,
    }


def test_noise_files_keep_their_format_and_read_both_names(tmp_path: Path) -> None:
    assignment = Assignment(patterns_per_class=2, offset="random", mapped={"place": "several"}, seed=3)
    bank = np.ones((2, 3, 4, 4), np.int8)
    noise = Noise(bank, assignment.keys("several"), "classwise", Budget(8), (8, 8), assignment=assignment)
    noise.save(tmp_path / "noise.safetensors")
    with safe_open(str(tmp_path / "noise.safetensors"), framework="np") as file:
        meta = json.loads(file.metadata()["unlearnable"])
    assert meta["format"] == "unlearnable-noise/2"
    record = meta["assignment"]
    assert (record["several"], record["place"]) == (2, "random")
    assert Noise.load(tmp_path / "noise.safetensors").assignment == assignment
    assert Assignment.from_json(to_current(record)) == Assignment.from_json(record) == assignment


@pytest.fixture(scope="module")
def committed() -> dict[str, Result]:
    return Results(CELLS).all()


def test_every_committed_cell_is_read_and_its_settings_are_accepted(committed: dict[str, Result]) -> None:
    assert len(committed) == len(list(CELLS.glob("*.json")))
    old = set()
    for text, result in committed.items():
        # the table leaves out a result whose revisions are not today's
        assert result.revisions == revisions(result.cell)
        if result.cell.poison is None:
            continue
        search = result.cell.poison.search
        method = methods.create(search.method, dict(search.settings))
        dumped = to_recorded(method.config.model_dump())
        assert all(dumped[name] == value for name, value in search.settings.items()), text
        old |= RENAMED.keys() & search.settings.keys()
    assert old >= {"several", "place"}


def test_every_committed_cell_is_still_one_of_a_grid(committed: dict[str, Result]) -> None:
    grids = [experiments.get(name) for name in experiments.names()]
    wanted = {entry.cell.text for grid in grids for entry in grid.entries(profiles.get("cpu"))}
    assert committed.keys() <= wanted


def test_a_run_that_began_under_old_names_resumes(
    images: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {
        "form": "samplewise",
        "surrogate": "cnn:width=8,depth=2",
        "batch": 8,
        "train_batches": 2,
        "steps": 2,
        "skip_below": 0.5,
        "offset": "centre",
        "tile": 8,
        "resolution": 16,
        "min_rounds": 3,
        "max_rounds": 3,
    }
    method = methods.create("error_minimizing", settings)
    with RunFolder(tmp_path / "whole").open() as run:
        whole = searching.search(images, run, method, seed=1)

    class Killed(Exception):
        pass

    saves: list[int] = []

    def save(*arguments: Any) -> None:
        save_state(*arguments)
        saves.append(1)
        if len(saves) == 9:
            raise Killed

    resumed: list[bool] = []

    def load(*arguments: Any, **named: Any) -> dict[str, Any] | None:
        state = load_state(*arguments, **named)
        resumed.append(state is not None)
        return state

    monkeypatch.setattr(checkpoint, "save_state", save)
    monkeypatch.setattr(checkpoint, "load_state", load)
    monkeypatch.setattr(searching, "CHECKPOINT_SECONDS", -1.0)
    with RunFolder(tmp_path / "run").open() as run:
        with pytest.raises(Killed):
            searching.search(images, run, method, seed=1)
        record = run.read()
        asked = {**record["asked"], "settings": to_recorded(record["asked"]["settings"])}
        assert {"several", "settled", "place"} <= asked["settings"].keys()
        run.update(asked=asked, settings=to_recorded(record["settings"]))
        tensors, meta = load_tensors(run.checkpoint)
        meta["identity"]["settings"] = to_recorded(meta["identity"]["settings"])
        save_tensors(run.checkpoint, tensors, meta)
        again = searching.search(images, run, method, seed=1)
        assert resumed == [False, True]
        assert np.array_equal(again.noise.bank, whole.noise.bank)
        assert again.log == whole.log
        run.update(asked=asked)
        # a finished run is recognised too, and another value of a renamed setting is named
        assert np.array_equal(searching.search(images, run, method, seed=1).noise.bank, whole.noise.bank)
        other = methods.create("error_minimizing", {**settings, "skip_below": 0.25})
        with pytest.raises(UsageError, match=r"skip_below 0\.5, not 0\.25"):
            searching.search(images, run, other, seed=1)
