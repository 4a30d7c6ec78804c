"""Which image gets which pattern, and where: a pure function of an image's id and class name.

What is drawn is drawn by a hash of a seed and the id, never in an order: images that come, go or are shuffled
change nothing for others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from unlearnable.errors import UsageError

Place = Literal["tile", "centre", "random"]
SEPARATOR = "\0"  # no file or folder can have it in its name


@dataclass(frozen=True)
class Assignment:
    """Which images get noise, which of several patterns each gets, and where a pattern that is smaller than the grid lies.

    Args:
        share: Share of the images that get noise, in [0, 1]. An image is among them if its hash, uniform in
            [0, 1), is below the share: shares are nested (the 20% are among the 40%), and are met on average,
            within sqrt(share (1 - share) / images).
        classes: Only images of these classes get noise; None for all of them.
        several: Class-wise: noises per class, whose keys are those of ``keys``; every image gets one of them.
        place: Where a pattern smaller than the grid lies: ``tile``, repeated over the whole grid, or once,
            with nothing around it, in the ``centre`` or at a place of the image's own (``random``).
        mapped: Class names of the images onto class names of the bank, for noise that was made for others; by
            itself, a name is its own.
        seed: What is drawn is drawn from: the share, one of several, the place.

    Raises:
        UsageError: If a value is out of its range.
    """

    share: float = 1.0
    classes: tuple[str, ...] | None = None
    several: int = 1
    place: Place = "tile"
    mapped: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise UsageError(f"A share of {self.share} of the images is none.", "Give a number from 0 to 1.")
        if self.several < 1:
            raise UsageError(f"{self.several} noises per class are too few.", "Give 1 or more.")
        if self.place not in get_args(Place):
            raise UsageError(
                f"There is no place {self.place!r}.", f"Choose one of {', '.join(get_args(Place))}."
            )

    def covers(self, id: str, class_name: str) -> bool:
        """Say whether an image is meant to get noise; whether there is some for it is another question, and the bank's."""
        return (self.classes is None or class_name in self.classes) and (
            self.share >= 1 or self._draw("share", id) < self.share
        )

    def keys(self, class_name: str) -> tuple[str, ...]:
        """Return the keys of a class of the bank, class-wise: its name, or its name with a number for each of several noises."""
        return (
            (class_name,)
            if self.several == 1
            else tuple(f"{class_name}{SEPARATOR}{number}" for number in range(self.several))
        )

    def key(self, id: str, class_name: str) -> str:
        """Return the key of the noise of an image, class-wise."""
        keys = self.keys(self.mapped.get(class_name, class_name))
        return keys[0] if len(keys) == 1 else keys[int(self._draw("several", id) * len(keys))]

    def corner(self, id: str, pattern: tuple[int, int], grid: tuple[int, int]) -> tuple[int, int] | None:
        """Return where the upper left corner of an image's pattern lies on the grid.

        Args:
            id: Of the image.
            pattern: (height, width) of the pattern, at most those of the grid.
            grid: (height, width) of the grid.

        Returns:
            (top, left) in pixels of the grid, or None for a pattern that is repeated.
        """
        down, across = grid[0] - pattern[0], grid[1] - pattern[1]
        if self.place == "tile":
            return None
        if self.place == "centre":
            return down // 2, across // 2
        return int(self._draw("top", id) * (down + 1)), int(self._draw("left", id) * (across + 1))

    def _draw(self, what: str, id: str) -> float:
        """A number in [0, 1) that belongs to an image; 53 bits, so that it is below 1 as a float too."""
        digest = hashlib.sha256("\0".join([str(self.seed), what, id]).encode()).digest()
        return float((int.from_bytes(digest[:8], "big") >> 11) / 2**53)

    def to_json(self) -> dict[str, Any]:
        """Return what ``from_json`` reads."""
        return {**asdict(self), "mapped": dict(self.mapped)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Assignment:
        """Return the assignment that was written down.

        Raises:
            TypeError: If the record has other entries.
        """
        classes = record.get("classes")
        return cls(**{**record, "classes": None if classes is None else tuple(classes)})
