"""The assignment of patterns to images, and their offsets: a pure function of an image's id and class name.

Every draw is a hash of a seed and the id, independent of any order. Images that come, go or are shuffled
change nothing for others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from unlearnable.errors import UsageError
from unlearnable.hashing import draw
from unlearnable.renamed import to_current, to_recorded

Offset = Literal["tile", "centre", "random"]
SEPARATOR = "\0"  # no file or folder can have it in its name


@dataclass(frozen=True)
class Assignment:
    """Decides which images get noise, which pattern of their class, and where a small pattern lies.

    Args:
        share: Share of the images that get noise, in [0, 1]. An image is among them if its hash, uniform in
            [0, 1), is below the share: shares are nested (the 20% are among the 40%), and are met on average,
            within sqrt(share (1 - share) / images).
        classes: Only images of these classes get noise; None for all of them.
        patterns_per_class: Class-wise only. ``keys`` names the patterns of a class; every image gets one.
        offset: Where a pattern smaller than the grid lies. ``tile`` repeats it over the whole grid; otherwise
            it appears once, with nothing around it, in the ``centre`` or at an offset drawn for each image
            (``random``).
        mapped: Class names of the images onto class names of the bank, for noise that was made for other
            data. A name that is missing stays as it is.
        seed: The seed of every draw: share, pattern and offset.

    Raises:
        UsageError: If a value is out of its range.
    """

    share: float = 1.0
    classes: tuple[str, ...] | None = None
    patterns_per_class: int = 1
    offset: Offset = "tile"
    mapped: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise UsageError(f"share is {self.share}, but must be between 0 and 1.", "Give 1 for all images.")
        if self.patterns_per_class < 1:
            raise UsageError(
                f"patterns_per_class is {self.patterns_per_class}, but must be 1 or more.",
                "Give 1 for one pattern per class.",
            )
        if self.offset not in get_args(Offset):
            raise UsageError(
                f"offset is {self.offset!r}, which does not exist.", f"Choose {', '.join(get_args(Offset))}."
            )

    def covers(self, id: str, class_name: str) -> bool:
        """Return whether an image is to get noise; the bank need not have noise for it."""
        return (self.classes is None or class_name in self.classes) and (
            self.share >= 1 or draw(self.seed, "share", id) < self.share
        )

    def keys(self, class_name: str) -> tuple[str, ...]:
        """Return the keys of a class, class-wise: its name, numbered if it has more than one pattern."""
        if self.patterns_per_class == 1:
            return (class_name,)
        return tuple(f"{class_name}{SEPARATOR}{number}" for number in range(self.patterns_per_class))

    def key(self, id: str, class_name: str) -> str:
        """Return the key of the pattern of an image, class-wise."""
        keys = self.keys(self.mapped.get(class_name, class_name))
        # "several" is part of a hash that places noise which is already published, so the name stays
        return keys[0] if len(keys) == 1 else keys[int(draw(self.seed, "several", id) * len(keys))]

    def top_left(self, id: str, pattern: tuple[int, int], grid: tuple[int, int]) -> tuple[int, int] | None:
        """Return where the upper left corner of an image's pattern lies on the grid.

        Args:
            id: Of the image.
            pattern: (height, width) of the pattern, at most those of the grid.
            grid: (height, width) of the grid.

        Returns:
            (top, left) in pixels of the grid, or None for a pattern that is repeated.
        """
        down, across = grid[0] - pattern[0], grid[1] - pattern[1]
        if self.offset == "tile":
            return None
        if self.offset == "centre":
            return down // 2, across // 2
        return int(draw(self.seed, "top", id) * (down + 1)), int(draw(self.seed, "left", id) * (across + 1))

    def to_json(self) -> dict[str, Any]:
        """Return the record that noise files hold, under the names that their format gives the fields."""
        return to_recorded({**asdict(self), "mapped": dict(self.mapped)})

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Assignment:
        """Return the assignment of a record, under old names or today's.

        Raises:
            TypeError: If the record has other entries.
        """
        fields = to_current(record)
        classes = fields.get("classes")
        return cls(**{**fields, "classes": None if classes is None else tuple(classes)})
