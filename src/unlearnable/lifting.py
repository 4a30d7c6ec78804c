"""Interpolation as matrices: lifting noise from a coarse grid to a photo's size, and resizing it again.

Both operations are linear and separable, so one matrix per axis describes each. Published pixels are computed
with these matrices, and the search differentiates through the same ones. Every row is a convex combination,
so lifted noise stays inside its budget; bicubic and Lanczos weights are not convex and could exceed it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import numpy as np

Matrix = np.ndarray[Any, np.dtype[np.float32]]
Interpolation = Literal["bilinear", "nearest"]
# the noise of grey photos: the mean over the channels, scaled to the strength of the pattern or as it is
Grey = Literal["full", "mean"]

# side of a large photo over that of the grid: the mean of lifted noise hardly changes beyond
LARGE = 4
# steps towards the factor for grey photos, which the budget bounds; four reach 90% of the strength
GREY_STEPS = 4


@lru_cache(maxsize=256)
def resample(target: int, source: int, how: Interpolation = "bilinear") -> Matrix:
    """Return the matrix that resamples an axis, float32 (target, source); the identity for equal sizes.

    When it shrinks, ``bilinear`` is the triangle filter with the antialiasing that Pillow and most trainers
    use. When it enlarges, it is plain bilinear interpolation with pixel centres at half-integers.
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
    chunk: slice = slice(None),
) -> np.ndarray[Any, Any]:
    """Return a pattern lifted over the whole frame of a photo.

    Args:
        pattern: (C, h, w), in levels.
        height: Height of the photo in pixels.
        width: Width of the photo in pixels.
        how: Interpolation.
        chunk: Rows of the photo to return; all by default.

    Returns:
        float32 (C, rows, width).
    """
    rows = resample(height, pattern.shape[1], how)[chunk]
    columns = resample(width, pattern.shape[2], how)
    return np.asarray(rows @ pattern.astype(np.float32) @ columns.T, dtype=np.float32)


def usual(pattern: np.ndarray[Any, Any], how: Interpolation = "bilinear") -> float:
    """Return the mean absolute value of a pattern, (C, h, w), lifted to a large photo."""
    return float(np.abs(lift(pattern, LARGE * pattern.shape[1], LARGE * pattern.shape[2], how)).mean())


def gain(pattern: np.ndarray[Any, Any], height: int, width: int, how: Interpolation = "bilinear") -> float:
    """Return the factor that makes up for averaging where a photo is smaller than the grid.

    Averaging weakens a pattern to a quarter where a photo has a quarter of the grid's side. The factor gives
    the photo the mean change of a large one. It is 1 for photos with at least the grid's sides.

    Args:
        pattern: (C, h, w), in levels.
        height: Height of the photo in pixels.
        width: Width of the photo in pixels.
        how: Interpolation.
    """
    down, across = pattern.shape[1:]
    if height >= down and width >= across:
        return 1.0
    # means over a side many times the grid's are those of a shorter one
    lifted = lift(pattern, min(height, LARGE * down), min(width, LARGE * across), how)
    mean = float(np.abs(lifted).mean())
    return max(1.0, usual(pattern, how) / mean) if mean else 1.0


def grey_factor(pattern: Any, epsilon: float) -> Any:
    """Return the factor that gives a grey photo noise as strong as that of a colour photo.

    A grey photo gets the mean over the channels. It is weaker than the channels: about a half for independent
    ones, and less where they cancel. The factor makes up for that, inside the budget: the mean absolute value
    of ``clip(factor * mean)`` approaches that of the pattern. The search and the published files use it.

    Args:
        pattern: (..., C, h, w), in levels: an array or a tensor.
        epsilon: The budget, in levels.

    Returns:
        (..., 1, 1, 1) of the same kind, at least 1; anything for channels that cancel everywhere.
    """
    axes = (-3, -2, -1)
    mean = pattern.mean(axis=-3, keepdims=True)
    wanted = abs(pattern).mean(axis=axes, keepdims=True)
    factor = wanted * 0 + 1
    for _ in range(GREY_STEPS):
        size = abs((factor * mean).clip(-epsilon, epsilon)).mean(axis=axes, keepdims=True)
        factor = (factor * wanted / (size + (size == 0))).clip(1, None)
    return factor


def grid_to_view(view: int, photo: int, grid: int, how: Interpolation = "bilinear") -> Matrix:
    """Return the matrix that lifts a grid to a photo's size and resizes the photo, float32 (view, grid).

    Args:
        view: Side in pixels after the resize.
        photo: Side of the photo in pixels.
        grid: Side of the grid.
        how: Interpolation of the lifting; the resize is always bilinear.
    """
    return np.asarray(resample(view, photo) @ resample(photo, grid, how), dtype=np.float32)
