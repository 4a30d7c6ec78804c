"""Interpolation as matrices: how noise on a coarse grid reaches a photo's own size, and how a resize weakens it.

Both directions are linear and separable, so one matrix per axis says all: the pixels that are published are
computed from these matrices, and the search differentiates through the very same ones. Every row is a convex
combination, so a lifted noise never leaves its budget. (Bicubic and Lanczos weights are not convex, and
would.)
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import numpy as np

Matrix = np.ndarray[Any, np.dtype[np.float32]]
Interpolation = Literal["bilinear", "nearest"]


@lru_cache(maxsize=256)
def resample(target: int, source: int, how: Interpolation = "bilinear") -> Matrix:
    """Return the (target, source) matrix that resamples an axis; the identity where the sizes agree.

    ``bilinear`` is the triangle filter with the antialiasing that Pillow and most trainers use when they
    shrink, and is plain bilinear interpolation (pixel centres at half-integers) when it enlarges.
    """
    centres = (np.arange(target) + 0.5) * source / target
    if how == "nearest":
        weights = np.zeros((target, source))
        weights[np.arange(target), np.minimum(centres.astype(int), source - 1)] = 1.0
    else:
        reach = max(source / target, 1.0)
        distance = np.abs(np.arange(source)[None, :] + 0.5 - centres[:, None])
        weights = np.maximum(0.0, 1.0 - distance / reach)
        weights /= weights.sum(axis=1, keepdims=True)
    matrix = weights.astype(np.float32)
    matrix.setflags(write=False)
    return matrix


def lift(
    pattern: np.ndarray[Any, Any],
    height: int,
    width: int,
    how: Interpolation = "bilinear",
    strip: slice = slice(None),
) -> np.ndarray[Any, Any]:
    """Lift a (C, h, w) pattern over the whole frame of a (height, width) photo. Returns float32 (C, height, width), or a strip of rows."""
    rows = resample(height, pattern.shape[1], how)[strip]
    columns = resample(width, pattern.shape[2], how)
    return np.asarray(rows @ pattern.astype(np.float32) @ columns.T, dtype=np.float32)


def seen_through(view: int, photo: int, grid: int, how: Interpolation = "bilinear") -> Matrix:
    """Return K, the (view, grid) matrix that lifts a grid to a photo of ``photo`` pixels and resizes that to ``view``."""
    return np.asarray(resample(view, photo) @ resample(photo, grid, how), dtype=np.float32)
