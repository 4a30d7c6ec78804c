"""Detection and alignment afresh: which faces are lost, how far landmarks move, what arrives of the noise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from people import Marks, encoded, registered, with_marks
from PIL import Image

from unlearnable.errors import DataError
from unlearnable.faces.afresh import Pairs, pairs
from unlearnable.faces.finding import FaceOptions

SIDE = 112
OPTIONS = FaceOptions("marks")


@pytest.fixture(autouse=True)
def marks() -> Iterator[Marks]:
    detector = Marks()
    with registered("marks", detector):
        yield detector


def noisy(pixels: np.ndarray, seed: int = 0, epsilon: int = 8) -> np.ndarray:
    """Blocks of noise, which survive a shift of a few pixels in part."""
    rng = np.random.default_rng(seed)
    blocks = rng.choice([-epsilon, epsilon], (pixels.shape[0] // 10, pixels.shape[1] // 10, 3))
    noise = np.kron(blocks, np.ones((10, 10, 1)))
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


def folders(root: Path, **moves: int | None) -> tuple[Path, Path]:
    """Photos of ann and bea with a mark each, and noisy copies whose mark is moved to the right, or gone."""
    for number, (name, move) in enumerate(moves.items()):
        path = f"{name[:3]}/{name[3:]}.png"
        for folder in ("photos", "out"):
            (root / folder / path).parent.mkdir(parents=True, exist_ok=True)
        photo = with_marks(320, 340, (100, 90, SIDE), tone=60 + number)
        copy = with_marks(320, 340, *([] if move is None else [(100 + move, 90, SIDE)]), tone=60 + number)
        (root / "photos" / path).write_bytes(encoded(photo))
        (root / "out" / path).write_bytes(encoded(noisy(copy, number)))
    return root / "photos", root / "out"


def found(root: Path, **moves: int | None) -> Pairs:
    return pairs(*folders(root, **moves), OPTIONS)


def test_faces_that_are_found_again_are_aligned_by_themselves(tmp_path: Path) -> None:
    both = found(tmp_path, ann1=0, ann2=4, bea1=0)
    assert both.clean.ids == both.protected.ids == ("ann/1.png", "ann/2.png", "bea/1.png")
    assert [both.protected.class_of[id] for id in both.protected.ids] == ["ann", "ann", "bea"]
    assert both.arrival.faces == 3
    assert both.arrival.lost == ()
    assert dict(both.left_out) == {}
    for id in both.clean.ids:
        clean, copy = (images.photo(id).pixels.astype(int) for images in (both.clean, both.protected))
        assert clean.shape == copy.shape == (112, 112, 3)
        # the mark fills both crops, although it lies elsewhere in one of the copies
        inner = slice(4, 108)
        assert (np.abs(clean - (255, 0, 255))[inner, inner] < 3).all()
        assert (np.abs(copy - (255, 0, 255))[inner, inner] < 12).all()
        assert (copy != clean).any()


def test_a_lost_face_is_listed_and_in_no_pair(tmp_path: Path) -> None:
    both = found(tmp_path, ann1=0, ann2=None, bea1=0)
    assert both.arrival.lost == ("ann/2.png",)
    assert both.arrival.faces == 3
    assert both.left_out["ann/2.png"] == "its face is not found in the published copy"
    assert both.clean.ids == both.protected.ids == ("ann/1.png", "bea/1.png")


def test_another_face_than_that_of_the_photo_is_not_taken_for_it(tmp_path: Path) -> None:
    assert found(tmp_path, ann1=0, ann2=100, bea1=0).arrival.lost == ("ann/2.png",)


def test_no_face_found_again_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"No face is found again in the published copies \(2 photos\)"):
        found(tmp_path, ann1=None, bea1=None)


@pytest.mark.parametrize(("moves", "shift"), [((0, 0, 0), 0.0), ((3, 3, 0), 3.0), ((2, 6, 4), 4.0)])
def test_the_shift_is_the_median_in_pixels_of_a_crop(tmp_path: Path, moves: tuple, shift: float) -> None:
    """The marks have the side of the crop, so that a pixel of the photo is one of the crop."""
    both = found(tmp_path, ann1=moves[0], ann2=moves[1], bea1=moves[2])
    assert both.arrival.shift == pytest.approx(shift, abs=1e-6)


def test_the_shift_counts_in_the_size_of_the_face(tmp_path: Path) -> None:
    """Photos of twice the size and marks of twice the size: 4 pixels are 2 of a crop."""
    for name, left in (("photos", 100), ("out", 104)):
        (tmp_path / name / "ann").mkdir(parents=True)
        pixels = with_marks(500, 500, (left, 120, 2 * SIDE))
        (tmp_path / name / "ann" / "1.png").write_bytes(encoded(noisy(pixels) if name == "out" else pixels))
    assert pairs(tmp_path / "photos", tmp_path / "out", OPTIONS).arrival.shift == pytest.approx(2, abs=1e-6)


def test_the_correlation_is_the_part_of_the_noise_that_arrives(tmp_path: Path) -> None:
    """One where the trainer's crops are those of the noise, less when they are shifted."""
    clipped = found(tmp_path / "a", ann1=0, bea1=0).arrival.correlation
    assert clipped == pytest.approx(1)
    folder = tmp_path / "b"
    photos, out = folders(folder, ann1=0, bea1=0)
    # copies that equal their photos carry no noise
    for path in photos.rglob("*.png"):
        (out / path.relative_to(photos)).write_bytes(path.read_bytes())
    assert np.isnan(pairs(photos, out, OPTIONS).arrival.correlation)


@pytest.mark.parametrize("move", [2, 5])
def test_the_correlation_of_a_shifted_crop_is_that_of_a_slow_count(tmp_path: Path, move: int) -> None:
    """Noise of blocks on a flat face, which a detector sees moved; the mark stays where it is."""
    photos, out = folders(tmp_path, ann1=0)
    before = with_marks(320, 340, (100, 90, SIDE), tone=60).astype(int)
    after = noisy(before)

    class Shifted(Marks):
        def __call__(self, pixels: np.ndarray) -> list:
            moved = move if self.sizes else 0
            return [face.moved(1, moved) for face in super().__call__(pixels)]

    with registered("shifted", Shifted()):
        got = pairs(photos, out, FaceOptions("shifted")).arrival
    change = after - before
    meant, arrived = (change[90 : 90 + SIDE, 100 + shift : 100 + shift + SIDE].ravel() for shift in (0, move))
    wanted = float(meant @ arrived / np.linalg.norm(meant) / np.linalg.norm(arrived))
    assert 0.3 < wanted < 0.9
    assert got.correlation == pytest.approx(wanted, abs=0.02)
    assert got.shift == pytest.approx(move)


def test_copies_of_half_the_size_are_compared_in_pixels_of_the_photo(tmp_path: Path) -> None:
    for path, tone in (("ann/1.png", 60), ("bea/1.png", 70)):
        for folder in ("photos", "out"):
            (tmp_path / folder / path).parent.mkdir(parents=True)
        photo = with_marks(640, 700, (300, 200, 2 * SIDE), tone=tone)
        small = np.asarray(Image.fromarray(photo).resize((350, 320), Image.Resampling.LANCZOS))
        (tmp_path / "photos" / path).write_bytes(encoded(photo))
        (tmp_path / "out" / path).write_bytes(encoded(noisy(small)))
    arrival = pairs(tmp_path / "photos", tmp_path / "out", OPTIONS).arrival
    assert arrival.lost == ()
    assert arrival.shift < 0.6
    assert arrival.correlation > 0.9


def test_folders_that_do_not_belong_together(tmp_path: Path) -> None:
    photos, _ = folders(tmp_path / "a", ann1=0)
    (tmp_path / "b" / "zoe").mkdir(parents=True)
    rng = np.random.default_rng(0)
    other = rng.integers(0, 256, (60, 60, 3), dtype=np.uint8)
    (tmp_path / "b" / "zoe" / "7.png").write_bytes(encoded(other))
    with pytest.raises(DataError):
        pairs(photos, tmp_path / "b", OPTIONS)
