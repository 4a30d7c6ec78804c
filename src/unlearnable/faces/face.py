"""One detected face, and its alignment: the similarity between a photo and the unit square of its crop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from unlearnable.budget import UInt8Array

Matrix = np.ndarray[Any, np.dtype[np.float64]]

# Where recognisers expect eyes, nose and corners of the mouth, in pixels of a crop of 112 (ArcFace, Deng et
# al., CVPR 2019, and SFace use these points); pixel centres are whole numbers.
CROP = 112
TEMPLATE = (
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)


@dataclass(frozen=True)
class Face:
    """A face in a photo, in pixels of the upright photo; the centre of the upper left pixel is (0, 0).

    Args:
        box: Left, top, width and height.
        landmarks: (x, y) of the eye on the left of the picture, the other eye, the nose, and the left and
            right corners of the mouth.
        score: Confidence of the detector, in [0, 1].
    """

    box: tuple[float, float, float, float]
    landmarks: tuple[tuple[float, float], ...]
    score: float

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y) of the middle of the box."""
        left, top, width, height = self.box
        return left + width / 2, top + height / 2

    @property
    def area(self) -> float:
        """Area of the box, in pixels."""
        return self.box[2] * self.box[3]

    @property
    def eye_distance(self) -> float:
        """Distance between the eyes, in pixels."""
        (x, y), (u, v), *_ = self.landmarks
        return float(np.hypot(u - x, v - y))

    def moved(self, scale: float, left: float = 0.0, top: float = 0.0) -> Face:
        """Return the face in the coordinates of a larger picture: scaled, then shifted.

        Args:
            scale: Side of the larger picture's pixels over that of these pixels.
            left: Column of the larger picture at which this one was cut out.
            top: Row likewise.
        """
        x, y, width, height = self.box
        # the left edge of a pixel is half a pixel before its centre
        points = tuple(
            ((u + 0.5) * scale - 0.5 + left, (v + 0.5) * scale - 0.5 + top) for u, v in self.landmarks
        )
        box = (x + 0.5) * scale - 0.5 + left, (y + 0.5) * scale - 0.5 + top, width * scale, height * scale
        return Face(box, points, self.score)


@dataclass(frozen=True)
class Alignment:
    """The similarity from a photo to the unit square of an aligned crop.

    Args:
        a: Scale times the cosine of the turn, in crop sides per pixel.
        b: Scale times the sine of the turn, likewise.
        x: Column of the crop, in crop sides, of the photo's upper left pixel centre.
        y: Row likewise.
    """

    a: float
    b: float
    x: float
    y: float

    @classmethod
    def of(cls, landmarks: Sequence[tuple[float, float]]) -> Alignment:
        """Return the similarity that brings landmarks closest to the template (least squares)."""
        points = np.asarray(landmarks, dtype=np.float64)
        wanted = (np.asarray(TEMPLATE) + 0.5) / CROP
        centre, middle = points.mean(axis=0), wanted.mean(axis=0)
        (p, q), (u, v) = (points - centre).T, (wanted - middle).T
        spread = float((p**2 + q**2).sum())
        if not spread > 0:
            raise ValueError("the landmarks are all in one place")
        a, b = float((p * u + q * v).sum()) / spread, float((p * v - q * u).sum()) / spread
        x, y = middle - np.array([a * centre[0] - b * centre[1], b * centre[0] + a * centre[1]])
        return cls(a, b, float(x), float(y))

    @property
    def scale(self) -> float:
        """Crop sides per pixel of the photo."""
        return float(np.hypot(self.a, self.b))

    @property
    def side(self) -> float:
        """Side of the crop, in pixels of the photo."""
        return 1 / self.scale

    def unit(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Return (u, v) in the unit square of points of the photo, numbers or arrays."""
        return self.a * x - self.b * y + self.x, self.b * x + self.a * y + self.y

    def points(self, u: Any, v: Any) -> tuple[Any, Any]:
        """Return (x, y) in the photo of points of the unit square, numbers or arrays."""
        u, v = u - self.x, v - self.y
        size = self.a**2 + self.b**2
        return (self.a * u + self.b * v) / size, (self.a * v - self.b * u) / size

    def resized(self, before: tuple[int, int], after: tuple[int, int]) -> Alignment:
        """Return the alignment in the photo at another size: that of the same landmarks there.

        Args:
            before: (height, width) of the photo.
            after: (height, width) of the resized photo.
        """
        if before == after:
            return self
        down, across = after[0] / before[0], after[1] / before[1]
        wanted = ((np.asarray(TEMPLATE) + 0.5) / CROP).T
        x, y = self.points(*wanted)
        there = np.stack([(x + 0.5) * across - 0.5, (y + 0.5) * down - 0.5], axis=1)
        return Alignment.of([(float(u), float(v)) for u, v in there])

    def box(self, height: int, width: int) -> tuple[slice, slice]:
        """Return the rows and columns of a photo that the crop lies within; empty slices if it is outside."""
        x, y = self.points(np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.0, 0.0, 1.0, 1.0]))
        left, right = np.clip([np.floor(x.min()), np.ceil(x.max()) + 1], 0, width).astype(int)
        top, bottom = np.clip([np.floor(y.min()), np.ceil(y.max()) + 1], 0, height).astype(int)
        return slice(top, bottom), slice(left, right)

    def crop(self, pixels: UInt8Array, side: int) -> UInt8Array:
        """Return the aligned crop, antialiased bilinear and black outside the photo.

        Args:
            pixels: uint8 (H, W) or (H, W, 3).
            side: Side of the crop in pixels.
        """
        height, width = pixels.shape[:2]
        rows, columns = self.box(height, width)
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return np.zeros((side, side, *pixels.shape[2:]), np.uint8)
        image = Image.fromarray(np.ascontiguousarray(pixels[rows, columns]))
        region = image.size
        if self.side > side:
            # the affine map interpolates between neighbours only, so the region is shrunk first
            shrunk = (max(1, round(edge * side / self.side)) for edge in region)
            image = image.resize((next(shrunk), next(shrunk)), Image.Resampling.BILINEAR)
        (x, right, below_x), (y, right_y, below) = self.points(
            np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])
        )
        # Pillow counts from the edge of a pixel, not from its centre
        across, down = image.width / region[0], image.height / region[1]
        matrix = (
            across * (right - x) / side,
            across * (below_x - x) / side,
            across * (x + 0.5 - columns.start),
            down * (right_y - y) / side,
            down * (below - y) / side,
            down * (y + 0.5 - rows.start),
        )
        warped = image.transform((side, side), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
        return np.asarray(warped)
