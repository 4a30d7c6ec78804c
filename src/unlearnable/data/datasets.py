"""Data sets of other libraries: anything that yields (image, label) pairs or rows with named columns.

Nothing is imported for it: a data set is known by what it offers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from unlearnable.data.arrays import labelled, photo_from
from unlearnable.data.class_names import class_names
from unlearnable.data.image_set import ImageSet
from unlearnable.data.photo import Photo
from unlearnable.errors import DataError, UsageError

# names of columns, the most usual first
IMAGES = ("image", "img", "jpg", "jpeg", "png", "webp", "pixel_values", "photo", "picture")
LABELS = ("label", "labels", "class", "cls", "target", "fine_label")
FORMS = (
    "Give a folder, a benchmark's name, (images, labels), or a data set that yields (image, label) pairs or "
    "rows with the columns image and label."
)


def dataset(
    items: Any, *, classes: Iterable[str] | None = None, image: str | None = None, label: str | None = None
) -> ImageSet:
    """Return an ImageSet of a data set, in its order. It is read once, into memory.

    Args:
        items: A data set of torch's kind (``len(items)``, ``items[i]``), a Hugging Face ``Dataset``, or an
            iterable, which is read to its end. Each item is (image, label) or a row with named columns.
            Images are Pillow images, arrays or tensors, or encoded files (bytes), without augmentation. The
            ids are positions (``00042``), so the data set must always be in the same order.
        classes: Class names for labels that are indices; by default those of the data set, if it has them.
        image: Name of the column of images; by default the column of type ``Image``, or a usual name.
        label: Name of the column of labels; by default the column of type ``ClassLabel``, or a usual name.

    Raises:
        UsageError: If it is something else, for example a ``DataLoader``, whose items are batches.
        DataError: If an image or a label cannot be used; the message names the position.
    """
    _refuse_lookalikes(items)
    features = getattr(items, "features", None)
    columns = _Columns(image, label, features if isinstance(features, Mapping) else {})
    photos: list[Photo] = []
    labels: list[Any] = []
    for position, item in enumerate(_iterated(items)):
        picture, value = columns.pair(item, position)
        photos.append(_photo(picture, f"The image of item {position}"))
        labels.append(value)
    if not photos:
        raise DataError("The data set holds no image.", FORMS)
    found = classes
    # names of its own that a data set already uses for its labels need no table
    if found is None and not any(isinstance(value, str) for value in labels):
        found = columns.classes() or _classes(items)
    names = class_names(labels, found, "The label of item {}")
    return labelled(photos, names, [f"{position:05d}" for position in range(len(photos))])


class _Columns:
    """Takes image and label out of an item: a pair, or a row with named columns."""

    def __init__(self, image: str | None, label: str | None, features: Mapping[str, Any]) -> None:
        self.features = features
        self.image, self.label = image, label

    def pair(self, item: Any, position: int) -> tuple[Any, Any]:
        """Return (image, label) of an item."""
        if isinstance(item, Mapping):
            self.image = self._chosen("image", self.image, IMAGES, "Image", item)
            self.label = self._chosen("label", self.label, LABELS, "ClassLabel", item)
            return item[self.image], item[self.label]
        if self.image is not None or self.label is not None:
            raise UsageError(
                "image= and label= name columns, but the items of this data set have none.", "Leave them out."
            )
        if isinstance(item, tuple | list) and len(item) == 2:
            return item[0], item[1]
        pairs = isinstance(item, tuple | list)
        found = f"has {len(item)} values" if pairs else f"is of type {type(item).__name__}"
        raise DataError(f"Item {position} {found}: it is not an image and its label.", FORMS)

    def classes(self) -> list[str] | None:
        """Return the class names of the column of labels, if it has them."""
        return _usable(getattr(self.features.get(self.label or ""), "names", None))

    def _chosen(
        self, argument: str, asked: str | None, usual: tuple[str, ...], kind: str, row: Mapping[str, Any]
    ) -> str:
        listed = ", ".join(map(str, row))
        if asked is not None:
            if asked not in row:
                raise UsageError(
                    f"There is no column {asked!r}.", f"Name another with {argument}=; there are: {listed}."
                )
            return asked
        # features know which column holds images or classes; a name only tells
        typed = [name for name, feature in self.features.items() if type(feature).__name__ == kind]
        found = typed if typed else [name for name in usual if name in row]
        if len(found) > 1:
            found = [name for name in usual if name in found][:1]
        if not found:
            rest = [name for name in row if name != self.image]
            raise UsageError(
                f"It is not clear which column holds the {argument}s; there are: {listed}.",
                f"Name it: load(data, {argument}={rest[0]!r})."
                if rest
                else f"Give a data set with {argument}s.",
            )
        return found[0]


def _photo(image: Any, what: str) -> Photo:
    # the row of an image that is not decoded, as Hugging Face gives it
    if isinstance(image, Mapping) and isinstance(image.get("bytes"), bytes):
        image = image["bytes"]
    if isinstance(image, bytes):
        from unlearnable.data.decoding import decode

        return decode(image, what)
    return photo_from(image, what)


def _iterated(items: Any) -> Iterator[Any]:
    """Yield the items by position where that works, else in one pass."""
    # iterating over a data set of torch need not end; one of Hugging Face is read faster in one pass
    if not hasattr(items, "column_names"):
        try:
            count = len(items)
            first = items[0] if count else None
        except (TypeError, NotImplementedError, AttributeError, KeyError):
            if not hasattr(items, "__iter__") and hasattr(items, "__len__"):
                raise
        else:
            yield from ([first] if count else [])
            yield from (items[position] for position in range(1, count))
            return
    if not hasattr(items, "__iter__"):
        raise UsageError(f"{items!r:.60} is not a source of images.", FORMS)
    yield from items


def _classes(items: Any) -> list[str] | None:
    """Return the class names of a data set, of the one that a subset is of, or of those that it joins."""
    found = _usable(getattr(items, "classes", None))
    if found is not None:
        return found
    if hasattr(items, "indices") and hasattr(items, "dataset"):
        return _classes(items.dataset)
    parts = getattr(items, "datasets", None)
    if isinstance(parts, list | tuple) and parts:
        lists = [_classes(part) for part in parts]
        return lists[0] if all(names == lists[0] for names in lists) else None
    return None


def _usable(classes: Any) -> list[str] | None:
    """Return class names as a data set has them, or None. ImageNet has a tuple of synonyms for each."""
    if not isinstance(classes, list | tuple) or not classes:
        return None
    names = [", ".join(map(str, name)) if isinstance(name, tuple) else str(name) for name in classes]
    return names if len(set(names)) == len(names) else None


def _refuse_lookalikes(items: Any) -> None:
    if isinstance(items, Mapping):
        keys = ", ".join(map(str, items))
        if any(hasattr(part, "column_names") for part in items.values()):
            first = next(iter(items))
            raise UsageError(f"These are several data sets: {keys}.", f"Load one: load(data[{first!r}]).")
        raise UsageError(
            f"A mapping was given, with the keys {keys}." if keys else "An empty mapping was given.",
            "Give its images and its labels: load(data['image'], data['label']).",
        )
    if hasattr(items, "collate_fn") and hasattr(items, "dataset"):
        raise UsageError(
            "A DataLoader yields batches, which may be shuffled and augmented.",
            "Give its data set: load(loader.dataset).",
        )
    if hasattr(items, "iloc") and hasattr(items, "columns"):
        raise UsageError(
            "A table was given.", "Give its columns: load(list(table['image']), table['label'])."
        )
    if isinstance(items, int | float | complex | bytes) or items is None:
        raise UsageError(f"{items!r:.60} is not a source of images.", FORMS)
