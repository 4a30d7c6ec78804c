"""Detection of the faces in a photo of any size, by a detector of your choice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
from PIL import Image

from unlearnable.budget import UInt8Array
from unlearnable.errors import UsageError
from unlearnable.faces.face import Face
from unlearnable.registry import Registry

# sides of the pictures that detectors get: photos outside these are resized
SHORTEST, LONGEST = 320, 1000
# share of a tile that its neighbour shows too, so that no face is cut everywhere
OVERLAP = 0.25
# boxes of one face found twice share more than this of their union
SAME = 0.4
DEFAULT = "retinaface"


class Detector(Protocol):
    """Finds faces in a picture of moderate size. One file of ``detectors/`` each."""

    # name and version of the weights: faces found by others are looked for again
    revision: str

    def __call__(self, pixels: UInt8Array) -> list[Face]:
        """Return the faces of a picture, uint8 (H, W, 3), in any order."""


DETECTORS: Registry[Callable[[str], Detector]] = Registry("detector")


def register(name: str) -> Callable[[Callable[[str], Detector]], Callable[[str], Detector]]:
    """Register a detector: a function of the file of weights, empty if none is given."""

    def registered(make: Callable[[str], Detector]) -> Callable[[str], Detector]:
        DETECTORS.add(name, make, make.__module__)
        return make

    return registered


def create(spec: str = DEFAULT) -> Detector:
    """Return a detector.

    Args:
        spec: Its name, or ``NAME=FILE`` with a file of weights.

    Raises:
        UsageError: If there is no such detector, its library is not installed, or its file cannot be read.
    """
    name, _, file = spec.partition("=")
    return DETECTORS.find(name)(file)


def needs(library: str) -> UsageError:
    """Return the error for a missing library."""
    return UsageError(
        f"{library} is not installed, which this needs.",
        'Install it with: pip install "unlearnable[faces]".',
    )


def detect(pixels: UInt8Array, detector: Detector) -> tuple[Face, ...]:
    """Return the faces of a photo of any size, the largest first.

    Large photos are shrunk. If no face is found then, the photo is searched again in tiles of its own size.

    Args:
        pixels: uint8 (H, W, 3).
        detector: The detector.
    """
    height, width = pixels.shape[:2]
    longest = max(height, width)
    scale = min(1.0, LONGEST / longest) if longest > SHORTEST else SHORTEST / longest
    size = max(1, round(height * scale)), max(1, round(width * scale))
    found = [_at_own_size(face, width / size[1]) for face in detector(_resized(pixels, size))]
    if not found and scale < 1:
        for top, left in _tiles(height, width):
            tile = np.ascontiguousarray(pixels[top : top + LONGEST, left : left + LONGEST])
            found += [face.moved(1.0, left, top) for face in detector(tile)]
    whole = [face for face in found if face.area > 0 and face.eye_distance > 0]
    return tuple(sorted(_once(whole), key=lambda face: -face.area))


def _at_own_size(face: Face, scale: float) -> Face:
    return face.moved(scale)


def _resized(pixels: UInt8Array, size: tuple[int, int]) -> UInt8Array:
    if size == pixels.shape[:2]:
        return pixels
    return np.asarray(Image.fromarray(pixels).resize(size[::-1], Image.Resampling.BILINEAR))


def _tiles(height: int, width: int) -> Iterator[tuple[int, int]]:
    step = round(LONGEST * (1 - OVERLAP))
    for top in range(0, max(1, height - LONGEST + step), step):
        for left in range(0, max(1, width - LONGEST + step), step):
            yield top, left


def _once(faces: list[Face]) -> list[Face]:
    """Return the faces without those that overlap a surer one."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: -face.score):
        if all(overlap(face, other) <= SAME for other in kept):
            kept.append(face)
    return kept


def overlap(one: Face, other: Face) -> float:
    """Return the area that two boxes share over that of their union."""
    (a, b, c, d), (e, f, g, h) = one.box, other.box
    shared = max(0.0, min(a + c, e + g) - max(a, e)) * max(0.0, min(b + d, f + h) - max(b, f))
    return shared / (one.area + other.area - shared)
