"""Photos of two people, from the pictures that scikit-image and matplotlib carry, and a detector of marks."""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib.cbook
import numpy as np
import skimage.data
from PIL import Image
from scipy import ndimage

from unlearnable.faces.detector import DETECTORS, register
from unlearnable.faces.face import CROP, TEMPLATE, Alignment, Face

MARK = (255, 0, 255)


@functools.cache
def astronaut() -> np.ndarray:
    """A photo of Eileen Collins, 512 x 512, one face of about 95 x 120 pixels."""
    return np.asarray(skimage.data.astronaut())


@functools.cache
def hopper() -> np.ndarray:
    """A photo of Grace Hopper, 600 x 512, one face of about 176 x 221 pixels."""
    file = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    return np.asarray(Image.open(file).convert("RGB"))


def cat() -> np.ndarray:
    """A photo without a person."""
    return np.asarray(skimage.data.chelsea())


def encoded(pixels: np.ndarray, format: str = "PNG", **more: object) -> bytes:
    """The bytes of an image file."""
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, format, **more)
    return data.getvalue()


def variant(person: str, number: int) -> np.ndarray:
    """One of many photos of a person: cut, shifted, flipped and brightened."""
    picture, (x, y), size = {
        "eileen": (astronaut(), (224, 120), 200),
        "grace": (hopper(), (260, 225), 380),
    }[person]
    rng = np.random.default_rng(1000 * number + size)
    left, top = (int(middle - size / 2 + rng.integers(-15, 16)) for middle in (x, y))
    part = picture[max(0, top) : top + size, max(0, left) : left + size].astype(float)
    part = np.clip(part * rng.uniform(0.8, 1.2), 0, 255).astype(np.uint8)
    part = part[:, ::-1] if number % 2 else part
    side = int(rng.integers(170, 230))
    return np.asarray(Image.fromarray(np.ascontiguousarray(part)).resize((side, side - 7)))


def two_faces() -> np.ndarray:
    """A photo with Eileen, larger and in the middle, and Grace at the right."""
    pixels = np.zeros((220, 400, 3), np.uint8)
    pixels[10:210, 100:300] = astronaut()[20:220, 124:324]
    pixels[90:210, 300:400] = np.asarray(Image.fromarray(hopper()[45:405, 110:410]).resize((100, 120)))
    return pixels


def write_people(root: Path, number: int = 4) -> Path:
    """Write photos of two people: the last one of Eileen has two faces, the last one of Grace is grey."""
    for person in ("eileen", "grace"):
        (root / person).mkdir(parents=True)
        for index in range(number - 1):
            name = f"{index}.jpg" if index == 1 else f"{index}.png"
            format = "JPEG" if index == 1 else "PNG"
            (root / person / name).write_bytes(encoded(variant(person, index), format))
    (root / "eileen" / "two.png").write_bytes(encoded(two_faces()))
    grey = np.asarray(Image.fromarray(variant("grace", number)).convert("L"))
    (root / "grace" / "grey.png").write_bytes(encoded(grey))
    return root


def placed(side: float, turn: float, x: float, y: float) -> Alignment:
    """The alignment of a crop of ``side`` photo pixels around (x, y), turned by ``turn`` degrees."""
    a, b = np.cos(np.radians(turn)) / side, np.sin(np.radians(turn)) / side
    return Alignment(float(a), float(b), float(0.5 - a * x + b * y), float(0.5 - b * x - a * y))


def face_at(x: float, y: float, size: float, score: float = 0.99) -> Face:
    """An upright face with a square box of ``size`` pixels around (x, y)."""
    points = tuple(
        (x + size * ((u + 0.5) / CROP - 0.5), y + size * ((v + 0.5) / CROP - 0.5)) for u, v in TEMPLATE
    )
    return Face((x - size / 2, y - size / 2, size, size), points, score)


def with_marks(height: int, width: int, *marks: tuple[int, int, int], tone: int = 90) -> np.ndarray:
    """A grey picture with square marks, each (left, top, side)."""
    pixels = np.full((height, width, 3), tone, np.uint8)
    for left, top, side in marks:
        pixels[top : top + side, left : left + side] = MARK
    return pixels


class Marks:
    """Sees every connected mark as a face, and counts its calls.

    Args:
        least: Shortest side of a mark that it sees, in pixels of the picture it gets.
    """

    def __init__(self, least: int = 6, revision: str = "marks 1") -> None:
        self.least, self.revision = least, revision
        self.sizes: list[tuple[int, int]] = []

    def __call__(self, pixels: np.ndarray) -> list[Face]:
        assert pixels.dtype == np.uint8
        assert pixels.shape[2:] == (3,)
        self.sizes.append(pixels.shape[:2])
        like = np.abs(pixels.astype(int) - MARK).max(axis=2) < 70
        found = []
        for rows, columns in ndimage.find_objects(ndimage.label(like)[0]):
            height, width = rows.stop - rows.start, columns.stop - columns.start
            if min(height, width) < self.least:
                continue
            # marks that a tile cuts off are less sure
            edges = rows.start > 0, columns.start > 0, rows.stop < len(like), columns.stop < like.shape[1]
            score = 0.85 + 0.03 * sum(edges)
            middle = (columns.start + columns.stop - 1) / 2, (rows.start + rows.stop - 1) / 2
            points = face_at(*middle, (height + width) / 2).landmarks
            # edges of a pixel lie half a pixel from its centre
            found.append(Face((columns.start - 0.5, rows.start - 0.5, width, height), points, score))
        return found


@contextmanager
def registered(name: str, detector: object) -> Iterator[None]:
    """A detector that can be given by name for a while."""
    register(name)(lambda file: detector)
    try:
        yield
    finally:
        DETECTORS.pop(name)
        DETECTORS.modules.pop(name)
