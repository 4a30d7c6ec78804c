"""One run, any number of published folders and formats, each with its own list."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import unlearnable as un
from publishing import RANDOM, call, draw, draw_all, tree
from unlearnable.evaluation.gathering import gather
from unlearnable.runs import RunFolder, default_run, find_run


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return draw_all(tmp_path / "photos")


def test_one_noise_in_three_formats(photos: Path, tmp_path: Path) -> None:
    out, run = tmp_path / "out", tmp_path / "photos.unlearnable" / "out"
    call("protect", photos, out, *RANDOM)
    for format, suffix in (("jpeg", "jpg"), ("webp", "webp")):
        words = ("apply", run, photos, tmp_path / format, "--format", format, "--workers", 1, "--json")
        assert json.loads(call(*words).stdout)["written"] == 6
        assert json.loads(call(*words).stdout)["retained"] == 6
        assert {Path(name).suffix for name in tree(tmp_path / format)} == {f".{suffix}"}
    assert json.loads(call("protect", photos, out, *RANDOM, "--json").stdout)["retained"] == 6
    for name in tree(out):
        same = Image.open(tmp_path / "webp" / name.replace(".png", ".webp"))
        assert np.array_equal(np.asarray(Image.open(out / name)), np.asarray(same))
    described = json.loads(call("inspect", run, "--json").stdout)
    assert {(one["format"], one["files"]) for one in described["published"]} == {
        ("png", 6),
        ("jpeg", 6),
        ("webp", 6),
    }


def test_readers_use_the_list_of_the_folder_that_they_are_given(photos: Path, tmp_path: Path) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    call("protect", photos, out, *RANDOM)
    run = default_run(photos, out)
    # the same stem twice gets other names in PNG than in JPEG, which only the list knows
    draw(photos / "cats" / "late.png", 50)
    Image.open(photos / "cats" / "late.png").save(photos / "cats" / "late.jpg", quality=90)
    call("apply", run, photos, other, "--format", "jpeg", "--workers", 1)
    assert find_run(photos, other) == run
    pairs = gather(photos, other, run=find_run(photos, other))
    assert len(pairs.clean.ids) == 8
    assert not pairs.left_out
    assert len(gather(photos, out, run=run).clean.ids) == 6
    # a repeated protect of that folder is one of the same run
    done = call("protect", photos, other, "--method", "random", "--format", "jpeg", "--workers", 1, "--json")
    assert json.loads(done.stdout)["retained"] == 8


def test_another_encoding_in_one_folder_is_refused_and_the_remedy_names_the_run(
    photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    call("protect", photos, out, *RANDOM, "--format", "jpeg", "--quality", 90)
    before = tree(out)
    for words in (["jpeg", "--quality", 70], ["webp"], ["jpeg", "--quality", 90, "--keep-metadata"]):
        said = call("protect", photos, out, *RANDOM, "--format", *words, code=2).stderr
        assert f"apply {tmp_path / 'photos.unlearnable' / 'out'} PHOTOS OTHER" in said
        assert "photos in" not in said, "refused before anything is announced"
    assert tree(out) == before


@pytest.mark.parametrize("how", ["renamed", "copied", "everything moved", "by hand"])
def test_a_folder_that_was_moved_is_recognised_by_its_files(photos: Path, tmp_path: Path, how: str) -> None:
    out, moved = tmp_path / "out", tmp_path / "moved"
    un.protect(photos, out, un.Random(), seed=1, workers=1)
    before = tree(out)
    if how == "renamed":
        out.rename(moved)
    elif how == "copied":
        shutil.copytree(out, moved)
    elif how == "by hand":
        moved.mkdir()
        for part in sorted(out.iterdir()):
            shutil.move(part, moved / part.name)
        (moved / "cats" / "p0.png").unlink()
    else:
        (tmp_path / "disk").mkdir()
        for name in ("photos", "photos.unlearnable", "out"):
            (tmp_path / name).rename(tmp_path / "disk" / name)
        photos, moved = tmp_path / "disk" / "photos", tmp_path / "disk" / "out"
    done = un.protect(photos, moved, un.Random(), workers=1)
    assert done.retained == (5 if how == "by hand" else 6)
    assert tree(moved) == before
    assert un.protect(photos, moved, un.Random(), workers=1).retained == 6
    assert len(gather(photos, moved, run=find_run(photos, moved)).clean.ids) == 6


def test_originals_under_the_same_names_are_never_taken_for_published_files(
    photos: Path, tmp_path: Path
) -> None:
    call("protect", photos, tmp_path / "out", *RANDOM)
    shutil.copytree(photos, tmp_path / "copy")
    before = tree(tmp_path / "copy")
    run = tmp_path / "photos.unlearnable" / "out"
    assert "which no run in" in call("apply", run, photos, tmp_path / "copy", code=2).stderr
    call("protect", photos, tmp_path / "copy", *RANDOM, code=2)
    assert tree(tmp_path / "copy") == before


def test_lists_of_earlier_versions_are_those_of_the_recorded_folder(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    un.protect(photos, out, un.Random(), seed=1, workers=1)
    run = RunFolder(default_run(photos, out))
    # earlier versions wrote one list for all folders, and recorded the last of them
    shutil.copytree(out, tmp_path / "first")
    assert un.apply(run.path, photos, tmp_path / "first", workers=1).retained == 6
    assert run.files(out) == run.files() == run.files(tmp_path / "first")
    assert un.protect(photos, out, un.Random(), workers=1).retained == 6


def test_starting_over_forgets_the_files_of_every_folder(photos: Path, tmp_path: Path) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    un.protect(photos, out, un.Random(), seed=1, workers=1)
    run = default_run(photos, out)
    encoding = un.Encoding("jpeg", 90)
    un.apply(run, photos, other, encoding=encoding, workers=1)
    before = tree(other)
    un.protect(photos, out, un.Random(), refit=True, seed=2, workers=1)
    assert tree(other) == before
    assert un.apply(run, photos, other, encoding=encoding, workers=1).written == 6
    assert all(data != before[name] for name, data in tree(other).items())
    assert un.protect(photos, out, un.Random(), workers=1).retained == 6


@pytest.mark.parametrize(
    "litter",
    [
        ".DS_Store",
        "cats/._p0.png",
        "cats/Thumbs.db",
        "desktop.ini",
        "__MACOSX/cats/._p1.png",
        ".thumbnails/normal/abc.png",
        "dogs/.picasa.ini",
    ],
)
def test_litter_in_protected_is_left_alone(photos: Path, tmp_path: Path, litter: str) -> None:
    out = tmp_path / "out"
    un.protect(photos, out, un.Random(), seed=1, workers=1)
    path = out / litter
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"litter")
    draw(photos / "cats" / "later.png", 60)
    done = un.protect(photos, out, un.Random(), workers=1)
    assert (done.written, done.retained, done.vanished) == (1, 6, ())
    assert path.read_bytes() == b"litter"
    shutil.rmtree(out / "cats")
    assert un.protect(photos, out, un.Random(), workers=1).written == 4


def test_a_photo_that_gets_transparency_gets_another_name_and_the_others_stay(
    photos: Path, tmp_path: Path
) -> None:
    out, jpeg = tmp_path / "out", un.Encoding("jpeg", 90)
    un.protect(photos, out, un.Random(), encoding=jpeg, seed=1, workers=1)
    before = tree(out)
    picture = Image.open(photos / "cats" / "p0.png").convert("RGBA")
    picture.putpixel((0, 0), (9, 9, 9, 0))
    picture.save(photos / "cats" / "p0.png")
    done = un.protect(photos, out, un.Random(), encoding=jpeg, workers=1)
    assert (done.written, done.retained, done.changed) == (1, 5, ("cats/p0.png",))
    assert "was published as cats/p0.jpg before" in " ".join(done.notes["cats/p0.png"])
    after = tree(out)
    (name,) = after.keys() - before.keys()
    assert name.endswith(".png")
    assert {name: after[name] for name in before} == before
    assert un.protect(photos, out, un.Random(), encoding=jpeg, workers=1).retained == 6
    assert un.protect(photos, out, un.Random(), encoding=jpeg, refit=True, workers=1).written == 6
    assert set(tree(out)) == set(after)
