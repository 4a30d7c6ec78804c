"""The budget: how far noise may move a pixel.

Everything here counts in *levels*: steps of 1/255, the unit in which an 8-bit photo is stored.
``epsilon = 8`` is the paper's 8/255.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from unlearnable.errors import UnlearnableError, UsageError

Int8Array = np.ndarray[Any, np.dtype[np.int8]]
UInt8Array = np.ndarray[Any, np.dtype[np.uint8]]
FloatArray = np.ndarray[Any, np.dtype[np.floating[Any]]]

# rows of an image that are compared at a time, so that large photos need little extra memory
CHUNK_ROWS = 256
# noise is stored as signed bytes
MAX_EPSILON = 127


@dataclass(frozen=True)
class Budget:
    """An L-infinity budget: no pixel of any channel moves by more than ``epsilon`` levels.

    Args:
        epsilon: Largest change, in levels of 1/255; a whole number from 1 to 127.

    Raises:
        UsageError: If ``epsilon`` is not a whole number in that range.
    """

    epsilon: int = 8

    def __post_init__(self) -> None:
        if (
            isinstance(self.epsilon, bool)
            or int(self.epsilon) != self.epsilon
            or not 1 <= self.epsilon <= MAX_EPSILON
        ):
            raise UsageError(
                f"epsilon is {self.epsilon!r}, but must be a whole number of levels from 1 to {MAX_EPSILON}.",
                "Give 8, the paper's 8/255.",
            )

    def __str__(self) -> str:
        return f"linf({self.epsilon}/255)"

    def project(self, noise: Any) -> Any:
        """Return the nearest noise inside the budget. Takes and returns a tensor or an array, in levels."""
        return noise.clip(-self.epsilon, self.epsilon)

    def round(self, noise: FloatArray) -> Int8Array:
        """Return finished noise rounded to whole levels inside the budget, int8. Rounding happens only here.

        Raises:
            UnlearnableError: If a value is infinite or not a number.
        """
        if not np.isfinite(noise).all():
            raise UnlearnableError(
                "The noise has values that are not numbers: the search has diverged.",
                "Give a lower learning rate with --set lr=N.",
            )
        return np.asarray(self.project(np.rint(noise)), dtype=np.int8)

    def largest_change(self, before: UInt8Array, after: UInt8Array) -> int:
        """Return ``max |after - before|`` in levels, computed in integers.

        Raises:
            UnlearnableError: If the shapes differ.
        """
        if before.shape != after.shape:
            raise UnlearnableError(f"The shape of the image changed from {before.shape} to {after.shape}.")
        return self.change(before, after)[0]

    def change(self, before: UInt8Array, after: UInt8Array) -> tuple[int, float]:
        """Return the largest and the mean change between two images of the same shape, in levels."""
        largest, total = 0, 0
        for top in range(0, len(before), CHUNK_ROWS):
            a, b = before[top : top + CHUNK_ROWS], after[top : top + CHUNK_ROWS]
            moved = np.maximum(a, b) - np.minimum(a, b)
            largest, total = max(largest, int(moved.max(initial=0))), total + int(moved.sum(dtype=np.int64))
        return largest, total / max(1, before.size)

    def share_left(self, before: UInt8Array, changed: UInt8Array, after: UInt8Array) -> float:
        """Return the share of a change that is left after a lossy step, in [0, 1].

        It is the projection of the whole change onto the change before the step: what the step added in other
        directions does not count.
        """
        left, whole = 0, 0
        for top in range(0, len(before), CHUNK_ROWS):
            rows = slice(top, top + CHUNK_ROWS)
            a, b, c = (image[rows].astype(np.int32) for image in (before, changed, after))
            left, whole = left + int(((b - a) * (c - a)).sum()), whole + int(((b - a) ** 2).sum())
        return min(1.0, max(0.0, left / whole)) if whole else 0.0

    def check(self, before: UInt8Array, after: UInt8Array, name: str = "The image") -> int:
        """Return the largest change, in levels.

        Raises:
            UnlearnableError: If it exceeds the budget.
        """
        change = self.largest_change(before, after)
        if change > self.epsilon:
            raise UnlearnableError(
                f"{name} changed by {change} levels, more than the budget of {self.epsilon}."
            )
        return change
