"""Photos by name, photos that cannot be read, which are listed, and other files, which are counted."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

import unlearnable as un
from conftest import pixels
from unlearnable.cli.app import app
from unlearnable.data.file_kinds import summary
from unlearnable.data.folder import folder
from unlearnable.errors import DataError

PICTURE = Image.fromarray(pixels(1, 16)[0])


def encoded(format: str) -> bytes:
    buffer = io.BytesIO()
    PICTURE.save(buffer, format)
    return buffer.getvalue()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two classes of two photos each."""
    for name in ("cats/a.png", "cats/b.png", "dogs/c.png", "dogs/d.png"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels(1, 16, seed=len(list(path.parent.iterdir())))[0]).save(path)
    return tmp_path / "photos"


@pytest.mark.parametrize(
    ("name", "format"),
    [
        *(("x.jfif", "JPEG"), ("x.JPE", "JPEG"), ("x.jif", "JPEG"), ("x.jfi", "JPEG"), ("x.pjpeg", "JPEG")),
        *(("x.pjp", "JPEG"), ("x.MPO", "JPEG"), ("x.apng", "PNG"), ("x.dib", "BMP"), ("x.Tiff", "TIFF")),
        *(("x.PNG", "PNG"), ("x.webp", "WEBP")),
    ],
)
def test_photos_under_their_less_usual_names_are_photos(root: Path, name: str, format: str) -> None:
    (root / "cats" / name).write_bytes(encoded(format))
    images = folder(root).readable()
    assert f"cats/{name}" in images.ids
    assert (dict(images.skipped), dict(images.others)) == ({}, {})


@pytest.mark.parametrize("name", ["a.hif", "b.HEIFS", "c.heics", "d.avifs"])
def test_photos_of_phones_and_cameras_are_photos_by_name(root: Path, name: str) -> None:
    (root / "dogs" / name).write_bytes(b"only the name is looked at")
    assert f"dogs/{name}" in folder(root).ids


@pytest.mark.parametrize(
    "name", ["a.CR2", "a.nef", "a.dng", "a.arw", "a.raf", "a.orf", "a.rw2", "a.psd", "a.jxl", "a.jp2"]
)
def test_photos_that_cannot_be_read_are_named_with_a_remedy(root: Path, name: str) -> None:
    (root / "cats" / name).write_bytes(encoded("TIFF"))
    images = folder(root)
    assert list(images.skipped) == [f"cats/{name}"]
    assert "as JPEG or PNG" in images.skipped[f"cats/{name}"]
    assert not images.others


@pytest.mark.parametrize(
    ("name", "format", "ending"),
    [
        *(("x", "JPEG", ".jpg"), ("x.jpg_large", "JPEG", ".jpg"), ("x.jpg!large", "PNG", ".png")),
        *(
            ("x.dat", "WEBP", ".webp"),
            ("x.jpeg~", "JPEG", ".jpg"),
            ("x.jpg ", "GIF", ".gif"),
            ("x.", "BMP", ".bmp"),
        ),
    ],
)
def test_a_photo_under_a_name_of_no_photo_is_named_with_the_right_ending(
    root: Path, name: str, format: str, ending: str
) -> None:
    (root / "cats" / name).write_bytes(encoded(format))
    images = folder(root)
    assert images.skipped[f"cats/{name}"].endswith(f"rename it to end in {ending}")
    (root / "cats" / name).rename(root / "cats" / f"renamed{ending}")
    assert f"cats/renamed{ending}" in folder(root).readable().ids


def test_other_files_are_counted_by_kind_and_never_listed(root: Path) -> None:
    for index in range(3):
        (root / "cats" / f"{index}.json").write_text("{}")
        (root / "dogs" / f"{index}.AAE").write_text("<plist/>")
    for name in (
        "film.mp4",
        "film.MOV",
        "x.thm",
        "README",
        "notes of a day. And more",
        "BMW.txt",
        "empty.dat",
    ):
        (root / "dogs" / name).write_bytes(b"" if name == "empty.dat" else b"BM and so on")
    (root / "dogs" / "x.thm").write_bytes(encoded("JPEG"))
    (root / "films").mkdir()
    (root / "films" / "film.mp4").write_bytes(b"\0\0\0\x18ftypmp42")
    images = folder(root)
    assert not images.skipped
    assert images.others == {
        **{".json": 3, ".aae": 3, ".mp4": 2, ".mov": 1, ".thm": 1, "": 2, ".txt": 1, ".dat": 1},
    }
    kept = images.subset(images.ids[:2]).readable().join(un.load("digits").first(1))
    assert kept.others == images.others


@pytest.mark.parametrize(
    ("others", "text"),
    [
        ({".json": 1500, ".mp4": 5}, "1,505 other files are not photos: 1,500 .json, 5 .mp4"),
        ({".txt": 1}, "1 other file is not a photo: 1 .txt"),
        ({"": 2, ".a": 2}, "4 other files are not photos: 2 without an extension, 2 .a"),
        (
            {f".{letter}": 1 for letter in "abcdefgh"},
            "8 other files are not photos: 1 .a, 1 .b, 1 .c, 1 .d, 1 .e, 1 .f, 2 other kinds",
        ),
    ],
)
def test_the_summary_is_one_sentence(others: dict[str, int], text: str) -> None:
    assert summary(others) == text


def test_a_command_sums_up_other_files_and_exits_with_4_for_photos_only(root: Path, tmp_path: Path) -> None:
    for index in range(40):
        (root / "cats" / f"{index}.json").write_text("{}")
    quick = ["--method", "random", "--seed", "1", "--workers", "1"]
    words = ["protect", str(root), str(tmp_path / "out"), *quick]
    first = CliRunner().invoke(app, words)
    assert first.exit_code == 0, first.output
    assert "40 other files are not photos: 40 .json." in first.stderr
    assert first.stderr.count(".json") == 1
    again = CliRunner().invoke(app, [*words, "--quiet", "--json"])
    assert (again.exit_code, again.stderr) == (0, "")
    assert json.loads(again.stdout)["others"] == {".json": 40}
    (root / "cats" / "a.nef").write_bytes(b"raw")
    last = CliRunner().invoke(app, [*words, "--quiet"])
    assert last.exit_code == 4
    assert "cats/a.nef: a raw file of a camera" in last.stderr
    assert ".json" not in last.stderr
    described = CliRunner().invoke(app, ["inspect", str(root)])
    assert "  40 other files are not photos: 40 .json" in described.stdout.splitlines()


@pytest.mark.parametrize("name", ["Photos Library.photoslibrary", "old.PhotoLibrary", "Session.cocatalog"])
def test_libraries_of_photo_tools_are_named_and_never_walked(root: Path, name: str) -> None:
    (root / "cats" / name).mkdir()
    shutil.copy(root / "cats" / "a.png", root / "cats" / name / "thumbnail.png")
    images = folder(root)
    assert len(images) == 4
    assert "export its photos" in images.skipped[f"cats/{name}"]
    with pytest.raises(DataError, match="Export the photos from"):
        folder(root / "cats" / name, class_name="cats")


def test_photos_that_are_in_the_cloud_only_are_named(root: Path) -> None:
    for name in (".IMG_1.JPG.icloud", ".notes.txt.icloud"):
        (root / "cats" / name).write_bytes(b"bplist00")
    images = folder(root)
    assert list(images.skipped) == ["cats/.IMG_1.JPG.icloud"]
    assert "download it first" in images.skipped["cats/.IMG_1.JPG.icloud"]
