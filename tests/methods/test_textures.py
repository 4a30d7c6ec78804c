"""Textures: which texture a class gets, its sign, its size in published files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.fft import idctn

import unlearnable as un
from conftest import pixels
from unlearnable import methods
from unlearnable.data.arrays import arrays
from unlearnable.data.decoding import decode
from unlearnable.data.encoding import Encoding, encode
from unlearnable.data.image_set import ImageSet
from unlearnable.errors import DataError, UsageError
from unlearnable.methods import Context
from unlearnable.methods.textures import HIGH, KINDS, LOW, MIDDLE


def named(classes: int, per_class: int = 1, side: int = 32) -> ImageSet:
    """Images of ``classes`` classes, whose values allow every change of 8 levels."""
    count = classes * per_class
    inside = 20 + pixels(count, side, seed=3) // 255 * 200 + pixels(count, side) % 16
    return arrays(
        inside.astype(np.uint8),
        [f"c{i % classes:03d}" for i in range(count)],
        ids=[f"i{i:04d}" for i in range(count)],
    )


def fit(images: ImageSet, seed: int = 0, **settings: object) -> methods.Fitted:
    method = methods.create("textures", settings).resolve(images.frame, len(images))
    return method.fit(images.view(int(method.config.resolution)), Context(seed))


def wave(u: int, v: int) -> np.ndarray:
    """The sign of the (u, v) function of the 8x8 DCT, from SciPy's inverse transform."""
    unit = np.zeros((8, 8))
    unit[u, v] = 1
    return np.sign(idctn(unit)).astype(int)


def test_ten_classes_have_the_ten_textures_of_their_kind_in_all_channels() -> None:
    for kind, pairs in (("middle", MIDDLE), ("low", LOW)):
        noise = fit(named(10), kind=kind).noise
        tiles = noise.bank.astype(int).reshape(20, 3, 2, 8, 2, 8)
        assert (tiles == tiles[:, :1, :1, :, :1]).all()  # equal channels, four times the same tile
        found = {tile.tobytes() for tile in tiles[:, 0, 0, :, 0]}
        assert found == {(8 * sign * wave(u, v)).tobytes() for u, v in pairs for sign in (1, -1)}
    assert len({*MIDDLE}) == len({*LOW}) == len({*HIGH}) == 10


def test_mixed_has_a_low_and_a_high_texture_on_alternate_tiles() -> None:
    bank = fit(named(10), kind="mixed").noise.bank.astype(int)[:, 0]
    low, high = bank[:, :8, :8], bank[:, :8, 8:]
    assert np.array_equal(bank, np.block([[low, high], [high, low]]))
    assert {abs_sign(tile) for tile in low} == {abs_sign(8 * wave(u, v)) for u, v in LOW}
    assert {abs_sign(tile) for tile in high} == {abs_sign(8 * wave(u, v)) for u, v in HIGH}


def abs_sign(tile: np.ndarray) -> bytes:
    """A tile up to its sign."""
    return (tile * np.sign(tile.flat[0])).astype(int).tobytes()


@pytest.mark.parametrize("form", ["classwise", "samplewise"])
def test_half_of_a_class_has_exactly_the_negative_of_the_other_half(form: str) -> None:
    images = named(2, 100)
    noise = fit(images, form=form).noise
    for name in images.classes:
        of = [noise.bank[noise.row(id, name)] for id in images.ids if images.class_of[id] == name]
        first = [np.array_equal(one, of[0]) for one in of]
        assert all(same or np.array_equal(one, -of[0]) for one, same in zip(of, first, strict=True))
        assert 35 <= sum(first) <= 65


def test_an_image_has_the_same_pattern_in_both_forms() -> None:
    images = named(3, 8)
    for settings in ({}, {"patterns_per_class": 1}):
        both = [fit(images, 4, form=form, **settings).noise for form in ("classwise", "samplewise")]
        for id in images.ids:
            one, other = (noise.bank[noise.row(id, images.class_of[id])] for noise in both)
            assert np.array_equal(one, other)


def test_one_pattern_per_class_has_no_negatives() -> None:
    bank = fit(named(10), patterns_per_class=1).noise.bank
    assert len(bank) == 10
    assert not any(np.array_equal(one, -other) for one in bank for other in bank)


@pytest.mark.parametrize(("kind", "most"), [("middle", 55), ("low", 55), ("mixed", 100)])
def test_no_two_classes_share_a_texture_while_there_are_others(kind: str, most: int) -> None:
    method = methods.create("textures", {"kind": kind}).resolve((32, 32), 1)
    names = tuple(f"c{i:03d}" for i in range(most + 7))
    motifs = method.motifs(names, Context(1))
    used = [motif.numpy().tobytes() for motif in motifs.values()]
    assert len(set(used[:most])) == most
    # then each is used again, the first ones first
    assert used[most:] == used[:7]


def test_a_pattern_of_one_tile_has_no_boards_and_shares_sooner() -> None:
    method = methods.create("textures", {"tile": 8}).resolve((32, 32), 1)
    motifs = method.motifs(tuple(f"c{i:02d}" for i in range(12)), Context(1))
    used = [motif.numpy().tobytes() for motif in motifs.values()]
    assert len(set(used[:10])) == 10
    assert used[10:] == used[:2]


def test_a_later_class_takes_the_lowest_free_texture_whatever_its_name() -> None:
    method = methods.create("textures").resolve((32, 32), 4)
    names, ctx = ("c1", "c2", "c3"), Context(2)
    order = list(method.motifs(tuple(f"x{i}" for i in range(10)), ctx).values())
    images = arrays(pixels(3, 32), list(names))
    fitted = method.fit(images.view(32), ctx)
    later = method.motifs(("a", "c2", "z"), ctx, fitted.noise)
    expected = {"a": order[3], "c2": order[1], "z": order[4]}
    assert all(np.array_equal(later[name], expected[name]) for name in later)


def test_noise_of_other_textures_is_not_extended() -> None:
    images = named(2)
    fitted = fit(images, kind="low")
    method = methods.create("textures", {"kind": "middle"}).resolve((32, 32), 2)
    with pytest.raises(DataError, match="not what this version of textures computes"):
        method.extend(fitted, images.view(32), Context(0))


@pytest.mark.parametrize(("side", "settings"), [(32, {}), (224, {}), (224, {"cell": 4}), (97, {"cell": 3})])
def test_published_pngs_have_one_value_in_three_channels(side: int, settings: dict[str, int]) -> None:
    images = named(4, 2, side)
    protected = images.with_noise(fit(images, **settings).noise)
    for id in images.ids:
        back = decode(encode(protected.photo(id), Encoding("png")), id)
        change = back.pixels.astype(int) - images.photo(id).pixels
        assert (change == change[..., :1]).all()
        assert (np.abs(change) == 8).all()


@pytest.mark.parametrize(("cell", "grid"), [(1, 224), (2, 112), (4, 56), (8, 28)])
def test_a_cell_is_as_large_in_the_published_photo_as_it_says(cell: int, grid: int) -> None:
    images = named(2, 1, 224)
    noise = fit(images, cell=cell).noise
    assert noise.grid == (grid, grid)
    id = images.ids[0]
    change = images.with_noise(noise).photo(id).pixels[..., 0].astype(int) - images.photo(id).pixels[..., 0]
    blocks = np.repeat(np.repeat(noise.pattern(noise.slot(id, images.class_of[id]))[0], cell, 0), cell, 1)
    assert np.array_equal(change, blocks[:224, :224])


def test_the_grid_follows_the_photos_and_a_contradiction_is_refused() -> None:
    def grid(frame: tuple[int, int], **settings: object) -> int:
        return methods.create("textures", settings).resolve(frame, 10).config.grid

    assert grid((32, 32)) == 32
    assert grid((28, 20)) == 28
    assert grid((375, 500)) == 28
    assert grid((375, 500), cell=4) == round((375 * 500) ** 0.5 / 4)
    assert grid((375, 500), grid=100) == 100
    with pytest.raises(UsageError, match="cell is 4"):
        grid((224, 224), cell=4, grid=64)
    # the settings that a run records can be resolved again
    resolved = methods.create("textures", {"cell": 4}).resolve((224, 224), 10)
    assert resolved.resolve((224, 224), 10).config == resolved.config


def test_protecting_takes_its_settings_from_the_command_line(tmp_path: Path) -> None:
    from PIL import Image

    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        Image.fromarray(pixels(1, 64)[0]).save(tmp_path / "photos" / name / "x.png")
    method = un.Textures(kind="mixed", cell=2)
    published = un.protect(tmp_path / "photos", tmp_path / "protected", method, seed=1, workers=1)
    assert published.fitted is not None
    assert published.fitted.noise.provenance["config"]["kind"] == "mixed"
    assert published.fitted.noise.grid == (32, 32)


def test_kinds_are_those_of_the_settings() -> None:
    for kind in KINDS:
        assert methods.create("textures", {"kind": kind}).config.kind == kind
    with pytest.raises(UsageError, match="kind"):
        methods.create("textures", {"kind": "high"})


def test_grey_photos_have_all_of_it() -> None:
    grey = arrays(np.full((2, 32, 32), 100, np.uint8), ["a", "b"])
    protected = grey.with_noise(fit(grey).noise)
    for id in grey.ids:
        assert (np.abs(protected.photo(id).pixels.astype(int) - 100) == 8).all()


@pytest.mark.parametrize(("kind", "quality", "least"), [("middle", 30, 0.6), ("low", 10, 0.5)])
def test_textures_survive_jpeg_where_random_noise_does_not(kind: str, quality: int, least: float) -> None:
    images = arrays(np.full((10, 64, 64, 3), 120, np.uint8), [f"c{i}" for i in range(10)])
    random = methods.create("random", {"form": "classwise"}).resolve(images.frame, 10)
    noises = {
        "textures": fit(images, kind=kind, cell=1).noise,
        "random": random.fit(images.view(64), Context(0)).noise,
    }
    left: dict[str, list[float]] = {name: [] for name in noises}
    for name, noise in noises.items():
        for id in images.ids:
            photo = images.with_noise(noise).photo(id)
            back = decode(encode(photo, Encoding("jpeg", quality)), id)
            share = noise.budget.share_left(images.photo(id).rgb(), photo.rgb(), back.rgb())
            left[name].append(share)
    assert np.mean(left["textures"]) > least
    assert np.mean(left["random"]) < 0.3 < least
