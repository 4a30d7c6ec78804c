"""The order of a source is the order of everything made from it, and the noise does not depend on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import unlearnable as un
from conftest import pixels
from unlearnable.data.image_set import ImageSet
from unlearnable.exchange import export_set
from unlearnable.methods import Context
from unlearnable.noise import Noise
from unlearnable.training.compute import Compute

CPU = Compute.choose("cpu", "float32")
MANY = 100_101


def random_noise(images: ImageSet, form: str = "samplewise") -> Noise:
    return un.fit(images, un.Random(form=form), seed=3, compute=CPU).noise


@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from("abc")), min_size=2, max_size=24),
    st.integers(0, 99),
)
@settings(deadline=None, max_examples=30)
def test_views_items_and_exports_keep_the_order_of_arrays(entries: list[tuple[int, str]], share: int) -> None:
    """With duplicates of the same class and of others."""
    given_pixels = pixels(6, 4)[[content for content, _ in entries]]
    labels = [name for _, name in entries]
    images = un.load(given_pixels, labels)
    view = images.view(4)
    assert np.array_equal(view.pixels.transpose(0, 2, 3, 1), given_pixels)
    assert [view.classes[label] for label in view.labels] == labels
    assert view.ids == images.ids
    assert [images.classes[label] for _, label in images] == labels
    assert all(
        np.array_equal(photo.pixels, one) for (photo, _), one in zip(images, given_pixels, strict=True)
    )
    chosen = [id for position, id in enumerate(images.ids) if (position * 37 + share) % 3]
    assert not chosen or images.subset(set(chosen)).ids == tuple(chosen)
    joined = images.join(un.load(pixels(2, 4, seed=9), ["x", "y"]))
    assert joined.ids[: len(images)] == images.ids
    assert joined.own == images.ids


@given(st.permutations(range(12)))
@settings(deadline=None, max_examples=5)
def test_the_same_images_get_the_same_noise_in_any_order(order: list[int]) -> None:
    """Even twins of different classes: which of them is the first does not depend on the order."""
    contents = np.concatenate([pixels(8, 4), pixels(4, 4)])
    labels = np.array(["a", "b", "c", "d"] * 2 + ["b", "a", "d", "c"])
    before = un.load(contents, labels)
    after = un.load(contents[order], labels[order])
    assert dict(before.class_of) == dict(after.class_of)
    assert (before.stamp, before.view(4).fingerprint) == (after.stamp, after.view(4).fingerprint)
    first, second = random_noise(before), random_noise(after)
    assert first.keys == second.keys
    assert np.array_equal(first.bank, second.bank)
    protected = before.with_noise(first).view(4).pixels[order]
    assert np.array_equal(after.with_noise(second).view(4).pixels, protected)


def test_a_search_does_not_depend_on_the_order_either() -> None:
    method = un.ErrorMinimizing(
        form="samplewise", surrogate="cnn:width=8,depth=2", batch=8, train_batches=2, steps=1, max_rounds=2
    )
    order = np.random.default_rng(0).permutation(24)
    labels = np.array(["ant", "bee", "cat"] * 8)
    banks = [
        un.fit(un.load(contents, names), method, seed=1, compute=CPU).noise
        for contents, names in ((pixels(), labels), (pixels()[order], labels[order]))
    ]
    assert banks[0].keys == banks[1].keys
    assert np.array_equal(banks[0].bank, banks[1].bank)


class Lazy:
    """A data set of ``MANY`` images of one pixel, in an order that no sorting gives."""

    classes = tuple("zyxwvut")

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.pixels = rng.integers(0, 256, (MANY, 1, 1, 3), dtype=np.uint8)
        self.targets = rng.integers(0, len(self.classes), MANY)

    def __len__(self) -> int:
        return MANY

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return self.pixels[index], self.targets[index]


@pytest.fixture(scope="module")
def many() -> Lazy:
    return Lazy()


@pytest.mark.parametrize("kind", ["arrays", "data set"])
def test_more_than_99_999_items_keep_their_order(many: Lazy, kind: str) -> None:
    if kind == "arrays":
        images = un.load(many.pixels, many.targets, classes=many.classes)
    else:
        images = un.load(many)
        assert (images.ids[7], images.ids[-1]) == ("00007", "100100")
    wanted = np.array(many.classes)[many.targets]
    assert np.array_equal(np.array(images.classes)[images.labels], wanted)
    part = images[99_900:]
    view = part.view(1)
    assert np.array_equal(view.pixels[:, :, 0, 0], many.pixels[99_900:, 0, 0])
    assert np.array_equal(np.array(view.classes)[view.labels], wanted[99_900:])
    assert np.array_equal(images[100_000][0].pixels, many.pixels[100_000])


@given(st.lists(st.sampled_from("abc"), min_size=6, max_size=20), st.integers(0, 99))
@settings(deadline=None, max_examples=20)
def test_the_parts_of_a_split_keep_the_order(names: list[str], seed: int) -> None:
    # two of each, so that one can be held out
    images = un.load(pixels(2 * len(names), 4), names + names)
    for part in images.split(0.3, seed):
        assert list(part.ids) == [id for id in images.ids if id in set(part.ids)]


def test_exports_keep_the_order_and_match_by_position(tmp_path: Path) -> None:
    contents, labels = pixels(20, 8), [f"{name}" for name in "zyxwvutsrqponmlkjihg"]
    images = un.load(contents, labels)
    export_set(images, random_noise(images), tmp_path / "set.npz")
    with np.load(tmp_path / "set.npz") as written:
        assert [str(written["classes"][label]) for label in written["labels"]] == labels
        assert np.abs(written["images"].astype(int) - contents).max() <= 8


def test_a_view_in_the_order_of_ids_holds_the_same_rows() -> None:
    images = un.load(pixels(9, 4), list("cbacbacba")).join(un.load(pixels(2, 4, seed=9), ["x", "y"]))
    view, ordered = images.view(4), images.view(4).in_order_of_ids()
    assert list(ordered.ids) == sorted(view.ids)
    row = {id: position for position, id in enumerate(view.ids)}
    for position, id in enumerate(ordered.ids):
        assert np.array_equal(ordered.pixels[position], view.pixels[row[id]])
        assert ordered.labels[position] == view.labels[row[id]]
        assert ordered.own[position] == view.own[row[id]]
        assert ordered.digests[position] == view.digests[row[id]]
    assert ordered.fingerprint == view.fingerprint
    assert ordered.in_order_of_ids() is ordered


def test_folders_are_in_the_order_of_their_ids(tmp_path: Path) -> None:
    for name in ("b/10.png", "b/9.png", "B/z.png", "a/deep/x.png", "a/y.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels(1, 8)[0]).save(tmp_path / name)
    images = un.load(tmp_path)
    assert list(images.ids) == sorted(images.ids)
    context = un.open_photos(tmp_path).join(un.load(pixels(2, 8), ["x", "y"]))
    assert context.ids[:5] == images.ids


def test_images_that_come_later_get_the_same_noise_in_any_order() -> None:
    method = un.Random(form="samplewise")
    first = un.load(pixels(6, 8), ["a", "b"] * 3)
    fitted = un.fit(first, method, seed=1, compute=CPU)
    later = un.load(pixels(6, 8, seed=5), ["a", "b"] * 3)
    resolved = method.resolve(first.frame, len(first))
    made = [
        resolved.extend(fitted, images.view(8), Context(1, CPU))
        for images in (later, later.in_order_of_ids())
    ]
    rows = [dict(zip(noise.keys, noise.bank, strict=True)) for noise in made]
    assert all(np.array_equal(rows[0][id], rows[1][id]) for id in later.ids)
