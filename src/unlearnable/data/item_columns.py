"""The image and the label of an item of a data set: a pair, or a row with named columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from unlearnable.data.arrays import photo_from
from unlearnable.data.class_names import plain
from unlearnable.data.photo import Photo
from unlearnable.errors import DataError, UnlearnableError, UsageError

# names of columns, the most usual first
IMAGES = ("image", "img", "jpg", "jpeg", "png", "webp", "pixel_values", "photo", "picture")
LABELS = ("label", "labels", "class", "cls", "target", "fine_label")
# The column of WebDataset with the name of a sample.
KEY = "__key__"
FORMS = (
    "Give a folder, a benchmark's name, (images, labels), or a data set that yields (image, label) pairs or "
    "rows with the columns image and label."
)


class ItemColumns:
    """Takes image and label out of an item: a pair, or a row with named columns.

    Args:
        image: Name of the column of images; found by its type or its name if None.
        label: Name of the column of labels, likewise.
        features: Features of the columns by name, as ``datasets`` has them; empty without.
    """

    def __init__(self, image: str | None, label: str | None, features: Mapping[str, Any]) -> None:
        self.features = features
        self.image, self.label = image, label
        self._asked = image, label

    def pair(self, item: Any, position: int) -> tuple[Any, Any]:
        """Return (image, label) of an item.

        Raises:
            UsageError: If it is not clear which columns are meant.
            DataError: If it is no image with a label.
        """
        if isinstance(item, Mapping):
            if KEY in item:
                # the samples of WebDataset have no columns: one holds a .jpg file, the next one a .png file
                self.image, self.label = self._asked
            self.image = self._chosen("image", self.image, IMAGES, "Image", item)
            self.label = self._chosen("label", self.label, LABELS, "ClassLabel", item)
            label = item[self.label]
            # the bytes of a file .cls that is not decoded
            text = KEY in item and isinstance(label, bytes)
            return item[self.image], label.decode("utf-8", "replace").strip() if text else label
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
        return usable(getattr(self.features.get(self.label or ""), "names", None))

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
        # features state which column holds images or classes; a name only suggests it. A function of the
        # user's own (with_transform) may yield rows without these columns
        typed = [name for name in row if type(self.features.get(name)).__name__ == kind]
        found = typed or [name for name in usual if name in row]
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


@contextmanager
def reading(position: int | None) -> Iterator[None]:
    """Turn an error that a data set raises for an item into a ``DataError`` that names the item.

    Args:
        position: Position of the item; None for the labels of all of them.

    Raises:
        DataError: If the data set raises an error of its own.
    """
    try:
        yield
    except (UnlearnableError, MemoryError):
        raise
    except Exception as error:
        what = "The list of labels of the data set" if position is None else f"Item {position}"
        text = " ".join(str(error).split())[:200]
        raise DataError(
            f"{what} cannot be read: its data set raises {type(error).__name__}"
            f"{f' ({text})' if text else ''}.",
            "Correct the data set, or leave the item out.",
        ) from error


def encoded_in(image: Any) -> bytes | None:
    """Return the bytes of an image that is given as an encoded file; None for other images."""
    # the row of an image that is not decoded, as Hugging Face gives it
    if isinstance(image, Mapping) and isinstance(image.get("bytes"), bytes):
        return bytes(image["bytes"])
    return image if isinstance(image, bytes) else None


def photo_in(image: Any, what: str) -> Photo:
    """Return the image of an item as a photo.

    Args:
        image: The image: of Pillow, an array, a tensor, or the bytes of a file.
        what: The subject of messages, for example ``The image of item 3``.

    Raises:
        DataError: If it is no image.
    """
    data = encoded_in(image)
    if data is not None:
        from unlearnable.data.decoding import decode

        return decode(data, what)
    if isinstance(image, Mapping) and image.get("path"):
        raise DataError(
            f"{what} is only the path of one, {image['path']!r:.60}; nothing is downloaded.",
            "Give decoded images: data.cast_column(name, datasets.Image()).",
        )
    return photo_from(image, what)


def same_label(one: Any, other: Any) -> bool:
    """Return whether two labels, which may be tensors or NumPy numbers, are equal."""
    return bool(plain(one) == plain(other))


def usable(classes: Any) -> list[str] | None:
    """Return class names as a data set has them, or None. ImageNet has a tuple of synonyms for each."""
    if not isinstance(classes, list | tuple) or not classes:
        return None
    names = [", ".join(map(str, name)) if isinstance(name, tuple) else str(name) for name in classes]
    return names if len(set(names)) == len(names) else None
