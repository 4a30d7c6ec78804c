"""Photos of a data set that is read by position, each when its turn comes."""

from __future__ import annotations

import threading
from typing import Any

from unlearnable import hashing
from unlearnable.data.facts_table import FactsTable
from unlearnable.data.id_rows import Rows
from unlearnable.data.item_columns import ItemColumns, photo_in, reading, same_label
from unlearnable.data.photo import Photo
from unlearnable.data.source import Facts
from unlearnable.errors import DataError


class ItemSource:
    """The photos of a data set (``items[position]``), whose ids are their positions.

    The content hash of a photo is saved, in 49 bytes a photo, and compared whenever the photo is read again:
    noise that was found for one crop of a photo does not protect another. One thread reads at a time, because
    a data set need not be thread-safe. The source can be pickled if the data set can be.

    Args:
        items: The data set.
        columns: Takes image and label out of an item.
        count: Number of items.
        labels: The label of every item; None to find them, and all facts, with one pass over the items.

    Raises:
        DataError: If an image cannot be used; the message names the item.
    """

    def __init__(self, items: Any, columns: ItemColumns, count: int, labels: list[Any] | None) -> None:
        self.items, self.columns = items, columns
        self.facts = FactsTable(Rows(tuple(map(id_of, range(count)))))
        self._lock = threading.Lock()
        if labels is not None:
            self.labels = labels
            return
        self.labels = []
        for position in range(count):
            with reading(position):
                item = items[position]
            image, label = columns.pair(item, position)
            self.labels.append(label)
            self._photo(position, image)

    def load(self, id: str) -> tuple[Photo, str]:
        """Return a photo and the hash of its pixels.

        Raises:
            DataError: If it cannot be read, or it is not what it was before; the message names the item.
        """
        position = int(id)
        with self._lock:
            with reading(position):
                item = self.items[position]
            image, label = self.columns.pair(item, position)
            if not same_label(label, self.labels[position]):
                raise DataError(
                    f"The label of item {position} is {label!r} when the item is read, and "
                    f"{self.labels[position]!r} in the list of labels of the data set.",
                    "Give load(images, labels), or correct the list.",
                )
            return self._photo(position, image)

    def _photo(self, position: int, image: Any) -> tuple[Photo, str]:
        photo = photo_in(image, f"The image of item {position}")
        digest = hashing.of_pixels(photo.pixels)
        known = self.facts.get(id_of(position))
        if known is None:
            self.facts.put(position, Facts.of(photo, digest))
        elif known.digest != digest:
            raise DataError(
                f"The image of item {position} is another one each time it is read.",
                "Switch augmentation off, and give a data set whose order stays the same.",
            )
        return photo, digest

    def size(self, id: str) -> tuple[int, int] | None:
        """Return (height, width); None if the photo has not been read yet."""
        known = self.facts.get(id)
        return None if known is None else known.size

    def stamp(self, id: str) -> str:
        """Return the hash of the pixels."""
        known = self.facts.get(id)
        return self.load(id)[1] if known is None else known.digest

    def origin(self, id: str) -> Photo:
        """Return the photo itself."""
        return self.load(id)[0]

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.Lock())


def id_of(position: int) -> str:
    """Return the id of an item."""
    return f"{position:05d}"
