"""``images[i]``, loops over images, and ``images.torch()`` in a ``DataLoader``."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

import unlearnable as un
from conftest import pixels
from unlearnable.data.image_set import ImageSet
from unlearnable.training.compute import Compute

LABELS = ["b", "a", "c", "a"] * 6


def levels(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image))


@pytest.fixture
def given() -> ImageSet:
    return un.load(pixels(), LABELS)


def test_items_are_photos_and_labels(given: ImageSet) -> None:
    photo, label = given[2]
    assert np.array_equal(photo.pixels, pixels()[2])
    assert (given.classes[label], len(given)) == ("c", 24)
    assert given[-1][1] == given[23][1] == given[np.int64(23)][1]
    assert given[2:5].ids == given.ids[2:5]
    assert [label for _, label in given] == given.labels.tolist()
    for wrong in (24, -25):
        with pytest.raises(IndexError):
            given[wrong]
    with pytest.raises(TypeError):
        given["img00"]  # type: ignore[call-overload]


def test_protected_images_go_into_a_loader_in_their_order(given: ImageSet) -> None:
    noise = un.fit(given, un.Random(form="samplewise"), seed=0, compute=Compute.choose("cpu")).noise
    protected = given.with_noise(noise)
    items = protected.torch(transform=levels)
    assert (items.classes, items.targets) == (["a", "b", "c"], given.labels.tolist())
    batches = list(DataLoader(items, batch_size=5))
    found = torch.cat([batch for batch, _ in batches]).numpy()
    assert np.array_equal(found, protected.view(16).pixels.transpose(0, 2, 3, 1))
    assert torch.cat([labels for _, labels in batches]).tolist() == given.labels.tolist()
    assert 0 < np.abs(found.astype(int) - pixels()).max() <= 8


def test_photos_have_their_own_size_and_are_read_when_asked_for(photos: Path) -> None:
    images = un.load(photos)
    items = images.torch()
    (photos / "dogs" / "p0.png").write_bytes(b"damaged, and not asked for")
    first, label = items[0]
    assert (first.mode, first.size[::-1], label) == ("RGB", images.photo(images.ids[0]).size, 0)
    assert items[images.ids.index("cats/grey.png")][0].mode == "RGB"
    with pytest.raises(un.UnlearnableError):
        items[images.ids.index("dogs/p0.png")]


def sources(photos: Path) -> dict[str, Any]:
    array = un.load(pixels(6, 8), ["a", "b"] * 3)
    noise = un.fit(array, un.Random(form="classwise"), seed=0, compute=Compute.choose("cpu")).noise
    return {
        "folder": un.load(photos)[:4],
        "arrays": array,
        "with noise": array.with_noise(noise),
        "with context": array.join(un.load(pixels(2, 8, seed=4), ["x", "y"])),
        "data set": un.load([(image, 0) for image in pixels(3, 8)]),
    }


@pytest.mark.parametrize("kind", ["folder", "arrays", "with noise", "with context", "data set"])
def test_worker_processes_get_the_same_images_by_pickle(photos: Path, kind: str) -> None:
    items = sources(photos)[kind].torch(levels)
    copied = pickle.loads(pickle.dumps(items))
    assert len(copied) == len(items)
    for (one, label), (other, same) in zip(items, copied, strict=True):
        assert torch.equal(one, other)
        assert label == same
