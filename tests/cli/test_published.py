"""``inspect`` of a published folder: its files against the list of the run that wrote them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from unlearnable.cli.app import app


def call(*words: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == code, (done.stdout, done.stderr, done.exception)
    return done.stdout if code == 0 else done.stderr


@pytest.fixture
def out(photos: Path) -> Path:
    """The published folder of the photos, beside them."""
    target = photos.with_name("out")
    call("protect", photos, target, "--method", "random", "--seed", 1, "--workers", 1)
    return target


def test_every_file_is_shown_with_its_photo_and_its_change(photos: Path, out: Path) -> None:
    run = photos.with_name("photos.unlearnable") / "out"
    lines = call("inspect", out).splitlines()
    assert lines[:3] == [
        "Published: 18 photos of 2 classes",
        "  no pixel changed by more than 8/255",
        "  as the run wrote them: 18",
    ]
    assert any(line.startswith("  cats/p1.png: cats/p1.jpg, 8/255") for line in lines)
    assert lines[-1] == f"Keep private: {run}"
    assert call("inspect", out, "--run", run) == call("inspect", out, "--photos", photos)


def test_what_changed_since_is_counted_and_named(photos: Path, out: Path) -> None:
    (out / "cats" / "p0.png").unlink()
    (out / "dogs" / "p0.png").write_bytes((out / "dogs" / "p2.png").read_bytes())
    (out / "dogs" / "new.png").write_bytes((photos / "dogs" / "p0.png").read_bytes())
    (out / ".DS_Store").write_bytes(b"left behind")
    record = json.loads(call("inspect", out, "--json"))
    assert (record["as_written"], record["changed"], record["missing"]) == (16, 1, 1)
    assert record["others"] == ["dogs/new.png"]
    assert record["files"]["cats/p0.png"]["state"] == "missing"
    assert record["files"]["dogs/p0.png"]["photo"] == "dogs/p0.png"
    text = call("inspect", out)
    assert "  changed: 1\n  missing: 1\n  not of this run: 1\n" in text
    changed = next(line for line in text.splitlines() if line.startswith("  dogs/p0.png: "))
    assert changed.endswith(", changed")


def test_elsewhere_the_run_must_be_named(photos: Path, out: Path, tmp_path: Path) -> None:
    moved = tmp_path / "site" / "out"
    moved.parent.mkdir()
    shutil.move(out, moved)
    done = CliRunner().invoke(app, ["inspect", str(moved)])
    assert done.stdout.startswith("18 images of 2 classes")
    assert "--photos PHOTOS" in done.stderr
    assert CliRunner().invoke(app, ["inspect", str(moved), "-q"]).stderr == ""
    assert call("inspect", moved, "--photos", photos).startswith("Published: 18 photos")
    assert "Both --photos and --run" in call("inspect", moved, "--photos", photos, "--run", out, code=2)
    assert "is not a published folder" in call(
        "inspect", moved / "cats" / "p0.png", "--run", photos.with_name("photos.unlearnable") / "out", code=2
    )


def test_a_run_that_has_published_nothing_says_so(photos: Path, tmp_path: Path) -> None:
    call("fit", photos, tmp_path / "run", "--method", "random")
    assert "has published nothing" in call("inspect", photos, "--run", tmp_path / "run", code=2)


def test_a_large_folder_is_summed_up(tmp_path: Path) -> None:
    for number in range(60):
        folder = tmp_path / "photos" / f"class{number:02d}"
        folder.mkdir(parents=True)
        (folder / "broken.png").write_bytes(b"broken")
    lines = call("inspect", tmp_path / "photos").splitlines()
    assert len(lines) < 30
    assert lines[-1] == "  and 40 more; --json has all of them"
    assert len(json.loads(call("inspect", tmp_path / "photos", "--json"))["skipped"]) == 60


def test_the_time_limit_ends_an_export_and_leaves_nothing(photos: Path, out: Path, tmp_path: Path) -> None:
    run = photos.with_name("photos.unlearnable") / "out"
    target = tmp_path / "set"
    words = ("export", photos, run, target, "--format", "imagefolder", "--time-limit")
    assert "Nothing was written" in call(*words, "0.000001s", code=6)
    assert not target.exists()
    assert not list(tmp_path.glob(".set*"))
    assert "18 protected images written." in call(*words, "1h")
