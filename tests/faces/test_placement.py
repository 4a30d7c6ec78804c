"""Noise of crops in a photo: at its place, within the budget at every pixel, and nowhere else."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from people import face_at, placed

from unlearnable.budget import Budget
from unlearnable.data.arrays import arrays
from unlearnable.faces.choosing import Found
from unlearnable.faces.crops import crop_id, crops
from unlearnable.faces.face import CROP, Alignment
from unlearnable.faces.face_list import FACES, Record, save
from unlearnable.faces.noise import FaceNoise, FaceSlot
from unlearnable.faces.placement import FEATHER, covered, on_photo
from unlearnable.noise import CHUNK_ROWS, Noise, Slot


def bank(rows: int = 1, grid: int = 40, epsilon: int = 8, seed: int = 0, whole: bool = True) -> np.ndarray:
    """Patterns of -epsilon and epsilon, or of all levels between."""
    rng = np.random.default_rng(seed)
    if whole:
        return (epsilon * rng.choice([-1, 1], (rows, 3, grid, grid))).astype(np.int8)
    return rng.integers(-epsilon, epsilon + 1, (rows, 3, grid, grid)).astype(np.int8)


def noise(patterns: np.ndarray, epsilon: int = 8, **more: object) -> Noise:
    names = tuple(f"person{row}" for row in range(len(patterns)))
    given: dict = {"form": "classwise", "budget": Budget(epsilon), "grid": patterns.shape[2:]}
    return Noise(bank=patterns, keys=names, **{**given, **more})


def on_faces(patterns: np.ndarray, places: list[Alignment | None], epsilon: int = 8, **more: object):
    """Noise, and a slot that gives a photo the patterns one after the other."""
    found = FaceNoise(noise(patterns, epsilon, **more), {})
    rows = [(Slot(index % len(patterns)), place) for index, place in enumerate(places)]
    return found, FaceSlot(tuple(rows))


def slow(pattern: np.ndarray, alignment: Alignment, height: int, width: int) -> np.ndarray:
    """The noise of a face by plain loops over pixels and points.

    A pixel that covers more than one point of the grid gets the mean over k x k points of it, at most 8 x 8;
    a point gets the four nearest values of the grid, and less in the last 6 of 112 pixels of the crop.
    """
    channels, rows, columns = pattern.shape
    k = min(8, max(1, math.ceil(alignment.scale * max(rows, columns))))
    total = np.zeros((channels, height, width))
    for y in range(height):
        for x in range(width):
            for i in range(k):
                for j in range(k):
                    u, v = alignment.unit(x - 0.5 + (j + 0.5) / k, y - 0.5 + (i + 0.5) / k)
                    edge = min(u, v, 1 - u, 1 - v)
                    if edge <= 0:
                        continue
                    c = min(max(u * columns - 0.5, 0), columns - 1)
                    r = min(max(v * rows - 0.5, 0), rows - 1)
                    value = np.zeros(channels)
                    for near_r in {int(r), min(int(r) + 1, rows - 1)}:
                        for near_c in {int(c), min(int(c) + 1, columns - 1)}:
                            share = max(0.0, 1 - abs(r - near_r)) * max(0.0, 1 - abs(c - near_c))
                            value += share * pattern[:, near_r, near_c]
                    total[:, y, x] += value * min(1.0, edge * 112 / 6) / k**2
    return total


geometries = st.tuples(
    st.integers(1, 60),
    st.integers(1, 60),
    st.lists(
        st.builds(placed, st.floats(4, 150), st.floats(-180, 180), st.floats(-30, 90), st.floats(-30, 90)),
        min_size=1,
        max_size=3,
    ),
)


# Within the budget


@given(
    geometries,
    st.sampled_from([40, 64]),
    st.sampled_from([1, 8, 16, 127]),
    st.sampled_from(["colour", "grey", "grey-alpha", "alpha"]),
    st.sampled_from(["black", "white", "both", "any"]),
    st.integers(0, 99),
)
@settings(deadline=None, max_examples=80)
def test_no_pixel_moves_by_more_than_the_budget(
    geometry: tuple, grid: int, epsilon: int, mode: str, tones: str, seed: int
) -> None:
    height, width, places = geometry
    rng = np.random.default_rng(seed)
    shape = {"colour": (3,), "grey": (), "grey-alpha": (2,), "alpha": (4,)}[mode]
    photo = {
        "black": np.zeros((height, width, *shape)),
        "white": np.full((height, width, *shape), 255),
        "both": rng.choice([0, 255], (height, width, *shape)),
        "any": rng.integers(0, 256, (height, width, *shape)),
    }[tones].astype(np.uint8)
    before = photo.copy()
    found, slot = on_faces(bank(3, grid, epsilon, seed), list(places), epsilon, grey="full")
    after = found.add(photo, slot)
    assert np.array_equal(photo, before)
    assert after.dtype == np.uint8
    assert after.shape == photo.shape
    assert np.abs(after.astype(int) - before.astype(int)).max() <= epsilon
    if "alpha" in mode:
        assert np.array_equal(after[..., -1], before[..., -1])
    y, x = np.mgrid[:height, :width]
    outside = np.ones((height, width), bool)
    for place in places:
        # a pixel is a square of one pixel, and every point of it may lie in the crop
        reach = 0.71 * place.scale
        u, v = place.unit(x, y)
        outside &= (np.minimum(u, v) < -reach) | (np.maximum(u, v) > 1 + reach)
    assert np.array_equal(after[outside], before[outside])


@pytest.mark.parametrize("side", [700.0, 250.0, 112.0, 40.0, 17.8])
@pytest.mark.parametrize("turn", [0, 45, -100])
def test_one_face_alone_never_needs_the_projection(side: float, turn: float) -> None:
    """Every value is a mean of values of the pattern, so it is not larger than the largest of them."""
    pattern = bank(1, 40, 16)[0].astype(np.float32)
    values = on_photo([(pattern, placed(side, turn, 60, 50))], (110, 120), slice(0, 110))
    assert 5 < np.abs(values).max() <= 16 + 1e-4 or side < 40


# At its place


@pytest.mark.parametrize(
    ("height", "width", "grid", "place"),
    [
        (50, 60, 40, placed(48, 0, 30, 25)),
        (50, 60, 64, placed(44.5, 33, 28.7, 24.2)),
        (50, 60, 40, placed(120, -77, 10, 40)),
        (30, 40, 40, placed(25.0, 160, 20, 12)),
        (20, 20, 40, placed(7.3, 10, 9, 9)),
        (12, 12, 64, placed(4.1, 10, 6.2, 5.9)),
        (1, 60, 40, placed(48, 0, 30, 5)),
        (60, 1, 40, placed(48, 12, 0, 30)),
        (30, 30, 40, placed(30, 12, 0, 0)),
    ],
)
def test_the_noise_is_that_of_a_loop_over_pixels(
    height: int, width: int, grid: int, place: Alignment
) -> None:
    pattern = bank(1, grid, 8, 3, whole=False)[0]
    wanted = slow(pattern, place, height, width)
    got = on_photo([(pattern.astype(np.float32), place)], (height, width), slice(0, height))
    assert got.dtype == np.float32
    assert np.abs(wanted).max() > 0.5
    assert np.allclose(got, wanted, atol=1e-4)
    found, slot = on_faces(pattern[None], [place])
    photo = np.full((height, width, 3), 128, np.uint8)
    moved = found.add(photo, slot).astype(int) - 128
    wanted = wanted.transpose(1, 2, 0)
    # halves may be rounded either way
    sure = np.abs(wanted - np.floor(wanted) - 0.5) > 1e-3
    assert np.array_equal(moved[sure], np.rint(wanted)[sure])
    assert np.abs(moved - wanted).max() < 0.51


def test_the_noise_of_an_upright_crop_of_the_grid_is_the_pattern_itself() -> None:
    """One pixel for each point of the grid: inside of the border, nothing is interpolated."""
    pattern = bank(1, 40, 8, 1, whole=False)
    found, slot = on_faces(pattern, [placed(40, 0, 29.5, 24.5)])
    photo = np.full((50, 60, 3), 100, np.uint8)
    moved = (found.add(photo, slot).astype(int) - 100).transpose(2, 0, 1)
    inner = slice(3, 37)
    assert np.array_equal(moved[:, 5:45, 10:50][:, inner, inner], pattern[0][:, inner, inner])
    # the border fades: less than the pattern, never more
    assert (np.abs(moved[:, 5:45, 10:50]) <= np.abs(pattern[0])).all()
    assert np.abs(moved[:, 5, 10:50]).max() < 8 * 0.5 / 40 / FEATHER + 0.5
    moved[:, 5:45, 10:50] = 0
    assert not moved.any()


@pytest.mark.parametrize("turn", [0, 30])
def test_rows_in_parts_are_all_rows_at_once(turn: float) -> None:
    patterns = bank(2, 40).astype(np.float32)
    faces = [(patterns[0], placed(60, turn, 30, 30)), (patterns[1], placed(30, -turn, 50, 64))]
    size = (80, 70)
    whole = on_photo(faces, size, slice(0, 80))
    assert (whole[:, 60:] != 0).any()
    for step in (1, 7, 33):
        parts = [on_photo(faces, size, slice(top, min(80, top + step))) for top in range(0, 80, step)]
        assert np.array_equal(np.concatenate(parts, axis=1), whole)


def test_photos_taller_than_a_part_have_no_seam() -> None:
    """The published photo is made in parts of 256 rows."""
    height = 2 * CHUNK_ROWS + 40
    place = placed(height - 80, 20, 30, height / 2)
    found, slot = on_faces(bank(), [place])
    photo = np.full((height, 60, 3), 128, np.uint8)
    pattern = found.crops.bank[0].astype(np.float32)
    all_rows = np.rint(on_photo([(pattern, place)], (height, 60), slice(0, height))).transpose(1, 2, 0)
    assert np.array_equal(found.add(photo, slot).astype(int) - 128, all_rows)
    assert (all_rows[CHUNK_ROWS - 1 : CHUNK_ROWS + 1] != 0).any()


def test_several_faces_are_one_sum_rounded_and_clipped_once() -> None:
    patterns = bank(3, 40, 8, 5, whole=False)
    places = [placed(45, 10, 24, 24), placed(38, -40, 34, 28), placed(52, 3, 30, 36)]
    found, slot = on_faces(patterns, list(places))
    rng = np.random.default_rng(0)
    photo = rng.choice([0, 3, 128, 250, 255], (60, 64, 3)).astype(np.uint8)
    singles = [
        on_photo([(pattern.astype(np.float32), place)], (60, 64), slice(0, 60))
        for pattern, place in zip(patterns, places, strict=True)
    ]
    total = np.sum(singles, axis=0).transpose(1, 2, 0)
    sure = np.abs(np.abs(total - np.floor(total)) - 0.5) > 1e-3
    wanted = np.clip(photo + np.clip(np.rint(total), -8, 8), 0, 255)
    got = found.add(photo, slot)
    assert np.array_equal(got[sure], wanted[sure])
    assert sure.mean() > 0.95
    # rounding or clipping each face by itself gives another photo
    one_by_one = photo.astype(int)
    for single in singles:
        one_by_one = np.clip(one_by_one + np.rint(single).transpose(1, 2, 0), 0, 255)
    assert (np.abs(total) > 8.5).any()
    assert (one_by_one != got)[sure].mean() > 0.01


def test_grey_photos_get_the_same_noise_in_the_mean_and_stay_grey() -> None:
    pattern = bank(1, 40, 8, 2, whole=False)
    place = placed(40, 0, 29.5, 24.5)
    photo = np.full((50, 60), 128, np.uint8)
    found, slot = on_faces(pattern, [place])
    moved = found.add(photo, slot).astype(int) - 128
    inner = slice(3, 37)
    mean = pattern[0].astype(float).mean(axis=0)
    assert np.abs(moved[5:45, 10:50][inner, inner] - mean[inner, inner]).max() <= 0.5 + 1e-5
    assert moved.any()


def test_a_photo_without_a_face_gets_its_noise_over_the_whole_frame() -> None:
    patterns = bank(2)
    found, slot = on_faces(patterns, [None])
    photo = np.full((50, 60, 3), 128, np.uint8)
    assert np.array_equal(found.add(photo, slot), noise(patterns).add(photo, Slot(0)))
    assert (found.add(photo, slot) != photo).mean() > 0.8
    assert found.usual_change(slot, (50, 60)) == noise(patterns).usual_change(Slot(0), (50, 60))


# How much it changes


@pytest.mark.parametrize(
    ("size", "places"),
    [
        ((200, 240), [placed(110, 0, 120, 100)]),
        ((200, 240), [placed(150, 27, 110, 90)]),
        ((200, 240), [placed(150, 45, 20, 30)]),
        ((120, 400), [placed(230, -12, 160, 50)]),
        ((400, 300), [placed(90, -12, 100, 60), placed(160, 80, 170, 270)]),
    ],
)
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_the_usual_change_is_that_of_a_grey_photo(
    size: tuple[int, int], places: list[Alignment], interpolation: str
) -> None:
    found, slot = on_faces(bank(2, 40, 16, 7), list(places), 16, interpolation=interpolation)
    photo = np.full((*size, 3), 128, np.uint8)
    measured = np.abs(found.add(photo, slot).astype(int) - 128).mean()
    assert measured > 0.3
    assert found.usual_change(slot, size) == pytest.approx(measured, rel=0.04)


@pytest.mark.parametrize("seed", range(12))
def test_the_covered_share_is_the_mean_change_by_a_flat_pattern(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = (int(edge) for edge in rng.integers(60, 300, 2))
    place = placed(rng.uniform(20, 300), rng.uniform(-180, 180), *rng.uniform(0, 250, 2))
    flat = np.full((1, 40, 40), 100, np.float32)
    share = on_photo([(flat, place)], (height, width), slice(0, height)).mean() / 100
    assert covered(place, (height, width)) == pytest.approx(share, rel=0.03, abs=1e-3)
    assert 0 <= covered(place, (height, width)) <= 1


def test_a_face_outside_covers_nothing_and_changes_nothing() -> None:
    place = placed(20, 10, 500, -300)
    found, slot = on_faces(bank(), [place])
    photo = np.full((50, 60, 3), 128, np.uint8)
    assert covered(place, (50, 60)) == 0
    assert np.array_equal(found.add(photo, slot), photo)


def test_the_places_of_a_resized_photo_shrink_with_it() -> None:
    """The noise of a photo of half the size is that of the face at half the size."""
    whole, half = placed(80, 15, 70.5, 60.5), placed(40, 15, 35, 30)
    found, slot = on_faces(bank(1, 40, 16), [whole], 16)
    resized = replace(slot, size=(120, 140))
    photo = np.full((60, 70, 3), 128, np.uint8)
    assert np.array_equal(
        found.add(photo, resized), found.add(photo, replace(slot, parts=((Slot(0), half),)))
    )
    assert found.usual_change(resized, (60, 70)) == pytest.approx(
        found.usual_change(slot, (120, 140)), rel=0.05
    )
    large = np.full((120, 140, 3), 128, np.uint8)
    assert np.array_equal(found.add(large, resized), found.add(large, slot))
    # noise over the whole frame is lifted to any size
    frame = FaceSlot(((Slot(0), None),), (120, 140))
    assert np.array_equal(found.add(photo, frame), noise(bank(1, 40, 16), 16).add(photo, Slot(0)))


# Which noise


def record(id: str, *faces: tuple[float, float, float], whole: bool = False, digest: str = "d") -> Record:
    found = tuple(face_at(*face) for face in faces)
    return Record(id, digest, "marks 1", (60, 60), Found(found, tuple(range(len(found)))), whole)


def photos():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (3, 60, 60, 3), dtype=np.uint8)
    return arrays(pixels, ["ann", "bob", "bob"], ids=["a", "b", "c"])


def test_every_face_of_a_photo_is_a_crop_with_its_class() -> None:
    images = photos()
    records = {
        "a": record("a", (30, 30, 20)),
        "b": record("b", (20, 20, 24), (45, 40, 16)),
        "c": record("c", whole=True),
    }
    places = {id: one.places for id, one in records.items()}
    cut = crops(images, places, 32)
    assert cut.ids == ("a", "b", "b#2", "c")
    assert [cut.class_of[id] for id in cut.ids] == ["ann", "bob", "bob", "bob"]
    for id, photo, number in (("a", "a", 0), ("b", "b", 0), ("b#2", "b", 1)):
        wanted = Alignment.of(records[photo].found.faces[number].landmarks).crop(
            images.photo(photo).pixels, 32
        )
        assert np.array_equal(cut.photo(id).pixels, wanted)
        assert wanted.std() > 10
    assert cut.photo("c").pixels.shape == (32, 32, 3)
    assert cut.photo("c").pixels.std() > 10
    assert crops(images, {"b": places["b"][1:], "c": ()}).ids == ("b",)


def samplewise(images, places, seed: int = 0) -> FaceNoise:
    """Sample-wise noise for every crop, with the hashes that a search records."""
    cut = crops(images, places)
    made = Noise(
        bank=bank(len(cut.ids), seed=seed),
        keys=cut.ids,
        form="samplewise",
        budget=Budget(8),
        grid=(40, 40),
        digests=tuple(cut.about(id).digest for id in cut.ids),
        classes=tuple(cut.class_of[id] for id in cut.ids),
    )
    return FaceNoise(made, places)


def test_a_photo_gets_the_noise_of_each_of_its_faces() -> None:
    images = photos()
    one, two, three = placed(20, 0, 30, 30), placed(24, 0, 20, 20), placed(16, 0, 45, 40)
    found = samplewise(images, {"a": (one,), "b": (two, three), "c": (None,)})
    digest = {id: images.about(id).digest for id in images.ids}
    assert found.slot("a", "ann", digest["a"]) == FaceSlot(((Slot(0), one),))
    assert found.slot("b", "bob", digest["b"]) == FaceSlot(((Slot(1), two), (Slot(2), three)))
    assert found.slot("c", "bob", digest["c"]) == FaceSlot(((Slot(3), None),))
    assert found.slot("b", "bob") == found.slot("b", "bob", digest["b"])
    assert found.slot("b", "ann", digest["b"]) is None
    assert found.slot("b", "bob", digest["a"]) is None
    assert found.slot("d", "bob") is None
    assert found.found_for("b", digest["b"]) == "bob"
    assert found.found_for("b", digest["a"]) == ""
    slot = found.slot("b", "bob")
    assert slot is not None
    assert not found.is_zero(slot)
    quiet = replace(found.crops, bank=np.concatenate([found.crops.bank[:1], 0 * found.crops.bank[1:]]))
    assert FaceNoise(quiet, found.places).is_zero(slot)


def test_noise_of_one_face_is_not_given_to_another_face_of_the_photo() -> None:
    """Sample-wise noise belongs to one crop: when a person names another face, it needs noise of its own."""
    images = photos()
    first, second = placed(24, 0, 20, 20), placed(16, 0, 45, 40)
    before = samplewise(images, {"a": (placed(20, 0, 30, 30),), "b": (first,)})
    digest = images.about("b").digest
    assert before.slot("b", "bob", digest) == FaceSlot(((Slot(1), first),))
    after = FaceNoise(before.crops, {**before.places, "b": (second,)})
    assert after.slot("b", "bob", digest) is None
    # class-wise noise is that of the person, whatever the face
    anyone = FaceNoise(noise(bank(2)), {"b": (second,)})
    assert anyone.slot("b", "person1", digest) == FaceSlot(((Slot(1), second),))
    # so does the search, which takes a crop at another place for another image
    cut, moved = (crops(images, {"b": (place,)}) for place in (first, second))
    assert cut.about("b").digest != moved.about("b").digest
    assert cut.view(40).fingerprint != moved.view(40).fingerprint


def test_the_hash_of_a_slot_changes_with_pattern_and_place() -> None:
    patterns = bank(2)
    found, slot = on_faces(patterns, [placed(20, 0, 30, 30)])
    others = [
        on_faces(patterns, [placed(20, 0, 30, 30.001)]),
        on_faces(patterns, [placed(20, 0.001, 30, 30)]),
        on_faces(patterns, [None]),
        on_faces(patterns, [placed(20, 0, 30, 30)] * 2),
        on_faces(patterns[::-1], [placed(20, 0, 30, 30)]),
    ]
    hashes = {one.slot_hash(other) for one, other in others}
    assert len(hashes) == len(others)
    assert found.slot_hash(slot) not in hashes
    assert found.slot_hash(slot) == found.slot_hash(FaceSlot(((Slot(0), placed(20, 0, 30, 30)),)))


def test_a_worker_reads_the_noise_and_the_places_beside_it(tmp_path: Path) -> None:
    records = [record("a", (30, 30, 20)), record("b", whole=True), replace(record("c"), found=Found((), ()))]
    save(tmp_path / FACES, records)
    made = noise(bank(2))
    FaceNoise(made, {}).save(tmp_path / "noise.safetensors")
    read = FaceNoise.load(tmp_path / "noise.safetensors")
    assert read.places == {"a": records[0].places, "b": (None,)}
    assert read.sizes == dict.fromkeys("abc", (60, 60))
    assert np.array_equal(read.crops.bank, made.bank)
    assert (read.budget, read.form, read.assignment) == (made.budget, made.form, made.assignment)
    photo = np.full((60, 60, 3), 128, np.uint8)
    slot = read.slot("a", "person1")
    assert slot is not None
    written = FaceNoise(made, {"a": records[0].places})
    assert np.array_equal(read.add(photo, slot), written.add(photo, slot))


def test_names_of_crops() -> None:
    assert [crop_id("x/1.jpg", number) for number in range(3)] == ["x/1.jpg", "x/1.jpg#2", "x/1.jpg#3"]
    assert pytest.approx(6 / 112) == FEATHER
    assert CROP == 112
