"""From a folder of photos to a folder of protected ones: what is written, what is kept, and what is never
touched.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import unlearnable as un
from unlearnable import methods
from unlearnable.cli.app import app
from unlearnable.data import reading
from unlearnable.data.folder import folder
from unlearnable.noise import Noise

runner = CliRunner()


def tree(root: Path) -> dict[str, str]:
    return {
        p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in root.rglob("*")
        if p.is_file()
    }


def call(*args: object, code: int = 0) -> str:
    result = runner.invoke(app, [str(arg) for arg in args])
    assert result.exit_code == code, (result.stdout, result.stderr, result.exception)
    return result.stdout if code == 0 else result.stderr


def test_protect_writes_the_same_tree_within_the_budget_and_touches_no_source(
    photos: Path, tmp_path: Path
) -> None:
    before, out = tree(photos), tmp_path / "out"
    result = json.loads(call("protect", photos, out, "--method", "random", "--json", "--seed", 5))
    assert tree(photos) == before
    assert sorted(tree(out)) == sorted(str(Path(name).with_suffix(".png")) for name in before)
    assert result["written"] == len(before)
    assert 0 < result["largest_change"] <= 8
    originals, published = folder(photos), folder(out)
    changed = []
    for id in originals.ids:  # checked by independent code: Pillow alone
        with Image.open(photos / id) as old, Image.open(out / Path(id).with_suffix(".png")) as new:
            old.load()
            new.load()
        assert new.mode == ("L" if id.endswith("grey.png") else "RGBA" if "see-through" in id else "RGB")
        if new.mode == "RGBA":
            assert np.array_equal(np.asarray(old)[..., 3], np.asarray(new)[..., 3])
        a, b = (np.asarray(image.convert("RGB"), dtype=int) for image in (old, new))
        assert a.shape == b.shape
        changed.append(np.abs(a - b).max())
    assert min(changed) > 0
    assert max(changed) <= 8
    assert len(published) == len(originals)


def test_nothing_that_helps_to_undo_the_protection_is_published(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    call("protect", photos, out, "--method", "random")
    run = tmp_path / "photos.unlearnable" / "out"
    seed = str(json.loads((run / "run.json").read_text())["seed"])
    assert stat.S_IMODE(run.stat().st_mode) == 0o700
    assert {p.suffix for p in out.rglob("*") if p.is_file()} == {".png"}
    secrets = [
        seed.encode(),
        str(tmp_path).encode(),
        b"unlearnable",
        *(digest.encode() for digest in tree(photos).values()),
    ]
    for path in out.rglob("*.png"):
        data = path.read_bytes()
        assert not any(secret in data for secret in secrets), path
        with Image.open(path) as image:
            assert not image.info, path


def test_the_seed_comes_from_the_operating_system_and_is_kept(photos: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        call("protect", photos, tmp_path / name, "--method", "random")
    seeds = [
        json.loads((tmp_path / "photos.unlearnable" / name / "run.json").read_text())["seed"]
        for name in ("one", "two")
    ]
    assert seeds[0] != seeds[1]
    assert tree(tmp_path / "one") != tree(tmp_path / "two")


def test_webp_is_lossless_too_and_equals_png(photos: Path, tmp_path: Path) -> None:
    call("protect", photos, tmp_path / "png", "--method", "random", "--seed", 1)
    call("protect", photos, tmp_path / "webp", "--method", "random", "--seed", 1, "--format", "webp")
    a, b = folder(tmp_path / "png"), folder(tmp_path / "webp")
    for one, other in zip(a.ids, b.ids, strict=True):
        assert other.endswith(".webp")
        assert np.array_equal(a.photo(one).pixels, b.photo(other).pixels)


def test_a_second_run_keeps_what_is_finished_and_mends_what_is_not(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    call("protect", photos, out, "--method", "random")
    first = tree(out)
    (out / "cats" / "p0.png").unlink()
    (out / "dogs" / "p1.png").write_bytes(b"half")
    result = json.loads(call("protect", photos, out, "--method", "random", "--json"))
    assert (result["written"], result["retained"]) == (2, len(first) - 2)
    assert tree(out) == first


def test_other_settings_are_refused_with_the_difference_named(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    call("protect", photos, out, "--method", "random", "--epsilon", 8)
    assert "epsilon 8, not 4" in call("protect", photos, out, "--method", "random", "--epsilon", 4, code=2)


@pytest.mark.parametrize("inside", ["photos/out", ".", "photos"])
def test_folders_that_mix_are_refused(photos: Path, tmp_path: Path, inside: str) -> None:
    before = tree(photos)
    call("protect", photos, tmp_path / inside, "--method", "random", code=2)
    assert tree(photos) == before


def test_a_folder_with_other_files_is_refused(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "diary.txt").write_text("dear diary")
    assert "diary.txt" in call("protect", photos, out, "--method", "random", code=2)
    assert (out / "diary.txt").read_text() == "dear diary"


def test_bad_photos_are_listed_and_the_others_protected(photos: Path, tmp_path: Path) -> None:
    (photos / "cats" / "torn.jpg").write_bytes((photos / "cats" / "p1.jpg").read_bytes()[:300])
    (photos / "cats" / "notes.txt").write_text("no image")
    os.symlink(photos / "cats" / "p0.png", photos / "dogs" / "link.png")
    stderr = call("protect", photos, tmp_path / "out", "--method", "random", code=4)
    assert all(name in stderr for name in ("cats/torn.jpg", "dogs/link.png"))
    assert "1 other file is not a photo: 1 .txt." in stderr
    assert len(tree(tmp_path / "out")) == 18


def test_names_that_would_collide_keep_their_old_extension(photos: Path, tmp_path: Path) -> None:
    shutil.copy(photos / "cats" / "p1.jpg", photos / "cats" / "p0.jpg")
    call("protect", photos, tmp_path / "out", "--method", "random")
    assert {"cats/p0.jpg.png", "cats/p0.png.png"} <= set(tree(tmp_path / "out"))


def test_one_class_needs_context_which_is_never_written(photos: Path, tmp_path: Path) -> None:
    shutil.move(photos / "dogs", tmp_path / "others" / "dogs") if (
        tmp_path / "others"
    ).mkdir() is None else None
    assert "--context" in call("protect", photos, tmp_path / "out", code=3)
    call("protect", photos, tmp_path / "out", "--method", "random", "--context", tmp_path / "others")
    assert {name.split("/")[0] for name in tree(tmp_path / "out")} == {"cats"}


def test_fit_and_apply_are_the_two_halves(photos: Path, tmp_path: Path) -> None:
    call("protect", photos, tmp_path / "whole", "--method", "random", "--seed", 9)
    call("fit", photos, tmp_path / "run", "--method", "random", "--seed", 9)
    call("apply", tmp_path / "run", photos, tmp_path / "halves")
    assert tree(tmp_path / "whole") == tree(tmp_path / "halves")


def test_apply_extends_to_photos_that_came_later(photos: Path, tmp_path: Path) -> None:
    call("fit", photos, tmp_path / "run", "--method", "random", "--form", "samplewise")
    call("apply", tmp_path / "run", photos, tmp_path / "out")
    first = tree(tmp_path / "out")
    shutil.copy(photos / "cats" / "p4.png", photos / "cats" / "new.png")
    assert "cats/new.png" in call("apply", tmp_path / "run", photos, tmp_path / "out", code=4)
    call("apply", tmp_path / "run", photos, tmp_path / "out", "--missing", "extend")
    after = tree(tmp_path / "out")
    assert set(after) - set(first) == {"cats/new.png"}
    assert {name: after[name] for name in first} == first


def test_error_minimizing_end_to_end_goes_on_after_a_kill(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = methods.create(
        "error_minimizing",
        {
            "form": "classwise",
            "surrogate": "cnn:width=8,depth=2",
            "resolution": 16,
            "zoom": 1.5,
            "transforms": "photo",
            "batch": 8,
            "train_batches": 2,
            "steps": 2,
            "min_rounds": 3,
            "max_rounds": 3,
            "stop_error": 0.0,
        },
    )
    un.protect(photos, tmp_path / "whole", quick, seed=3)
    monkeypatch.setattr("unlearnable.search.CHECKPOINT_SECONDS", -1.0)
    seen = []

    class Killed(BaseException):
        pass

    def kill(event) -> None:
        seen.append(event)
        if event.stage == "searching" and event.done >= 9:
            raise Killed

    with pytest.raises(Killed):
        un.protect(photos, tmp_path / "killed", quick, seed=3, on_progress=kill)
    assert (tmp_path / "photos.unlearnable" / "killed" / "checkpoint.safetensors").exists()
    seen.clear()
    result = un.protect(photos, tmp_path / "killed", quick, on_progress=seen.append)
    assert next(event.done for event in seen if event.stage == "searching") >= 9
    assert result.largest <= 8
    assert tree(tmp_path / "killed") == tree(tmp_path / "whole")
    assert not (tmp_path / "photos.unlearnable" / "killed" / "checkpoint.safetensors").exists()
    noise = Noise.load(tmp_path / "photos.unlearnable" / "killed" / "noise.safetensors")
    assert noise.keys == ("cats", "dogs")
    assert noise.provenance["config"]["transforms"] == "photo"


def test_config_file_and_options_over_the_preset(photos: Path, tmp_path: Path) -> None:
    config = tmp_path / "mine.toml"
    config.write_text(
        'surrogate = "cnn:width=8,depth=2"\nresolution = 16\nmax_rounds = 9\nbatch = 8\nmin_rounds = 1\n'
    )
    call(
        "fit",
        photos,
        tmp_path / "run",
        "--config",
        config,
        "--set",
        "max_rounds=2",
        "--set",
        "transforms=none",
        "--set",
        "steps = 1",
    )
    settings = json.loads((tmp_path / "run" / "run.json").read_text())["settings"]
    assert (settings["resolution"], settings["max_rounds"], settings["transforms"]) == (16, 2, "none")
    assert settings["zoom"] == 1.5  # from the preset
    config.write_text("stepz = 3\n")
    assert "stepz is not a setting" in call("fit", photos, tmp_path / "b", "--config", config, code=2)
    config.write_text("steps = = 3\n")
    assert "mine.toml is not TOML" in call("fit", photos, tmp_path / "c", "--config", config, code=2)


def test_files_land_in_the_folder_that_was_meant_when_workers_outlive_a_change_of_folder(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        here = tmp_path / name
        shutil.copytree(photos, here / "photos")
        monkeypatch.chdir(here)
        call("protect", "photos", "protected", "--method", "random", "--workers", 2)
        assert len(tree(here / "protected")) == 18


def test_context_that_cannot_be_read_is_said(photos: Path, tmp_path: Path) -> None:
    others = tmp_path / "others" / "birds"
    others.mkdir(parents=True)
    for number in range(3):
        (others / f"{number}.jpg").write_bytes(b"no image")
    options = ["--method", "random", "--form", "classwise", "--context", others.parent]
    said = call("protect", photos, tmp_path / "out", *options, code=3)
    assert "None of the 3 context photos can be read" in said
    shutil.copy(photos / "cats" / "p0.png", others / "9.png")
    result = runner.invoke(app, [str(a) for a in ("protect", photos, tmp_path / "out2", *options)])
    assert result.exit_code == 0, result.stderr
    assert (
        "3 context photos cannot be read and are left out; the first is context/birds/0.jpg" in result.stderr
    )


def test_a_second_run_reads_photos_and_makes_no_squares(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = un.Random(form="classwise")
    un.protect(photos, tmp_path / "out", method, workers=1)
    made: list[object] = []
    allocate = reading.allocate
    monkeypatch.setattr(reading, "allocate", lambda *a: made.append(a) or allocate(*a))
    assert un.protect(photos, tmp_path / "out", method, workers=1).written == 0
    assert not made
    un.protect(photos, tmp_path / "again", method, workers=1)
    assert made
