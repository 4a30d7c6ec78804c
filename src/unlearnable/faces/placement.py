"""Noise of aligned crops in the full photo: through the inverse of the alignment, with a feathered border."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from unlearnable.faces.face import CROP, Alignment

FloatArray = np.ndarray[Any, np.dtype[np.float32]]
# width of the border in which the noise fades, in crop sides: 6 of 112 pixels
FEATHER = 6 / CROP
# points of a photo pixel, per axis, at most: smaller faces than that are hardly seen
MOST_POINTS = 8


def on_photo(
    patterns: Sequence[tuple[FloatArray, Alignment]], size: tuple[int, int], rows: slice
) -> FloatArray:
    """Return the sum of the noises of all faces, in levels, for some rows of a photo.

    Each value is a mean of interpolated samples of a pattern times a window in [0, 1], so the noise of one
    face never exceeds the largest value of its pattern. A pixel of a small face covers several points of the
    grid, and gets their mean.

    Args:
        patterns: (C, h, w) in levels on the grid of a crop, and the alignment of the face, for each.
        size: (height, width) of the photo.
        rows: Rows to return, with ``start`` and ``stop``.

    Returns:
        float32 (C, rows, width).
    """
    channels = patterns[0][0].shape[0]
    total = np.zeros((channels, rows.stop - rows.start, size[1]), np.float32)
    for pattern, alignment in patterns:
        down, across = alignment.box(*size)
        top, bottom = max(down.start, rows.start), min(down.stop, rows.stop)
        if top >= bottom or across.start >= across.stop:
            continue
        part = sampled(pattern, alignment, slice(top, bottom), across)
        total[:, top - rows.start : bottom - rows.start, across] += part
    return total


def sampled(pattern: FloatArray, alignment: Alignment, rows: slice, columns: slice) -> FloatArray:
    """Return the noise of one face in a part of a photo, in levels.

    It is interpolated between the points of the grid, whatever it is on whole photos: landmarks found afresh
    lie a pixel or two elsewhere, and less of a pattern with hard edges survives that.

    Args:
        pattern: (C, h, w) on the grid of the crop.
        alignment: The alignment of the face.
        rows: Rows of the photo.
        columns: Columns of the photo.

    Returns:
        float32 (C, rows, columns); 0 outside the crop.
    """
    points = min(MOST_POINTS, max(1, math.ceil(alignment.scale * max(pattern.shape[1:]))))
    offsets = (np.arange(points) + 0.5) / points - 0.5
    y = np.arange(rows.start, rows.stop)[:, None].astype(np.float64)
    x = np.arange(columns.start, columns.stop)[None, :].astype(np.float64)
    total = np.zeros((len(pattern), y.shape[0], x.shape[1]), np.float32)
    for below in offsets:
        for right in offsets:
            u, v = alignment.unit(x + right, y + below)
            total += _bilinear(pattern, u, v) * window(u, v)
    return np.asarray(total / points**2, dtype=np.float32)


def window(u: Any, v: Any) -> FloatArray:
    """Return the share of the noise that points of the unit square get: 1, falling to 0 at its border."""
    inside = np.minimum(np.minimum(u, 1 - u), np.minimum(v, 1 - v))
    return np.asarray(np.clip(inside / FEATHER, 0, 1), dtype=np.float32)


def _bilinear(pattern: FloatArray, u: Any, v: Any) -> FloatArray:
    height, width = pattern.shape[1:]
    column = np.clip(u * width - 0.5, 0, width - 1)
    row = np.clip(v * height - 0.5, 0, height - 1)
    left, top = column.astype(np.intp), row.astype(np.intp)
    right, below = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    across, down = (column - left).astype(np.float32), (row - top).astype(np.float32)
    upper = pattern[:, top, left] * (1 - across) + pattern[:, top, right] * across
    lower = pattern[:, below, left] * (1 - across) + pattern[:, below, right] * across
    return np.asarray(upper * (1 - down) + lower * down, dtype=np.float32)


def covered(alignment: Alignment, size: tuple[int, int]) -> float:
    """Return the share of a photo that the noise of a face changes, the feathered border in part.

    Args:
        alignment: The alignment of the face.
        size: (height, width) of the photo.
    """
    rows, columns = alignment.box(*size)
    steps = 64
    y = np.linspace(rows.start, rows.stop, steps, endpoint=False)[:, None]
    x = np.linspace(columns.start, columns.stop, steps, endpoint=False)[None, :]
    part = (rows.stop - rows.start) * (columns.stop - columns.start) / (size[0] * size[1])
    return float(part * window(*alignment.unit(x, y)).mean())
