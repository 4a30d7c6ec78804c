"""Data sets of other libraries: anything that yields (image, label) pairs or rows with named columns.

No other library is imported: a data set is recognised by its methods and attributes. If it has positions, its
photos are read when they are needed. A stream is read once, to its end.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from unlearnable.data.class_names import class_names
from unlearnable.data.image_set import ImageSet, from_entries
from unlearnable.data.item_columns import FORMS, ItemColumns, reading, usable
from unlearnable.data.item_source import ItemSource, id_of
from unlearnable.data.listed_labels import listed_labels, without_other_columns
from unlearnable.data.source import Source
from unlearnable.data.spool import Spool
from unlearnable.errors import DataError, UsageError


def dataset(
    items: Any, *, classes: Iterable[str] | None = None, image: str | None = None, label: str | None = None
) -> ImageSet:
    """Return an ImageSet of a data set, in its order.

    The photos of a data set with positions are read whenever they are needed. Its labels are read now: all at
    once if it lists them, and otherwise with one pass over the items. A stream is read once, now: up to 1 GiB
    of its photos stay in memory, and the rest goes into a temporary file.

    Args:
        items: A data set of torch's kind (``len(items)``, ``items[i]``), a Hugging Face ``Dataset`` or
            ``IterableDataset``, a WebDataset, or an iterable, which is read to its end. Each item is (image,
            label) or a row with named columns. Images are Pillow images, arrays or tensors, or encoded files
            (bytes), without augmentation. The ids are positions (``00042``), so the data set must always be
            in the same order.
        classes: Class names for labels that are indices; by default those of the data set, if it has them.
        image: Name of the column of images; by default the column of type ``Image``, or a usual name.
        label: Name of the column of labels; by default the column of type ``ClassLabel``, or a usual name.

    Raises:
        UsageError: If it is something else, for example a ``DataLoader``, whose items are batches.
        DataError: If an image or a label cannot be used; the message names the position.
    """
    _refuse_lookalikes(items)
    features = getattr(items, "features", None)
    columns = ItemColumns(image, label, features if isinstance(features, Mapping) else {})
    first = _first(items)
    source: Source
    if first is None:
        source, labels = _streamed(items, columns)
        facts = source.facts()
    else:
        source = _by_position(items, columns, *first)
        labels, facts = source.labels, source.facts
    # labels that are names already need no table of names
    if classes is None and not any(isinstance(value, str) for value in labels):
        classes = columns.classes() or _classes(items)
    names = class_names(labels, classes, "The label of item {}")
    entries = ((id_of(position), name) for position, name in enumerate(names))
    # shared with the source, which adds the facts of an item when it first reads it
    return replace(from_entries(entries, source), facts=facts)


def _by_position(items: Any, columns: ItemColumns, item: Any, count: int) -> ItemSource:
    """Return the photos of a data set with positions, given its first item, with their labels."""
    columns.pair(item, 0)
    items = without_other_columns(items, columns)
    labels = listed_labels(items, columns, count)
    source = ItemSource(items, columns, count, labels)
    if labels is not None:
        # a data set whose images cannot be used is refused now
        source.load(id_of(0))
    return source


def _streamed(items: Any, columns: ItemColumns) -> tuple[Spool, list[Any]]:
    """Return the photos of a stream, and its labels."""
    if not hasattr(items, "__iter__"):
        raise UsageError(f"{items!r:.60} is not a source of images.", FORMS)
    spool, labels = Spool(), list[Any]()
    for position, item in enumerate(_in_turn(items)):
        picture, label = columns.pair(item, position)
        spool.add(picture)
        labels.append(label)
    if not labels:
        raise DataError("The data set holds no image.", FORMS)
    return spool, labels


def _in_turn(items: Iterable[Any]) -> Iterator[Any]:
    """Yield the items of a stream; an error of the stream names the item."""
    with reading(0):
        stream = iter(items)
    for position in itertools.count():
        with reading(position):
            try:
                item = next(stream)
            except StopIteration:
                return
        yield item


def _first(items: Any) -> tuple[Any, int] | None:
    """Return the first item of a data set with positions, and the number of its items; None for a stream."""
    try:
        count = len(items)
        first = items[0] if count else None
    except (TypeError, NotImplementedError, AttributeError, KeyError):
        if not hasattr(items, "__iter__") and hasattr(items, "__len__"):
            with reading(0):
                raise
        return None
    except Exception:
        with reading(0):
            raise
    if not count:
        raise DataError("The data set holds no image.", FORMS)
    return first, count


def _classes(items: Any) -> list[str] | None:
    """Return the class names of a data set, of the one that a subset is of, or of those that it joins."""
    found = usable(getattr(items, "classes", None))
    if found is not None:
        return found
    if hasattr(items, "indices") and hasattr(items, "dataset"):
        return _classes(items.dataset)
    parts = getattr(items, "datasets", None)
    if isinstance(parts, list | tuple) and parts:
        lists = [_classes(part) for part in parts]
        return lists[0] if all(names == lists[0] for names in lists) else None
    return None


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
