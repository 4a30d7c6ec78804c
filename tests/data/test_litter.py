"""Files that operating systems, storage devices and photo tools leave behind are never photos."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from conftest import pixels
from unlearnable.data.folder import folder, splits
from unlearnable.data.litter import is_litter

LITTER = {
    "macOS": [".DS_Store", "._a.jpg", ".Spotlight-V100", ".TemporaryItems", "Icon\r", "Network Trash Folder"],
    "Windows": [
        "Thumbs.db",
        "EHTHUMBS.DB",
        "Desktop.ini",
        "$Recycle.Bin",
        "System Volume Information",
        "RECYCLER",
    ],
    "Windows' files": ["~$letter.docx", "FOUND.000", "thumbs.db:encryptable"],
    "Linux": ["lost+found", ".Trash-1000", ".nfs0000001", ".directory"],
    "Synology": ["@eaDir", "#recycle", "#snapshot", "a.jpg@SynoEAStream"],
    "QNAP": ["@Recycle", ".@__thumb", "@Recently-Snapshot"],
    "phones and cameras": [".nomedia", ".trashed-1700000000-a.jpg", "LOST.DIR"],
    "photo tools": [
        ".picasaoriginals",
        "Picasa.ini",
        "[Originals]",
        "CaptureOne",
        "Previews.lrdata",
        "NKSC_PARAM",
    ],
    "browsers": ["a.jpg.crdownload", "a.jpg.part", "a.jpg.download", "Unconfirmed 7.crdownload"],
    "downloads": ["a.jpg.!ut", "a.jpg.bc!", "a.jpg.fdmdownload", "a.jpg.xltd"],
    "replacing": ["a.jpg.sb-1a2b3c4d-A1b2C3", "a.jpg.ffs_tmp"],
    "synchronising": ["sync.ffs_db", "DfsrPrivate", "WS_FTP.LOG", "descript.ion"],
    "clouds": [".stversions", ".dropbox.cache", "a.jpg.!sync"],
    "this package": ["holiday.unlearnable"],
}


@pytest.mark.parametrize("name", [name for names in LITTER.values() for name in names])
def test_litter_is_known_in_any_case_and_composition(name: str) -> None:
    assert is_litter(name)
    assert is_litter(unicodedata.normalize("NFD", name))
    if name not in ("RECYCLER", "RECYCLED"):
        assert is_litter(name.upper())
        assert is_litter(name.lower())


@pytest.mark.parametrize(
    "name",
    [
        *(
            "misc",
            "Originals",
            "originals",
            "cache",
            "trash",
            "recycled",
            "Recycler",
            "temp",
            "thumbs",
            "backup",
        ),
        *(
            "thumbs.db.jpg",
            "$100 notes",
            "#1",
            "@home",
            "~wave",
            "part",
            "st. part",
            "v1.part",
            "found",
            "icon",
        ),
        *(
            "lost.dir.jpg",
            "desktop",
            "captureone photos",
            "a.jpg.bak",
            "recycle bin",
            "unlearnable",
            "…",
            "é",
        ),
    ],
)
def test_names_that_people_give_are_no_litter(name: str) -> None:
    assert not is_litter(name)


def put(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels(1, 12, seed)[0]).save(path, "PNG")
    return path


@pytest.mark.parametrize("vendor", LITTER)
def test_litter_is_neither_a_photo_nor_a_class_nor_listed(tmp_path: Path, vendor: str) -> None:
    """At every level, as folders with photos in them and as files that are photos by content."""
    put(tmp_path / "cats" / "a.png")
    for position, name in enumerate(LITTER[vendor]):
        put(tmp_path / name / "x" / "thumbnail.png", position)
        put(tmp_path / "cats" / name, position)
        put(tmp_path / "cats" / "deep" / name / "thumbnail.jpg", position)
    for options in ({}, {"class_name": "cats"}):
        images = folder(tmp_path, **options)
        assert (images.ids, dict(images.skipped), dict(images.others)) == (("cats/a.png",), {}, {})


def test_litter_beside_splits_and_labels_does_not_matter(tmp_path: Path) -> None:
    for name in (
        "train/a.png",
        "val/b.png",
        "@eaDir/train/a.png",
        "#recycle/b.png",
        "cats.unlearnable/c.png",
    ):
        put(tmp_path / name)
    assert splits(tmp_path) == ("train", "val")
    labels = tmp_path / "labels.csv"
    labels.write_text("file,class\ntrain/a.png,x\nval/b.png,y\n")
    images = folder(tmp_path, labels=labels)
    assert (images.ids, dict(images.skipped)) == (("train/a.png", "val/b.png"), {})
