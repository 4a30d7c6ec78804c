"""Photos are read once, the median of the own ones is their size, and squares made ahead are the same."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import pixels
from unlearnable.data.arrays import arrays
from unlearnable.data.folder import FolderSource, folder
from unlearnable.data.image_set import ImageSet, is_small
from unlearnable.errors import DataError


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file is decoded."""
    count: Counter[str] = Counter()
    load = FolderSource.load

    def counted(self: FolderSource, id: str) -> object:
        count[id] += 1
        return load(self, id)

    monkeypatch.setattr(FolderSource, "load", counted)
    return count


def test_a_photo_is_decoded_once_for_checking_and_viewing(photos: Path, loads: Counter[str]) -> None:
    (photos / "cats" / "bad.jpg").write_bytes(b"no image")
    images = folder(photos)
    assert images.frame == images.readable().frame
    loads.clear()
    checked = images.readable(side=48)
    view = checked.view(32, 1.5)
    assert set(loads.values()) == {1}
    assert set(checked.skipped) == {"cats/bad.jpg"}
    plain = folder(photos).readable().view(32, 1.5)
    assert view.ids == plain.ids == checked.ids
    assert np.array_equal(view.pixels, plain.pixels)
    assert np.array_equal(view.grey, plain.grey)
    assert (view.digests, view.frame, view.fingerprint) == (plain.digests, plain.frame, plain.fingerprint)
    assert len({checked.about(id).size for id in checked.ids}) > 4
    # once more to check the plain set and once more to view it; what is known of a photo is not read again
    assert {count for id, count in loads.items() if id in checked.ids} == {3}


def test_squares_made_ahead_serve_a_subset_and_nothing_else(photos: Path, loads: Counter[str]) -> None:
    images = folder(photos).readable(side=32)
    loads.clear()
    some = images.subset(images.ids[3:11:2])
    assert np.array_equal(some.view(32).pixels, folder(photos).subset(some.ids).view(32).pixels)
    assert loads == Counter(some.ids)  # only those of the second, plain set
    brighter = images.changed(lambda id, photo, digest: replace(photo, pixels=photo.pixels // 2))
    assert brighter.view(32).pixels.max() <= 127
    assert images.view(24).pixels.shape[-1] == 24
    relabelled = images.relabel(lambda id, name: "all")
    loads.clear()
    assert np.array_equal(relabelled.view(32).pixels, images.view(32).pixels)
    assert not loads


def test_the_first_photo_does_not_decide_how_large_the_photos_are(tmp_path: Path) -> None:
    for number in range(10):
        path = tmp_path / "ab"[number % 2] / f"photo{number}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels(1, 48, number)[0]).resize((400, 300)).save(path)
    Image.fromarray(pixels(1, 32)[0]).save(tmp_path / "a" / "aaa-icon.png")
    images = folder(tmp_path)
    assert images.ids[0] == "a/aaa-icon.png"
    assert images.frame == images.readable().frame == images.view(32).frame == (300, 400)
    assert not is_small(images.frame)


def test_the_size_in_the_header_is_that_of_the_upright_photo(tmp_path: Path) -> None:
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[274] = orientation
        path = tmp_path / "a" / f"{orientation}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (50, 30)).save(path, exif=exif)
    images = folder(tmp_path)
    for id in images.ids:
        assert images.source.size(id) == images.photo(id).size


def test_context_does_not_decide_how_large_the_photos_are() -> None:
    own = arrays(np.zeros((2, 90, 70, 3), np.uint8), ["a", "b"], ids=["1", "2"])
    others = arrays(np.zeros((9, 20, 20, 3), np.uint8), ["c"] * 9, ids=[str(i) for i in range(9)])
    joined = own.join(others)
    assert joined.frame == joined.view(16).frame == own.frame == (90, 70)


def test_ids_of_own_photos_and_of_context_never_meet() -> None:
    """A class of one's own may be called context."""
    shade = np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1) * np.ones((1, 8, 8, 3), np.uint8)
    own = arrays(shade[:3], ["context", "x", "x"], ids=["context/c/1", "x/1", "_context/1"])
    others = arrays(shade[3:], ["c", "c", "d"], ids=["c/1", "c/2", "d/1"])
    joined = own.join(others)
    assert len(joined) == 6
    assert set(joined.own) == set(own.ids)
    assert sorted(int(joined.photo(id).pixels[0, 0, 0]) for id in joined.ids) == list(range(6))
    for id in own.ids:
        assert np.array_equal(joined.photo(id).pixels, own.photo(id).pixels)


def test_nothing_readable_is_said(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").write_bytes(b"no image")
    images: ImageSet = folder(tmp_path)
    with pytest.raises(DataError, match="None of the 2 images can be read"):
        images.readable(side=16)
    with pytest.raises(DataError, match="No image can be read"):
        _ = images.frame
