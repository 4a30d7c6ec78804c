"""Names round-trip through files of labels and through ids, whatever they hold."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from conftest import pixels
from unlearnable.data.folder import folder

NAMES = [
    *(
        "line\u2028separator",
        "next\u0085line",
        "paragraph\u2029",
        "form\x0cfeed",
        "vertical\x0btab",
        "unit\x1f",
    ),
    *(
        "new\nline",
        "return\rhere",
        "tab\there",
        'quo"te',
        "comma, semi; colon",
        " leading",
        "trailing ",
        "dots..",
    ),
    *(
        "composed é",
        unicodedata.normalize("NFD", "decomposed é"),
        "\U0001f600",
        "back\\slash",
        "e" * 251,
        "#[*]?",
    ),
    *("zero\u200bwidth", "right\u200fto left", "\ufeffmark"),
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A photo of every name, in one folder."""
    root = tmp_path / "photos"
    root.mkdir()
    Image.fromarray(pixels(1, 8)[0]).save(tmp_path / "one.png")
    for name in NAMES:
        (root / f"{name}.png").write_bytes((tmp_path / "one.png").read_bytes())
    return root


def written(root: Path, file: Path) -> Path:
    """Write the class of every photo, which is its name in other words, by the standard library."""
    rows = [(f"{name}.png", f"class of {name.strip()} x") for name in NAMES]
    if file.suffix == ".jsonl":
        text = "".join(
            json.dumps({"file": path, "class": label}, ensure_ascii=False) + "\n" for path, label in rows
        )
    else:
        buffer = io.StringIO(newline="")
        csv.writer(buffer).writerows([("file", "class"), *rows])
        text = buffer.getvalue()
    file.write_bytes(text.encode())
    return file


@pytest.mark.parametrize("name", ["labels.csv", "labels.jsonl"])
def test_every_name_finds_its_photo_and_its_class(root: Path, tmp_path: Path, name: str) -> None:
    images = folder(root, labels=written(root, tmp_path / name))
    assert dict(images.skipped) == {}
    composed = {unicodedata.normalize("NFC", name) for name in NAMES}
    assert dict(images.class_of) == {f"{name}.png": f"class of {name.strip()} x" for name in composed}
    assert len(images.readable()) == len(NAMES)


def test_a_header_before_a_name_with_a_line_separator_is_still_the_header(tmp_path: Path) -> None:
    """Where U+2028 is in the header itself, the separator is looked for in the whole line."""
    Image.fromarray(pixels(1, 8)[0]).save(tmp_path / "a;b.png")
    file = tmp_path / "labels.csv"
    file.write_text(
        "re\u2028mark\tfile\tclass\r\n\tx\ta;b\r\n".replace("x\ta;b", "a;b.png\tcats"), "utf-8", newline=""
    )
    assert dict(folder(tmp_path, labels=file).class_of) == {"a;b.png": "cats"}


def test_paths_of_windows_are_understood_and_backslashes_in_names_are_meant(tmp_path: Path) -> None:
    root = tmp_path / "photos"
    for name in ("cats/a.png", "cats\\a.png", "dogs/b.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels(1, 8)[0]).save(root / name)
    file = tmp_path / "labels.csv"
    file.write_text("file,class\ncats/a.png,x\ncats\\a.png,y\n.\\dogs\\b.png,z\n")
    assert dict(folder(root, labels=file).class_of) == {
        "cats/a.png": "x",
        "cats\\a.png": "y",
        "dogs/b.png": "z",
    }
