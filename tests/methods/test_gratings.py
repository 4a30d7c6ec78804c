"""Gratings: the wave of a class, the phases of its patterns, and what is left of them in published files."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from conftest import pixels
from unlearnable import methods
from unlearnable.data.arrays import arrays
from unlearnable.data.image_set import ImageSet
from unlearnable.errors import DataError, UsageError
from unlearnable.methods import Context


def named(classes: int, per_class: int = 1, side: int = 224) -> ImageSet:
    """Images of ``classes`` classes, whose values allow every change of 8 levels."""
    count = classes * per_class
    return arrays(
        (60 + pixels(count, side) % 130).astype(np.uint8),
        [f"c{i % classes:03d}" for i in range(count)],
        ids=[f"i{i:04d}" for i in range(count)],
    )


def fit(images: ImageSet, seed: int = 0, **settings: object) -> methods.Fitted:
    method = methods.create("gratings", settings).resolve(images.frame, len(images))
    return method.fit(images.view(int(method.config.resolution)), Context(seed))


def peaks(pattern: np.ndarray) -> tuple[float, float]:
    """The strongest (vertical, horizontal) frequency of a pattern, from NumPy's transform of a padded one."""
    side = 8 * len(pattern)
    spectrum = np.abs(np.fft.fft2(pattern, (side, side)))[: side // 2, : side // 2]
    down, across = np.unravel_index(spectrum.argmax(), spectrum.shape)
    return down / 8, across / 8


def test_ten_classes_have_five_orientations_of_two_waves() -> None:
    angles = np.linspace(0, np.pi / 2, 5)
    wanted = np.array([(w * np.sin(angle), w * np.cos(angle)) for w in (5, 12) for angle in angles])
    orders = []
    for seed in (0, 1):
        found = np.array([peaks(row[0].astype(float)) for row in fit(named(10), seed=seed).noise.bank[::8]])
        apart = np.abs(found[:, None] - wanted).max(2)
        assert apart.min(1).max() < 0.3
        orders.append(apart.argmin(1).tolist())
    assert [sorted(order) for order in orders] == [list(range(10))] * 2
    # the seed decides which class has which
    assert orders[0] != orders[1]


def test_green_is_the_negative_of_red_and_blue_and_most_of_it_fills_the_budget() -> None:
    bank = fit(named(10)).noise.bank.astype(int)
    assert np.array_equal(bank[:, 0], -bank[:, 1])
    assert np.array_equal(bank[:, 0], bank[:, 2])
    assert np.abs(bank).max() == 8
    assert 4.5 < np.abs(bank).mean() < 6.5
    grey = fit(named(10), colour="luminance").noise.bank
    assert (grey == grey[:, :1]).all()


def test_every_second_pattern_of_a_class_is_a_negative_so_their_mean_is_nothing() -> None:
    images = named(4, 200)
    noise = fit(images).noise
    bank = noise.bank.astype(int).reshape(4, 8, 3, 64, 64)
    assert np.array_equal(bank[:, 0::2], -bank[:, 1::2])
    assert len({one.tobytes() for one in bank.reshape(32, -1)}) == 32
    # and images get each of them about as often
    rows = np.bincount([noise.row(id, images.class_of[id]) for id in images.ids], minlength=32)
    assert rows.min() >= 10


def test_sample_wise_every_image_has_its_own_phases_of_the_wave_of_its_class() -> None:
    images = named(2, 20)
    noise = fit(images, form="samplewise").noise
    assert len({row.tobytes() for row in noise.bank}) == 40
    for name in images.classes:
        mine = [noise.bank[noise.row(id, name)][0] for id in images.ids if images.class_of[id] == name]
        assert np.allclose([peaks(one.astype(float)) for one in mine], peaks(mine[0].astype(float)), atol=1)


@pytest.mark.parametrize("form", ["classwise", "samplewise"])
def test_a_later_class_takes_a_free_wave_and_the_others_stay(form: str) -> None:
    images, more = named(3, 2), named(5, 2)
    fitted = fit(images, form=form)
    method = methods.create("gratings", {"form": form}).resolve(images.frame, 6)
    later = method.extend(fitted, more.view(64), Context(0))
    whole = fit(more, form=form).noise
    keys = later.keys if form == "classwise" else more.ids
    for key in keys:
        assert np.array_equal(later.bank[later.keys.index(key)], whole.bank[whole.keys.index(key)])


def test_no_two_classes_share_waves_while_there_are_others() -> None:
    method = methods.create("gratings").resolve((224, 224), 1)
    names = tuple(f"c{i:03d}" for i in range(60))
    used = [motif.numpy().tobytes() for motif in method.motifs(names, Context(1)).values()]
    assert len(set(used[:55])) == 55
    assert used[55:] == used[:5]
    # each of them is recognised, so that a later class takes a free one
    motifs = method.listed(55, Context(1))
    for number, motif in enumerate(motifs):
        row = method.patterns(motif, (f"c{number:03d}\0" + "3",), Context(1))[0].round()
        assert method.matching(row, motifs) == number


def test_noise_of_other_waves_is_not_extended() -> None:
    images = named(2)
    fitted = fit(images, coarse=3.0, fine=8.0)
    method = methods.create("gratings").resolve(images.frame, 2)
    with pytest.raises(DataError, match="not what this version of gratings computes"):
        method.extend(fitted, images.view(64), Context(0))


def test_strong_jpeg_and_half_size_leave_most_of_it_and_grey_a_sixth() -> None:
    base = 128 + 30 * np.sin(np.linspace(0, 9, 224))[:, None, None] * np.ones((224, 224, 3))
    images = arrays(np.repeat(base.astype(np.uint8)[None], 10, 0), [f"c{i}" for i in range(10)])
    protected = images.with_noise(fit(images).noise)

    def jpeg(x: np.ndarray) -> np.ndarray:
        file = io.BytesIO()
        Image.fromarray(x).save(file, "JPEG", quality=30)
        return np.asarray(Image.open(file))

    def half(x: np.ndarray) -> np.ndarray:
        image = Image.fromarray(x)
        return np.asarray(image.resize((112, 112)).resize((224, 224)))

    def grey(x: np.ndarray) -> np.ndarray:
        return np.asarray(Image.fromarray(x).convert("L").convert("RGB"))

    for treat, low, high in ((jpeg, 0.6, 1.2), (half, 0.8, 1.05), (grey, -0.2, 0.0)):
        for id in images.ids:
            clean, noisy = images.photo(id).pixels, protected.photo(id).pixels
            noise = noisy.astype(float) - clean
            left = treat(noisy).astype(float) - treat(clean)
            share = (noise * left).sum() / np.square(noise).sum()
            assert low <= share <= high, (treat.__name__, id, share)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"coarse": 12.0, "fine": 5.0}, "more than coarse"),
        ({"fine": 40.0}, "cells a side"),
        ({"grid": 16}, "cells a side"),
        ({"coarse": 20.0}, "more than coarse"),
    ],
)
def test_waves_that_do_not_fit_are_refused(settings: dict[str, object], word: str) -> None:
    with pytest.raises(UsageError, match=word):
        fit(named(2), **settings)


def test_small_images_have_fewer_waves() -> None:
    found = methods.create("gratings").resolve((32, 32), 10).config
    assert (found.coarse, found.fine, found.grid) == (2.0, 5.0, 32)
