"""Which files of a folder are photos, which class they are of, and what is said about the others."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

import unlearnable
from conftest import pixels
from unlearnable.data.folder import folder, splits
from unlearnable.data.labels import read_labels
from unlearnable.errors import DataError, UsageError


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels(1, 8)[0]).save(path)
    return path


def text(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("cats/a.png", "cats/deep/er/b.png", "dogs/c.png"):
        put(tmp_path / "photos" / name)
    return tmp_path / "photos"


def refusal(call, *args: object, **options: object) -> DataError:
    with pytest.raises(DataError) as caught:
        call(*args, **options)
    return caught.value


def test_litter_is_ignored_silently(root: Path) -> None:
    for name in (".hidden/x.png", "cats/.x.png", "__MACOSX/cats/x.png", "cats/.ipynb_checkpoints/a.png"):
        put(root / name)
    for name in (".DS_Store", "cats/Thumbs.db", "desktop.ini", "cats/Desktop.ini"):
        text(root / name, "litter")
    images = folder(root)
    assert images.ids == ("cats/a.png", "cats/deep/er/b.png", "dogs/c.png")
    assert images.classes == ("cats", "dogs")
    assert not images.skipped


def test_what_is_no_photo_of_a_class_is_listed_with_the_reason(root: Path) -> None:
    put(root / "loose.png")
    text(root / "notes.txt", "text")
    text(root / "cats" / "notes.txt", "text")
    (root / "nothing" / "at" / "all").mkdir(parents=True)
    text(root / "words" / "notes.txt", "text")
    images = folder(root)
    assert images.skipped == {
        "loose.png": "is directly in the folder, so it has no class",
        "nothing": "contains no image",
    }
    assert images.others == {".txt": 3}


def test_photos_of_phones_are_photos(root: Path) -> None:
    for name in ("a.heic", "b.HEIF"):
        text(root / "dogs" / name, b"only the name is looked at")
    assert {"dogs/a.heic", "dogs/b.HEIF"} <= set(folder(root).ids)


def test_links_are_listed_and_never_followed(root: Path, tmp_path: Path) -> None:
    outside = put(tmp_path / "elsewhere" / "secret.png")
    (root / "cats" / "link.png").symlink_to(outside)
    (root / "cats" / "broken.png").symlink_to(tmp_path / "absent")
    (root / "cats" / "loop").symlink_to(root)
    (root / "birds").symlink_to(outside.parent)
    images = folder(root)
    assert len(images) == 3
    assert images.skipped == dict.fromkeys(
        ("cats/link.png", "cats/broken.png", "cats/loop", "birds"), "a link, which is never followed"
    )


def test_what_is_no_regular_file_is_listed_and_never_opened(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(root / "cats" / "pipe.png")  # opening it would wait for ever
    monkeypatch.chdir(root / "cats")  # addresses of sockets must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.png")
        images = folder(root).readable()
    assert len(images) == 3
    assert images.skipped == {"cats/pipe.png": "not a regular file", "cats/socket.png": "not a regular file"}


@pytest.mark.parametrize("mode", [0o000, 0o444], ids=["closed", "may be listed but not entered"])
def test_folders_that_cannot_be_read_are_listed_unless_it_is_the_folder_itself(root: Path, mode: int) -> None:
    put(root / "secret" / "x.png")
    put(root / "dogs" / "inner" / "x.png")
    code = f"""
import os, sys
sys.path.insert(0, {str(Path(unlearnable.__file__).parents[1])!r})
from unlearnable.data.folder import folder
from unlearnable.errors import DataError
if os.geteuid() == 0:  # permissions do not stop root, so become nobody once all is imported
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
images = folder(".")
assert images.ids == ("cats/a.png", "cats/deep/er/b.png", "dogs/c.png"), images.ids
reason = "a folder that cannot be read (Permission denied)"
assert images.skipped == {{"secret": reason, "dogs/inner": reason}}, images.skipped
try:
    folder("secret")
except DataError as error:
    assert error.problem == "secret cannot be read (Permission denied)."
    assert error.remedy == "Check its permissions."
else:
    sys.exit("no error")
"""
    for place in [root, *(path for path in root.rglob("*") if path.is_dir())]:
        place.chmod(0o755)
    closed = [root / "secret", root / "dogs" / "inner"]
    try:
        for place in closed:
            place.chmod(mode)
        # started in the folder: those above it are open to the user of the test alone
        subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=root)
    finally:
        for place in closed:
            place.chmod(0o755)


def test_ids_are_composed_and_the_second_of_two_equal_names_is_listed(root: Path) -> None:
    for form in ("NFD", "NFC"):
        put(root / "cats" / unicodedata.normalize(form, "é.png"))
    images = folder(root)
    if len(images) + len(images.skipped) < 5:
        pytest.skip("this file system does not tell the two apart")
    assert unicodedata.normalize("NFC", "cats/é.png") in images.ids
    assert list(images.skipped) == [str(root / "cats" / unicodedata.normalize("NFC", "é.png"))]


def test_names_that_are_no_unicode_are_listed(root: Path) -> None:
    try:
        os.rename(root / "cats" / "a.png", os.fsencode(root / "cats") + b"/caf\xe9.png")
    except OSError:
        pytest.skip("this file system takes Unicode only")
    images = folder(root)
    assert images.skipped == {r"cats/caf\udce9.png": "its name is not valid Unicode: rename it"}
    assert images.stamp


def test_a_flat_folder_needs_the_name_of_its_class(tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    put(tmp_path / ".hidden.png")
    error = refusal(folder, tmp_path)
    assert (
        error.problem
        == f"{tmp_path} contains no class: its images are directly in it (1), not in sub-folders."
    )
    assert all(word in error.remedy for word in (str(tmp_path / "cats"), "--class NAME", "--labels FILE"))
    put(tmp_path / "trip" / "day" / "b.png")
    images = folder(tmp_path, class_name="cats")
    assert dict(images.class_of) == {"a.png": "cats", "trip/day/b.png": "cats"}
    assert not images.skipped


def test_without_images_the_first_reason_is_said(tmp_path: Path) -> None:
    text(tmp_path / "cats" / "notes.txt", "text")
    assert "(1 other file is not a photo: 1 .txt)" in refusal(folder, tmp_path).problem
    text(tmp_path / "cats" / "a.nef", "raw")
    assert "contains no image (cats/a.nef: a raw" in refusal(folder, tmp_path, class_name="cats").problem
    assert "is not a folder" in refusal(folder, tmp_path / "absent").problem


def test_requests_that_make_no_sense(root: Path) -> None:
    with pytest.raises(UsageError, match="Both --labels and --class"):
        folder(root, labels=root / "l.csv", class_name="cats")
    with pytest.raises(UsageError, match="empty name"):
        folder(root, class_name=" ")


def test_splits_are_not_classes(tmp_path: Path) -> None:
    for name in ("train/cats/a.png", "val/cats/b.png"):
        put(tmp_path / name)
    (tmp_path / ".cache").mkdir()
    text(tmp_path / "README.md", "text")
    error = refusal(folder, tmp_path)
    assert error.problem == f"{tmp_path} contains train and val, which are splits rather than classes."
    assert error.remedy == (
        f"Give {tmp_path}/train (and {tmp_path}/val to `verify --test`); "
        "or --folders-are-classes if they are classes."
    )
    assert folder(tmp_path, as_classes=True).classes == ("train", "val")
    assert folder(tmp_path, class_name="cats").classes == ("cats",)
    assert folder(tmp_path / "train").classes == ("cats",)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("train", "val"), ("train", "val")),
        (("Train", "TEST", "validation"), ("Train", "validation", "TEST")),
        (("train", "valid"), ("train", "valid")),
        (("train",), ()),
        (("val", "test"), ()),
        (("train", "test", "bus"), ()),
    ],
)
def test_splits_are_told_by_being_the_only_folders(
    tmp_path: Path, names: tuple[str, ...], found: tuple[str, ...]
) -> None:
    for name in names:
        (tmp_path / name).mkdir()
    assert splits(tmp_path) == found
    assert splits(tmp_path / "absent") == ()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("l.csv", "file,class\ncats/a.png,1\ndogs\\c.png,two\n"),
        ("l.csv", "\ufeffclass;path\r\n1;cats/a.png\r\ntwo;./dogs/c.png\r\n;\r\n"),
        ("l.CSV", '"File_Name"\t"Label"\n"cats/a.png"\t" 1 "\n\ndogs/c.png\ttwo'),
        ("l.csv", "filename,class_name\ncats/a.png,1\ndogs/c.png,two\ncats/a.png,1\n".encode("utf-16")),
        ("l.jsonl", '{"file": "cats/a.png", "label": 1}\n\n{"class": "two", "path": "dogs\\\\c.png"}\r\n'),
    ],
)
def test_classes_come_from_a_file(root: Path, tmp_path: Path, name: str, content: str | bytes) -> None:
    file = text(tmp_path / name, content)
    assert list(read_labels(file).values()) == ["1", "two"]
    images = folder(root, labels=file)
    assert dict(images.class_of) == {"cats/a.png": "1", "dogs/c.png": "two"}
    assert images.skipped == {"cats/deep/er/b.png": f"has no label in {file}"}


def test_labels_hold_whatever_the_layout_and_beside_the_photos(tmp_path: Path) -> None:
    for name in ("flat.png", "train/a.png", "val/b.png", unicodedata.normalize("NFD", "val/é.png")):
        put(tmp_path / name)
    text(tmp_path / "val" / "c.txt", "text")
    content = "file,label\nflat.png,x\ntrain/a.png,x\nval/b.png,y\nval/é.png,y\ngone.png,y\nval/c.txt,y\n"
    file = text(tmp_path / "labels.csv", unicodedata.normalize("NFC", content))
    images = folder(tmp_path, labels=file)
    assert images.classes == ("x", "y")
    assert len(images) == 4
    assert images.skipped == {
        "gone.png": f"is named in {file}, line 6, but is not in the folder",
        "val/c.txt": f"is named in {file}, line 7, but is not a photo",
    }
    error = refusal(folder, tmp_path / "train", labels=file)
    assert "names no image that is in" in error.problem
    assert "such as a.png" in error.remedy


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("l.csv", "file,class\na.png,x\na.png,y\n", "line 3: a.png is 'y' here and 'x' in line 2"),
        ("l.csv", "file,class\na.png,x\n./a.png,y\n", "line 3: a.png is 'y' here"),
        ("l.csv", "file,class\na.png, \n", "line 2: the image has no label"),
        ("l.csv", "file,class\n,x\n", "line 2: no image is named"),
        ("l.csv", "\nfile,lable\na.png,x\n", "line 2: no columns name the class"),
        ("l.csv", "file\na.png\n", "line 1: no columns name the class"),
        ("l.csv", "file,path,label\na.png,a.png,x\n", "line 1: 2 columns name the file"),
        ("l.csv", "file,class\nb.png,x\na, b.png,x\n", "line 3: it has 3 cells, but the header has 2"),
        ("l.csv", 'file,class\n"a.png"b,x\n', "line 2: it is not CSV"),
        ("l.csv", b"file,class\na.png,x\ncaf\xe9.png,x\n", "line 3: it is not UTF-8"),
        ("l.csv", "", "names no image"),
        ("l.csv", "file,class\n", "names no image"),
        ("l.jsonl", '{"file": "a.png", "class": "x"}\n{"file": \n', "line 2: it is not JSON"),
        ("l.jsonl", "[" * 100_000, "line 1: it is not JSON"),
        ("l.jsonl", '["a.png", "x"]\n', "line 1: it is not a JSON object"),
        ("l.jsonl", '{"file": "a.png", "class": null}\n', "line 1: the image has no label"),
        ("l.jsonl", '{"file": "a.png", "class": NaN}\n', "line 1: the image has no label"),
        ("l.jsonl", '{"file": 3, "class": "x"}\n', "line 1: no image is named"),
        (
            "l.jsonl",
            '{"file": "a.png", "class": "\\ud800"}\n',
            "line 1: the label is",
        ),
        ("l.txt", "a.png x\n", "is neither .csv nor .jsonl"),
    ],
)
def test_a_labels_file_that_makes_no_sense_is_refused_with_its_line(
    tmp_path: Path, name: str, content: str | bytes, problem: str
) -> None:
    file = text(tmp_path / name, content)
    error = refusal(read_labels, file)
    assert error.problem.startswith(str(file))
    assert problem in error.problem
    assert error.remedy


def test_a_labels_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    for name in ("absent.csv", "pipe.csv"):
        assert "is not a file" in refusal(read_labels, tmp_path / name).problem
