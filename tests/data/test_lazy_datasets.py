"""Data sets that are read when their photos are needed, and streams that are read once."""

from __future__ import annotations

import io
import os
import pickle
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms
from torch.utils import data as torch_data

import unlearnable as un
from conftest import pixels
from unlearnable.data import spool
from unlearnable.errors import DataError

CONTENT = pixels(6, 8)
NAMES = ["zebra", "ant", "bee"]


class Counted(torch_data.Dataset):
    """Counts how often each item is read; it lists its labels if ``targets`` is given."""

    classes = NAMES

    def __init__(self, targets: list[int] | None = None, count: int = 6) -> None:
        self.count, self.read = count, [0] * count
        if targets is not None:
            self.targets = targets

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        self.read[index] += 1
        return Image.fromarray(CONTENT[index % 6]), index % 3


def test_labels_that_are_listed_need_no_photo() -> None:
    data = Counted([index % 3 for index in range(60)], 60)
    images = un.load(data)
    assert sum(read > 0 for read in data.read) == 3, "the first, the middle and the last item"
    assert [images.class_of[id] for id in images.ids] == NAMES * 20
    assert np.array_equal(images[7][0].pixels, CONTENT[1])
    assert data.read[7] == 1
    assert data.read[8] == 0


def test_without_a_list_one_pass_finds_labels_and_facts() -> None:
    data = Counted()
    images = un.load(data)
    assert [images.class_of[id] for id in images.ids] == NAMES * 2
    assert images.checked
    assert images.frame == (8, 8)
    before = list(data.read)
    assert images.readable() is not None
    assert data.read == before, "nothing has to be found out again"
    images.view(8)
    assert data.read == [read + 1 for read in before]


def test_photos_are_not_held_in_memory() -> None:
    """Two hundred photos of a megabyte each are searched, and few are alive at a time."""
    alive: set[int] = set()
    most = [0]

    class Large(np.ndarray):
        def __del__(self) -> None:
            alive.discard(id(self))

    class Photos:
        def __len__(self) -> int:
            return 60

        def __getitem__(self, index: int) -> tuple[Any, int]:
            array = np.full((600, 600, 3), index, np.uint8).view(Large)
            alive.add(id(array))
            most[0] = max(most[0], len(alive))
            return array, index % 2

    images = un.load(Photos())
    images.view(8)
    assert most[0] < 15


@pytest.mark.parametrize("where", [0, 4])
def test_a_list_that_does_not_agree_with_the_items_is_not_believed(where: int) -> None:
    targets = [index % 3 for index in range(6)]
    targets[where] = 2 if targets[where] != 2 else 1
    images = un.load(Counted(targets))
    if where == 0:
        assert [images.class_of[id] for id in images.ids] == NAMES * 2
        return
    with pytest.raises(DataError, match="label of item 4 is 1 when the item is read, and 2 in the list"):
        images.photo("00004")


def test_subsets_and_joined_data_sets_list_their_labels_too() -> None:
    data = Counted([index % 3 for index in range(60)], 60)
    parts = torch_data.ConcatDataset(
        [torch_data.Subset(data, range(40, 60)), torch_data.Subset(data, range(20))]
    )
    images = un.load(parts)
    assert sum(data.read) < 10
    expected = [NAMES[index % 3] for index in (*range(40, 60), *range(20))]
    assert [images.class_of[id] for id in images.ids] == expected
    for position in (1, 25):
        original = (*range(40, 60), *range(20))[position]
        assert np.array_equal(images[position][0].pixels, CONTENT[original % 6])


class Broken(Counted):
    """Cannot read one of its items."""

    def __init__(self, where: int, error: Exception, targets: list[int] | None = None) -> None:
        super().__init__(targets)
        self.where, self.error = where, error

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        if index == self.where:
            raise self.error
        return super().__getitem__(index)


@pytest.mark.parametrize("listed", [True, False], ids=["labels listed", "labels not listed"])
@pytest.mark.parametrize("where", [0, 2, 5])
def test_an_item_that_cannot_be_read_is_named(where: int, listed: bool) -> None:
    for error in (RuntimeError("no disk"), KeyError("no disk"), TypeError("no disk"), IndexError("no disk")):
        data = Broken(where, error, [0, 1, 2] * 2 if listed else None)
        with pytest.raises(
            DataError, match=f"^Item {where} cannot be read: .*{type(error).__name__}"
        ) as caught:
            un.load(data).view(4)
        assert "no disk" in caught.value.problem
        assert caught.value.__cause__ is error


def test_a_stream_that_ends_with_an_error_names_the_item() -> None:
    def stream() -> Iterator[tuple[np.ndarray, int]]:
        yield CONTENT[0], 0
        raise ConnectionError("no network")

    with pytest.raises(DataError, match=r"^Item 1 cannot be read: .*ConnectionError \(no network\)"):
        un.load(stream())


def test_a_list_of_labels_that_cannot_be_read_is_an_error() -> None:
    class Unlisted(Counted):
        @property
        def targets(self) -> list[int]:
            raise OSError("no list")

    with pytest.raises(DataError, match=r"list of labels .* OSError \(no list\)"):
        un.load(Unlisted())


def test_augmentation_is_noticed() -> None:
    draws = random.Random(0)

    class Cropped(Counted):
        def __getitem__(self, index: int) -> tuple[Image.Image, int]:
            image, label = super().__getitem__(index)
            left = draws.randrange(4)
            return image.crop((left, 0, left + 4, 4)), label

    images = un.load(Cropped())
    # with the seed above, at least one of six crops differs
    with pytest.raises(DataError, match="is another one each time it is read") as caught:
        images.view(4)
    assert "augmentation" in caught.value.remedy


def test_a_copy_for_a_worker_process_reads_the_same() -> None:
    images = un.load(Counted([index % 3 for index in range(6)]))
    copy = pickle.loads(pickle.dumps(images))
    assert np.array_equal(copy[5][0].pixels, CONTENT[5])


def encoded(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "png")
    return file.getvalue()


class Stream(torch_data.IterableDataset):
    """A stream of pixels and of files by turns, with the number of items that were read."""

    def __init__(self) -> None:
        self.read = 0

    def __iter__(self) -> Iterator[tuple[Any, int]]:
        for index in range(6):
            self.read += 1
            yield (Image.fromarray(CONTENT[index]) if index % 2 else encoded(CONTENT[index])), index % 3


@pytest.mark.parametrize("room", [0, 500, 1 << 30])
def test_a_stream_is_read_once_and_its_photos_are_on_disk_where_memory_ends(
    room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "MAX_IN_MEMORY", room)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    data = Stream()
    images = un.load(data)
    files = list(tmp_path.iterdir())
    assert len(files) == (room < 1 << 30)
    if files and os.name == "posix":
        assert files[0].stat().st_mode & 0o777 == 0o600
    for _ in range(2):
        assert np.array_equal([photo.pixels for photo, _ in images], CONTENT)
    assert np.array_equal(images.view(8).pixels.transpose(0, 2, 3, 1), CONTENT)
    assert data.read == 6
    assert images.checked
    copy = pickle.loads(pickle.dumps(images))
    assert np.array_equal([photo.pixels for photo, _ in copy], CONTENT)
    del copy
    assert list(tmp_path.iterdir()) == files, "a copy does not remove the file of the original"
    del images
    assert list(tmp_path.iterdir()) == []


def test_everything_about_a_photo_survives_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    grey = Image.fromarray(CONTENT[0]).convert("L")
    see_through = Image.fromarray(CONTENT[1]).convert("RGBA")
    see_through.putalpha(100)
    see_through.info["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    ink = Image.fromarray(CONTENT[2]).convert("CMYK")
    items = [(grey, "a"), (see_through, "b"), (ink, "a")]
    held = un.load(iter(items))
    monkeypatch.setattr(spool, "MAX_IN_MEMORY", 0)
    found = un.load(iter(items))
    for (one, _), (other, _) in zip(held, found, strict=True):
        assert np.array_equal(one.pixels, other.pixels)
        assert (one.profile, one.notes) == (other.profile, other.notes)
    assert [held.about(id) for id in held.ids] == [found.about(id) for id in found.ids]
    assert found[1][0].profile
    assert found[2][0].notes


def test_a_full_disk_is_an_error_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "MAX_IN_MEMORY", 0)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(spool.Spool, "_append", full)
    with pytest.raises(DataError, match="no room for item 0") as caught:
        un.load(iter([(Image.fromarray(CONTENT[0]), "a")]))
    assert "TMPDIR" in caught.value.remedy


def test_samples_of_webdataset_need_no_decoding() -> None:
    """Files as they are in the tar file, of one format and another, with the class as text."""
    jpeg = io.BytesIO()
    Image.fromarray(CONTENT[0]).save(jpeg, "jpeg")
    rows = [
        {"__key__": "a", "jpg": jpeg.getvalue(), "cls": b"zebra\n"},
        {"__key__": "b", "png": encoded(CONTENT[1]), "cls": b"ant"},
        {"__key__": "c", "png": encoded(CONTENT[2]), "cls": b"zebra"},
    ]
    images = un.load(iter(rows))
    assert [images.class_of[id] for id in images.ids] == ["zebra", "ant", "zebra"]
    assert np.array_equal(images[1][0].pixels, CONTENT[1])


@pytest.mark.parametrize("listed", [True, False])
def test_a_search_reads_each_photo_twice(listed: bool) -> None:
    """Once for its size, or its label, and once for its square: whatever is learned of it is remembered."""
    data = Counted([index % 3 for index in range(60)] if listed else None, 60)
    un.fit(un.load(data), "random", seed=1, compute="cpu")
    assert sorted(set(data.read)) == [2, 3, 4][: 3 if listed else 2], "the first ones also to look at them"
    assert sum(data.read) < 2.2 * 60


def test_fit_finds_the_same_noise_for_a_lazy_data_set(monkeypatch: pytest.MonkeyPatch) -> None:
    method = un.Random(form="samplewise")
    held = un.load((CONTENT, [NAMES[index % 3] for index in range(6)]))
    lazy = un.load(Counted([index % 3 for index in range(6)]))
    stream = un.load(Stream(), classes=NAMES)
    banks = [un.fit(images, method, seed=3, compute="cpu").noise for images in (lazy, stream)]
    assert np.array_equal(banks[0].bank, banks[1].bank)
    protected = lazy.with_noise(banks[0])
    for photo, before in zip(protected, CONTENT, strict=True):
        assert 4 < abs(photo[0].pixels.astype(int) - before).max() <= 8
    assert held.frame == lazy.frame


def hugging_face(root: Path) -> Any:
    hf = pytest.importorskip("datasets")
    features = hf.Features(
        {
            "picture": hf.Image(),
            "species": hf.ClassLabel(names=NAMES),
            "mask": hf.Image(),
            "n": hf.Value("int64"),
        }
    )
    pictures = [Image.fromarray(image) for image in CONTENT]
    rows = {"picture": pictures, "species": [0, 1, 2] * 2, "mask": pictures[::-1], "n": list(range(6))}
    return hf.Dataset.from_dict(rows, features=features)


def test_a_hugging_face_data_set_decodes_a_photo_when_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = hugging_face(tmp_path)
    decoded = []
    image = type(data.features["picture"])
    decode = image.decode_example
    monkeypatch.setattr(
        image,
        "decode_example",
        lambda self, *more, **named: decoded.append(1) or decode(self, *more, **named),
    )
    images = un.load(data, image="picture")
    assert len(decoded) <= 6, "two columns of the first item, the first, the middle and the last photo"
    assert [images.class_of[id] for id in images.ids] == NAMES * 2
    assert np.array_equal([photo.pixels for photo, _ in images], CONTENT)


def test_other_forms_of_hugging_face_data_sets(tmp_path: Path) -> None:
    data = hugging_face(tmp_path)
    names = [NAMES[index % 3] for index in range(6)]
    for form in (
        data.to_iterable_dataset(),
        data.with_format("numpy"),
        data.with_format("torch"),
        data.with_transform(lambda rows: {"a": rows["picture"], "b": rows["species"]}),
    ):
        custom = "a" in next(iter(form))
        columns = {"image": "a", "label": "b"} if custom else {"image": "picture"}
        images = un.load(form, **columns, classes=NAMES if custom else None)
        assert [images.class_of[id] for id in images.ids] == names
        assert np.array_equal([photo.pixels for photo, _ in images], CONTENT)
    # the usual names of columns that a function of the user's own adds
    prepared = data.with_transform(lambda rows: {"pixel_values": rows["picture"], "label": rows["species"]})
    images = un.load(prepared, classes=NAMES)
    assert [images.class_of[id] for id in images.ids] == names
    some = data.select([4, 0]).shuffle(seed=0)
    assert np.array_equal(un.load(some, image="picture")[0][0].pixels, np.asarray(some[0]["picture"]))
    with torch.no_grad():
        loader = torch_data.DataLoader(un.load(data, image="picture").torch(np.array), num_workers=0)
        assert len(list(loader)) == 6
