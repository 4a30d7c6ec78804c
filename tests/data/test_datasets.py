"""Data sets of other libraries, told by what they offer; the real ones where they are installed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils import data as torch_data

import unlearnable as un
from conftest import pixels
from unlearnable.errors import DataError, UnlearnableError, UsageError

CONTENT = pixels(6, 8)
PICTURES = [Image.fromarray(image) for image in CONTENT]
NAMES = ["zebra", "ant", "bee"]


class ImageFeature:
    """As in ``datasets``: features are told by the names of their types."""


ImageFeature.__name__ = "Image"


class ClassLabel:
    def __init__(self, names: list[str]) -> None:
        self.names = names


class Rows:
    """A Hugging Face ``Dataset`` as far as anything here looks at it."""

    def __init__(self, features: dict[str, Any], **columns: list[Any]) -> None:
        self.features, self.columns = features, columns
        self.column_names = list(columns)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {name: values[index] for name, values in self.columns.items()}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[index] for index in range(len(self)))


def rows(img: list[Any] = PICTURES) -> Rows:
    features = {"img": ImageFeature(), "fine_label": ClassLabel(NAMES), "note": None}
    return Rows(features, img=img, fine_label=[0, 1, 2] * 2, note=list("uvwxyz"))


class Pairs(torch_data.Dataset):
    classes = NAMES

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        return PICTURES[index], index % 3


class Stream(torch_data.IterableDataset):
    def __iter__(self) -> Iterator[tuple[Image.Image, int]]:
        return ((PICTURES[index], index % 3) for index in range(6))


class CountedStream(Stream):
    def __len__(self) -> int:
        return 6


def encoded(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


NAMED = {
    "Hugging Face": rows,
    "a data set of torch": Pairs,
    "encoded images": lambda: rows(img=[encoded(one) for one in PICTURES]),
    "undecoded images": lambda: rows(img=[{"bytes": encoded(one), "path": None} for one in PICTURES]),
    "a whole subset": lambda: torch_data.Subset(Pairs(), range(6)),
    "joined parts": lambda: torch_data.ConcatDataset(
        [torch_data.Subset(Pairs(), range(2)), torch_data.Subset(Pairs(), range(2, 6))]
    ),
    "names instead of numbers": lambda: [(PICTURES[index], NAMES[index % 3]) for index in range(6)],
    "rows with names": lambda: [{"image": PICTURES[index], "label": NAMES[index % 3]} for index in range(6)],
}
NUMBERED = {
    "a stream of torch": Stream,
    "a stream that knows its length": CountedStream,
    "a generator": lambda: iter(Stream()),
    "lists": lambda: [[PICTURES[index], index % 3] for index in range(6)],
    "a web data set": lambda: (
        {"__key__": f"{index}", "jpg": PICTURES[index], "cls": index % 3} for index in range(6)
    ),
    "tensors": lambda: torch_data.TensorDataset(
        torch.from_numpy(CONTENT).permute(0, 3, 1, 2) / 255, torch.arange(6) % 3
    ),
}


@pytest.mark.parametrize("kind", [*NAMED, *NUMBERED])
def test_usual_data_sets_are_read_in_their_order(kind: str) -> None:
    images = un.load({**NAMED, **NUMBERED}[kind]())
    names = NAMES if kind in NAMED else ["0000", "0001", "0002"]
    assert images.ids == tuple(f"{index:05d}" for index in range(6))
    assert [images.class_of[id] for id in images.ids] == names * 2
    assert np.array_equal([photo.pixels for photo, _ in images], CONTENT)


def test_a_subset_has_the_names_of_its_data_set_and_its_own_order() -> None:
    images = un.load(torch_data.Subset(Pairs(), [4, 0]))
    assert [images.class_of[id] for id in images.ids] == ["ant", "zebra"]
    assert np.array_equal(images[0][0].pixels, CONTENT[4])


def test_tuples_of_synonyms_become_names() -> None:
    class ImageNet(Pairs):
        classes = [("tench", "Tinca tinca"), ("goldfish",), ("white shark",)]  # type: ignore[assignment]  # noqa: RUF012

    assert un.load(ImageNet()).classes == ("goldfish", "tench, Tinca tinca", "white shark")


def test_columns_can_be_named() -> None:
    more = Rows({"a": None, "b": None}, a=PICTURES, b=list("uvwxyz"))
    assert un.load(more, image="a", label="b").classes == tuple("uvwxyz")
    coarse = Rows(
        {"img": ImageFeature(), "fine_label": ClassLabel(NAMES), "coarse_label": ClassLabel(["x", "y"])},
        img=PICTURES,
        coarse_label=[0, 1] * 3,
        fine_label=[0, 1, 2] * 2,
    )
    assert un.load(coarse).classes == tuple(sorted(NAMES))
    assert un.load(coarse, label="coarse_label").classes == ("x", "y")
    assert un.load(rows(), classes=["p", "q", "r"]).classes == ("p", "q", "r")


class Table:
    iloc, columns = None, ["image", "label"]


REFUSED = [
    (lambda: torch_data.DataLoader(Pairs()), UsageError, "batches", "loader.dataset"),
    (
        lambda: {"train": rows(), "test": rows()},
        UsageError,
        "several data sets: train, test",
        "data['train']",
    ),
    (lambda: {"image": CONTENT, "label": [0] * 6}, UsageError, "keys image, label", "data['image']"),
    (Table, UsageError, "A table", "table['label']"),
    (lambda: None, UsageError, "None is not a source", "(images, labels)"),
    (lambda: 3, UsageError, "3 is not a source", "(images, labels)"),
    (object, UsageError, "is not a source", "(images, labels)"),
    (list, DataError, "holds no image", "(images, labels)"),
    (lambda: CONTENT, DataError, "without labels", "load(images, labels)"),
    (lambda: PICTURES[0], UsageError, "is not a source", "(images, labels)"),
    (lambda: PICTURES, DataError, "Item 0 is of type Image", "(image, label)"),
    (lambda: [(PICTURES[0], 0, "more")], DataError, "Item 0 has 3 values", "(image, label)"),
    (lambda: [(PICTURES[0], 0), (PICTURES[1], None)], DataError, "The label of item 1 is None", "leave"),
    (lambda: [(PICTURES[0], -1)], DataError, "The label of item 0 is -1", "leave the image out"),
    (lambda: [("a.jpg", 0)], DataError, "The image of item 0 is 'a.jpg'", "Pillow images"),
    (lambda: rows(img=[{"bytes": None, "path": "a.jpg"}] * 6), DataError, "is only the path", "cast_column"),
    (lambda: [(CONTENT.astype(np.uint16)[0], 0)], DataError, "type uint16", "/ 257"),
    (lambda: [(CONTENT, 0)], DataError, "has the shape (6, 8, 8, 3)", "(H, W, 3)"),
    (lambda: [(np.full((8, 8), np.nan), 0)], DataError, "NaN", "floats in [0, 1]"),
    (lambda: [{"a": PICTURES[0], "label": 0}], UsageError, "which column holds the images", "image='a'"),
    (lambda: [{"image": PICTURES[0]}], UsageError, "which column holds the labels", "with labels"),
]


@pytest.mark.parametrize(
    ("source", "kind", "problem", "remedy"), REFUSED, ids=[problem for _, _, problem, _ in REFUSED]
)
def test_what_is_no_data_set_is_refused_with_a_remedy(
    source: Any, kind: type[UnlearnableError], problem: str, remedy: str
) -> None:
    with pytest.raises(kind) as caught:
        un.load(source())
    assert problem in caught.value.problem
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    ("name", "problem", "remedy"),
    [
        (
            "cifar-10",
            "no data set 'cifar-10'",
            "Did you mean 'cifar10'? There are: digits, cifar10, cifar100",
        ),
        ("Fashion_MNIST", "no data set 'Fashion_MNIST'", "Did you mean 'fashion-mnist'?"),
        ("digit", "no data set 'digit'", "Did you mean 'digits'?"),
        ("holiday", "no folder and no data set 'holiday'", "There are: digits, cifar10"),
        ("digits:test", "no part 'test'", "split"),
        ("cifar10:val", "with a part 'val'", "train and test"),
        ("s3://bucket/photos", "s3://bucket/photos is an address", "Copy its photos"),
        ("hf://datasets/x", "hf://datasets/x is an address", "Copy its photos"),
        ("./holiday", "holiday is not a folder", "sub-folder"),
    ],
)
def test_unknown_names_are_answered_with_the_known_ones(name: str, problem: str, remedy: str) -> None:
    with pytest.raises(UnlearnableError) as caught:
        un.load(name)
    assert problem in caught.value.problem
    assert remedy in caught.value.remedy


def test_an_archive_is_told_from_a_folder(tmp_path: Path) -> None:
    (tmp_path / "photos.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match="is a file, not a folder") as caught:
        un.load(tmp_path / "photos.zip")
    assert "unpack" in caught.value.remedy


def test_arguments_that_would_be_ignored_are_refused(photos: Path) -> None:
    for source, options in (
        (photos, {"label": "label"}),
        (photos, {"labels": ["a"] * 18}),
        ("digits", {"labels": [0]}),
        (un.load(photos), {"classes": ["a"]}),
        (Pairs(), {"image": "img"}),
        (Pairs(), {"download": True}),
        ((CONTENT, [0] * 6), {"label": "label"}),
    ):
        with pytest.raises(UsageError):
            un.load(source, **options)


@pytest.mark.parametrize("mode", ["P", "CMYK", "YCbCr", "HSV", "LA", "1", "RGBA", "L"])
def test_pillow_images_of_every_mode_look_as_they_do(mode: str) -> None:
    image = PICTURES[0].quantize(16) if mode == "P" else PICTURES[0].convert(mode)
    found = un.load([(image, 0), (PICTURES[1], 1)])[0][0].rgb()
    assert np.abs(found.astype(int) - np.asarray(image.convert("RGB"))).max() <= 1


@pytest.mark.parametrize("mode", ["F", "I"])
def test_pillow_images_without_8_bits_are_refused_by_position(mode: str) -> None:
    with pytest.raises(DataError, match=f"The image of item 1: .*mode {mode}"):
        un.load([(PICTURES[0], 0), (PICTURES[1].convert(mode), 1)])


def test_a_hugging_face_data_set() -> None:
    hf = pytest.importorskip("datasets")
    features = hf.Features({"picture": hf.Image(), "species": hf.ClassLabel(names=NAMES)})
    found = hf.Dataset.from_dict({"picture": PICTURES, "species": [0, 1, 2] * 2}, features=features)
    for form in (found, found.to_iterable_dataset(), found.with_format("torch")):
        images = un.load(form)
        assert [images.class_of[id] for id in images.ids] == NAMES * 2
        assert np.array_equal([photo.pixels for photo, _ in images], CONTENT)
    with pytest.raises(UsageError, match="several data sets: train"):
        un.load(hf.DatasetDict(train=found))
    with pytest.raises(UsageError, match="several data sets: train"):
        un.load(hf.IterableDatasetDict(train=found.to_iterable_dataset()))
