"""Alignment: the exact similarity, both ways, and the crop that a recogniser would see."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from people import face_at, placed
from skimage.transform import SimilarityTransform

from unlearnable.faces.face import CROP, TEMPLATE, Alignment, Face

finite = st.floats(-2000, 2000)
alignments = st.builds(placed, st.floats(2, 3000), st.floats(-180, 180), finite, finite)


def template_in_photo(scale: float, turn: float, x: float, y: float) -> list[tuple[float, float]]:
    """The template enlarged, turned and shifted, with complex numbers."""
    factor = scale * np.exp(1j * np.radians(turn))
    moved = [complex(u, v) * factor + complex(x, y) for u, v in TEMPLATE]
    return [(point.real, point.imag) for point in moved]


@given(st.floats(0.05, 40), st.floats(-180, 180), finite, finite)
@settings(deadline=None, max_examples=60)
def test_the_alignment_of_a_similarity_of_the_template_is_exact(
    scale: float, turn: float, x: float, y: float
) -> None:
    landmarks = template_in_photo(scale, turn, x, y)
    alignment = Alignment.of(landmarks)
    for point, (u, v) in zip(landmarks, TEMPLATE, strict=True):
        # half a pixel of the crop lies between its corner and the centre of its first pixel
        assert np.allclose(alignment.unit(*point), ((u + 0.5) / CROP, (v + 0.5) / CROP), atol=1e-9)
    assert alignment.side == pytest.approx(scale * CROP)
    assert alignment.scale == pytest.approx(1 / (scale * CROP))
    # the crop turns the face back
    way_back = complex(alignment.a, alignment.b) * scale * CROP
    assert abs(way_back - np.exp(-1j * np.radians(turn))) < 1e-9


@pytest.mark.parametrize("seed", range(12))
def test_other_landmarks_are_aligned_with_the_least_squared_error(seed: int) -> None:
    rng = np.random.default_rng(seed)
    exact = np.array(template_in_photo(rng.uniform(0.3, 5), rng.uniform(-90, 90), *rng.uniform(-99, 400, 2)))
    landmarks = exact + rng.normal(0, 6, exact.shape)
    wanted = (np.array(TEMPLATE) + 0.5) / CROP
    alignment = Alignment.of([(x, y) for x, y in landmarks])
    reference = SimilarityTransform.from_estimate(landmarks, wanted)
    a, b, x = reference.params[0, 0], reference.params[1, 0], reference.params[0, 2]
    got = alignment.a, alignment.b, alignment.x, alignment.y
    assert np.allclose(got, (a, b, x, reference.params[1, 2]), rtol=1e-9, atol=1e-12)

    def error(one: Alignment) -> float:
        return sum(
            (u - p) ** 2 + (v - q) ** 2
            for (u, v), (p, q) in zip((one.unit(*point) for point in landmarks), wanted, strict=True)
        )

    least = error(alignment)
    assert least > 1e-5
    for step in rng.normal(0, 1e-4, (20, 4)) * (alignment.scale, alignment.scale, 1, 1):
        assert error(Alignment(*(np.array(got) + step))) > least


def test_landmarks_in_one_place_are_refused() -> None:
    with pytest.raises(ValueError, match="all in one place"):
        Alignment.of([(3.0, 4.0)] * 5)


@given(alignments, finite, finite)
@settings(deadline=None, max_examples=60)
def test_the_two_ways_are_inverse(alignment: Alignment, x: float, y: float) -> None:
    assert np.allclose(alignment.points(*alignment.unit(x, y)), (x, y), atol=1e-6)
    u, v = x / 4000, y / 4000
    assert np.allclose(alignment.unit(*alignment.points(u, v)), (u, v), atol=1e-9)
    xs, ys = np.array([x, 0.0]), np.array([y, 1.0])
    assert np.allclose(np.array(alignment.unit(xs, ys))[:, 0], alignment.unit(x, y))


@pytest.mark.parametrize("seed", range(40))
def test_the_box_holds_every_pixel_of_the_crop(seed: int) -> None:
    """And little more: a turned square fills half of its box."""
    rng = np.random.default_rng(seed)
    height, width = (int(edge) for edge in rng.integers(1, 60, 2))
    alignment = placed(rng.uniform(0.5, 50), rng.uniform(-180, 180), *rng.uniform(-20, 80, 2))
    rows, columns = alignment.box(height, width)
    inside = set()
    for row in range(height):
        for column in range(width):
            u, v = alignment.unit(column, row)
            if 0 <= u <= 1 and 0 <= v <= 1:
                inside.add((row, column))
    boxed = {(r, c) for r in range(rows.start, rows.stop) for c in range(columns.start, columns.stop)}
    assert inside <= boxed
    assert all(0 <= r < height and 0 <= c < width for r, c in boxed)
    assert len(boxed) <= (alignment.side * 1.42 + 3) ** 2
    if (seed % 2, len(inside)) == (0, 0):
        assert not alignment.box(0, 0)[0].stop


def bilinear(pixels: np.ndarray, alignment: Alignment, side: int) -> np.ndarray:
    """A crop by plain loops: the nearest four pixels of the photo, black outside."""
    height, width = pixels.shape[:2]
    out = np.zeros((side, side, *pixels.shape[2:]))
    for row in range(side):
        for column in range(side):
            x, y = alignment.points((column + 0.5) / side, (row + 0.5) / side)
            if not (-0.5 <= x < width - 0.5 and -0.5 <= y < height - 0.5):
                continue
            left, top = int(np.floor(x)), int(np.floor(y))
            for r, down in ((top, 1 - (y - top)), (top + 1, y - top)):
                for c, across in ((left, 1 - (x - left)), (left + 1, x - left)):
                    nearest = pixels[min(max(r, 0), height - 1), min(max(c, 0), width - 1)]
                    out[row, column] += down * across * nearest.astype(float)
    return out


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize(
    ("size", "alignment"),
    [
        ((40, 50), placed(21.3, 0, 25, 20)),
        ((40, 50), placed(23.0, 33, 24.2, 19.7)),
        ((40, 50), placed(11.7, -140, 20, 20)),
        ((40, 50), placed(23.9, 20, 1, 2)),
        ((40, 50), placed(23.0, 60, 49, 40)),
        ((1, 60), placed(20.0, 5, 30, 0)),
        ((30, 1), placed(20.0, 5, 0, 10)),
    ],
)
def test_a_crop_is_the_bilinear_picture_and_black_outside(
    size: tuple[int, int], alignment: Alignment, grey: bool
) -> None:
    shape = size if grey else (*size, 3)
    pixels = np.random.default_rng(5).integers(1, 256, shape, dtype=np.uint8)
    got, wanted = alignment.crop(pixels, 24), bilinear(pixels, alignment, 24)
    assert got.dtype == np.uint8
    assert got.shape == wanted.shape
    assert wanted.any()
    # on the line between photo and outside, rounding decides
    different = np.abs(got - wanted) > 1
    assert different.mean() < 0.01
    assert np.abs(got - wanted)[~different].mean() < 0.6


def test_a_crop_outside_of_the_photo_is_black() -> None:
    pixels = np.full((30, 30, 3), 200, np.uint8)
    assert placed(20, 10, 500, -300).crop(pixels, 16).shape == (16, 16, 3)
    assert not placed(20, 10, 500, -300).crop(pixels, 16).any()
    half = placed(20, 0, -0.5, 15).crop(pixels, 16)
    assert not half[:, :8].any()
    assert (half[:, 8:] == 200).all()


@pytest.mark.parametrize("turn", [0, 25, 90])
def test_a_large_face_is_antialiased(turn: float) -> None:
    """A checkerboard of single pixels becomes grey, and not the pattern of the pixels that are hit."""
    y, x = np.mgrid[:600, :600]
    board = ((x + y) % 2 * 255).astype(np.uint8)
    crop = placed(400, turn, 300, 290).crop(board, 56).astype(int)
    assert np.abs(crop - 127.5).max() < 12


@pytest.mark.parametrize(("side", "turn"), [(190, 0), (150, 33), (170.7, -100), (57, 12), (111.4, 175)])
def test_a_crop_has_every_pixel_at_its_place(side: float, turn: float) -> None:
    """Slopes of one level a pixel tell where a pixel was taken: the mean is right to a tenth of a pixel."""
    y, x = np.mgrid[:250, :256].astype(np.uint8)
    alignment = placed(side, turn, 130.3, 120.8)
    rows, columns = np.mgrid[:56, :56]
    points = alignment.points((columns + 0.5) / 56, (rows + 0.5) / 56)
    for axis, wanted in zip((x, y), points, strict=True):
        rising, falling = (alignment.crop(slope, 56).astype(float) for slope in (axis, 255 - axis))
        # Pillow cuts fractions off, which makes both darker; a shift makes one darker and the other brighter
        shift = (rising - wanted) / 2 - (falling - (255 - wanted)) / 2
        inside = (points[0] > 4) & (points[0] < 250) & (points[1] > 4) & (points[1] < 245)
        assert inside.mean() > 0.8
        assert abs(shift[inside].mean()) < 0.1
        assert np.abs(shift[inside]).max() < 1.6


def test_the_alignment_of_a_resized_photo_is_that_of_its_landmarks() -> None:
    """Rounding to whole pixels resizes both axes by slightly different factors."""
    rng = np.random.default_rng(0)
    landmarks = np.array(template_in_photo(3, 20, 300, 200)) + rng.normal(0, 4, (5, 2))
    alignment = Alignment.of([tuple(point) for point in landmarks])
    assert alignment.resized((800, 1000), (800, 1000)) is alignment
    half = alignment.resized((800, 1000), (400, 500))
    same = Alignment.of([((x + 0.5) / 2 - 0.5, (y + 0.5) / 2 - 0.5) for x, y in landmarks])
    assert np.allclose((half.a, half.b, half.x, half.y), (same.a, same.b, same.x, same.y))
    odd = alignment.resized((800, 1001), (7, 9))
    u, v = odd.unit(*(((edge + 0.5) / 114.0 - 0.5) for edge in alignment.points(0.5, 0.5)))
    assert np.allclose((u, v), 0.5, atol=0.2)
    assert odd.side == pytest.approx(alignment.side / 114, rel=0.03)


# Face


def test_a_face_moves_with_its_picture() -> None:
    """Enlarged threefold and cut out at (100, 20): the centre of a pixel stays the centre of its block."""
    face = Face((1.5, 3.5, 10, 20), ((2, 4), (8, 4), (5, 9), (3, 15), (7, 15)), 0.7)
    moved = face.moved(3, 100, 20)
    # pixel 2 becomes the pixels 6, 7 and 8, whose middle is 7
    assert moved.landmarks[0] == (107, 33)
    assert moved.box == (105.5, 31.5, 30, 60)
    assert moved.score == 0.7
    assert moved.area == 9 * face.area
    assert moved.eye_distance == 18
    assert face.moved(1) == face
    back = moved.moved(1, -100, -20).moved(1 / 3)
    assert np.allclose(back.landmarks, face.landmarks)
    assert np.allclose(back.box, face.box)


def test_the_alignment_of_a_moved_face_shows_the_same_crop() -> None:
    rng = np.random.default_rng(0)
    pixels = np.kron(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8), np.ones((8, 8, 1), np.uint8))
    twice = np.kron(pixels, np.ones((2, 2, 1), np.uint8))
    face = face_at(31.5, 30, 40)
    before = Alignment.of(face.landmarks).crop(pixels, 20).astype(int)
    after = Alignment.of(face.moved(2).landmarks).crop(twice, 20).astype(int)
    assert np.abs(before - after).mean() < 6
    assert before.std() > 40


def test_centre_and_area() -> None:
    face = face_at(30, 40, 12)
    assert face.centre == (30, 40)
    assert face.area == 144
    assert Alignment.of(face.landmarks).side == pytest.approx(12)
