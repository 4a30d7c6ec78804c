"""Detection in photos of any size: coordinates of the photo's own pixels, and each face once."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from people import Marks, astronaut, cat, encoded, hopper, registered, with_marks
from PIL import Image

from unlearnable.errors import UsageError
from unlearnable.faces.detector import DEFAULT, LONGEST, Detector, create, detect, overlap
from unlearnable.faces.face import Alignment, Face
from unlearnable.faces.finding import FaceOptions, find
from unlearnable.opening import PhotoOptions


def boxes(faces: tuple[Face, ...]) -> np.ndarray:
    return np.array([face.box for face in faces])


def wanted(*marks: tuple[int, int, int]) -> np.ndarray:
    return np.array([(left - 0.5, top - 0.5, side, side) for left, top, side in marks])


# Drawn marks


@pytest.mark.parametrize(("height", "width"), [(1000, 700), (320, 320), (600, 1000), (400, 333)])
def test_photos_of_moderate_size_are_looked_at_as_they_are(height: int, width: int) -> None:
    detector = Marks()
    marks = ((180, 90, 80), (30, 200, 41))
    faces = detect(with_marks(height, width, *marks), detector)
    assert detector.sizes == [(height, width)]
    assert np.array_equal(boxes(faces), wanted(*marks))


@pytest.mark.parametrize(
    ("height", "width", "marks", "shrunk"),
    [
        (1500, 2000, ((700, 300, 240), (1500, 1200, 100)), (750, 1000)),
        (2600, 900, ((100, 2200, 220),), (1000, 346)),
        (3000, 3000, ((2500, 100, 401), (90, 2333, 300)), (1000, 1000)),
    ],
)
def test_faces_of_a_large_photo_have_its_coordinates(
    height: int, width: int, marks: tuple, shrunk: tuple[int, int]
) -> None:
    detector = Marks()
    faces = detect(with_marks(height, width, *marks), detector)
    # once, and not in tiles
    assert detector.sizes == [shrunk]
    # to a pixel of the shrunk photo
    assert np.allclose(boxes(faces), wanted(*marks), atol=1.1 * height / shrunk[0])
    for face, (left, top, side) in zip(faces, marks, strict=True):
        assert np.allclose(face.centre, (left + side / 2 - 0.5, top + side / 2 - 0.5), atol=1.2)
        x, y = Alignment.of(face.landmarks).points(0.5, 0.5)
        assert np.allclose((x, y), face.centre, atol=0.5)


@pytest.mark.parametrize(("height", "width", "enlarged"), [(60, 80, (240, 320)), (96, 40, (320, 133))])
def test_faces_of_a_small_photo_have_its_coordinates(
    height: int, width: int, enlarged: tuple[int, int]
) -> None:
    detector = Marks()
    faces = detect(with_marks(height, width, (10, 20, 14)), detector)
    assert detector.sizes == [enlarged]
    assert np.allclose(boxes(faces), wanted((10, 20, 14)), atol=0.3)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 3000), (2500, 1), (2, 5)])
def test_photos_of_a_row_or_a_column(height: int, width: int) -> None:
    assert detect(np.full((height, width, 3), 7, np.uint8), Marks()) == ()


TILED = [
    (2000, 2600, ((1200, 900, 24),)),
    (1400, 3000, ((2970, 1371, 22), (3, 2, 25), (1490, 700, 30))),
    # 750 is the second tile's first column: all marks of these are in an overlap
    (1800, 1001, ((600, 800, 28), (300, 760, 22))),
]


@pytest.mark.parametrize(("height", "width", "marks"), TILED)
def test_small_faces_of_a_large_photo_are_found_in_tiles_each_once(
    height: int, width: int, marks: tuple
) -> None:
    detector = Marks(least=20)
    faces = detect(with_marks(height, width, *marks), detector)
    assert len(detector.sizes) > 2
    assert all(max(size) <= LONGEST for size in detector.sizes)
    ordered = sorted(marks, key=lambda mark: -mark[2])
    assert np.array_equal(boxes(faces), wanted(*ordered))


@pytest.mark.parametrize("seed", range(3))
def test_tiles_show_every_place_with_a_margin(seed: int) -> None:
    """A face of less than the overlap is whole in one tile at least, wherever it is."""
    rng = np.random.default_rng(seed)
    height, width = (int(edge) for edge in rng.integers(1010, 3300, 2))
    side = 21
    top, left = int(rng.integers(0, height - side)), int(rng.integers(0, width - side))
    faces = detect(with_marks(height, width, (left, top, side)), Marks(least=20))
    assert np.array_equal(boxes(faces), wanted((left, top, side)))


class Given:
    """Returns the faces it is given."""

    revision = "given"

    def __init__(self, *faces: Face) -> None:
        self.faces = faces

    def __call__(self, pixels: np.ndarray) -> list[Face]:
        return list(self.faces)


def box_at(left: float, top: float, side: float, score: float) -> Face:
    points = tuple((left + x * side, top + y * side) for x, y in ((0.3, 0.4), (0.7, 0.4), (0.5, 0.6)))
    return Face((left, top, side, side), (*points, *points[:2]), score)


def test_of_doubles_the_surest_is_kept_and_the_largest_comes_first() -> None:
    sure, double = box_at(100, 100, 60, 0.95), box_at(110, 95, 66, 0.9)
    neighbour, large = box_at(150, 100, 60, 0.8), box_at(200, 10, 90, 0.7)
    pixels = np.zeros((400, 400, 3), np.uint8)
    assert detect(pixels, Given(double, neighbour, sure, large)) == (large, sure, neighbour)
    # detections that are none
    flat, one_eyed = box_at(5, 5, 0, 0.99), Face((9, 9, 20, 20), ((3.0, 3.0),) * 5, 0.99)
    assert detect(pixels, Given(flat, one_eyed, sure)) == (sure,)
    assert detect(pixels, Given(flat)) == ()


def test_overlap_is_that_of_a_count_of_pixels() -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        (a, b), (c, d) = rng.integers(0, 12, (2, 2)), rng.integers(1, 15, (2, 2))
        grids = [np.zeros((30, 30), bool) for _ in range(2)]
        faces = []
        for (left, top), (width, height), grid in zip((a, b), (c, d), grids, strict=True):
            grid[top : top + height, left : left + width] = True
            faces.append(Face(tuple(map(float, (left, top, width, height))), ((0.0, 0.0),) * 5, 1.0))
        shared = (grids[0] & grids[1]).sum() / (grids[0] | grids[1]).sum()
        assert overlap(*faces) == pytest.approx(shared)
        assert overlap(*faces[::-1]) == pytest.approx(shared)


def test_names(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="retinafase") as raised:
        create("retinafase")
    assert "retinaface" in str(raised.value)
    with pytest.raises(UsageError, match="takes no file") as raised:
        create("retinaface=weights.onnx")
    assert "yunet=FILE" in raised.value.remedy
    with pytest.raises(UsageError, match="needs its weights"):
        create("yunet")
    with pytest.raises(UsageError, match="no file"):
        create(f"yunet={tmp_path / 'absent.onnx'}")
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(UsageError, match="no network"):
        create(f"yunet={tmp_path / 'text.onnx'}")
    with registered("marks", Marks()):
        assert create("marks").revision == "marks 1"
        with pytest.raises(UsageError, match="already a detector"), registered("marks", Marks()):
            pass


# Real faces


@pytest.fixture(scope="module")
def default() -> Detector:
    return create(DEFAULT)


# eyes, nose and corners of the mouth, by eye to a few pixels
EILEEN = np.array([(204, 100), (247, 103), (223, 129), (202, 138), (244, 140)])
GRACE = np.array([(218, 187), (303, 186), (259, 247), (231, 273), (299, 272)])
BOTH = [(astronaut, EILEEN), (hopper, GRACE)]


def near(faces: tuple[Face, ...], points: np.ndarray, share: float = 0.12) -> None:
    """One face, with every landmark near its place, measured in distances of the eyes."""
    assert len(faces) == 1
    assert np.abs(faces[0].landmarks - points).max() < share * np.hypot(*(points[1] - points[0]))
    left, top, width, height = faces[0].box
    x, y = points.mean(axis=0)
    assert left < x < left + width
    assert top < y < top + height


@pytest.mark.parametrize(("picture", "points"), BOTH)
@pytest.mark.parametrize("longest", [96, 0, 3000])
def test_real_faces_of_any_size(default: Detector, picture, points: np.ndarray, longest: int) -> None:
    pixels = picture()
    scale = longest / max(pixels.shape) if longest else 1.0
    size = round(pixels.shape[1] * scale), round(pixels.shape[0] * scale)
    resized = np.asarray(Image.fromarray(pixels).resize(size))
    near(detect(resized, default), (points + 0.5) * scale - 0.5, 0.2 if longest == 96 else 0.12)


@pytest.mark.parametrize(("picture", "points"), BOTH)
@pytest.mark.parametrize("turn", [20, -20])
def test_real_faces_that_are_turned(default: Detector, picture, points: np.ndarray, turn: float) -> None:
    pixels = picture()
    turned = np.asarray(Image.fromarray(pixels).rotate(turn, Image.Resampling.BICUBIC))
    middle = np.array([(pixels.shape[1] - 1) / 2, (pixels.shape[0] - 1) / 2])
    # rows count downwards, so a turn to the left is one by a negative angle
    cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    there = (points - middle) @ np.array([[cos, -sin], [sin, cos]]) + middle
    near(detect(turned, default), there, 0.2)
    alignment = Alignment.of(detect(turned, default)[0].landmarks)
    upright = Alignment.of([tuple(point) for point in points])
    turns = [np.degrees(np.arctan2(one.b, one.a)) for one in (alignment, upright)]
    assert turns[0] - turns[1] == pytest.approx(turn, abs=6)


@pytest.mark.parametrize(("picture", "points"), BOTH)
def test_grey_faces_and_faces_of_a_folder(
    default: Detector, tmp_path: Path, picture, points: np.ndarray
) -> None:
    """A file that a camera wrote on its side has its faces in the upright photo."""
    pixels = picture()
    grey = np.asarray(Image.fromarray(pixels).convert("L"))
    (tmp_path / "people" / "ann").mkdir(parents=True)
    (tmp_path / "people" / "ann" / "grey.png").write_bytes(encoded(grey))
    exif = Image.Exif()
    exif[274] = 6
    on_its_side = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(np.rot90(pixels))).save(
        on_its_side, "JPEG", quality=95, exif=exif.tobytes()
    )
    (tmp_path / "people" / "ann" / "turned.jpg").write_bytes(on_its_side.getvalue())
    images, records = find(PhotoOptions().folder(tmp_path / "people"), FaceOptions())
    assert images.ids == ("ann/grey.png", "ann/turned.jpg")
    for record in records.values():
        assert record.size == pixels.shape[:2]
        near(record.found.faces, points)
        assert not record.found.doubt


def test_a_cat_is_nobody(default: Detector) -> None:
    assert detect(cat(), default) == ()


@pytest.mark.needs_data
def test_nearly_every_photo_of_a_sample_has_a_face(default: Detector) -> None:
    root = Path(os.environ.get("UNLEARNABLE_DATA", "")) / "lfw-sample"
    if "UNLEARNABLE_DATA" not in os.environ or not root.is_dir():
        pytest.skip("UNLEARNABLE_DATA names no folder that holds lfw-sample")
    files = sorted(root.rglob("*.jpg"))[::5]
    assert len(files) >= 100
    found = [len(detect(np.asarray(Image.open(file).convert("RGB")), default)) for file in files]
    assert np.mean([count > 0 for count in found]) >= 0.99
