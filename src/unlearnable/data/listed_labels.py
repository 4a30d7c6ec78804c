"""The labels of a data set that lists them, read without its images."""

from __future__ import annotations

from typing import Any

from unlearnable.data.item_columns import ItemColumns, reading, same_label

# attributes with the label of every item, in the data sets of torchvision and those modelled on them
ATTRIBUTES = ("targets", "labels")


def listed_labels(items: Any, columns: ItemColumns, count: int) -> list[Any] | None:
    """Return the label of every item; None if only the items themselves have them.

    The list is compared with the labels of the first, the middle and the last item, and not used if one of
    them differs: a data set may change labels as it yields its items.

    Args:
        items: A data set with positions.
        columns: Takes image and label out of an item.
        count: Number of items.
    """
    with reading(None):
        found = _column(items, columns.label) or _listed(items)
    if found is None or len(found) != count:
        return None
    for position in {0, count // 2, count - 1}:
        with reading(position):
            item = items[position]
        if not same_label(columns.pair(item, position)[1], found[position]):
            return None
    return found


def without_other_columns(items: Any, columns: ItemColumns) -> Any:
    """Return a Hugging Face data set with these two columns only, because it decodes all its columns."""
    names = [name for name in (columns.image, columns.label) if name is not None]
    return items.select_columns(names) if names and _is_selectable(items) else items


def _is_selectable(items: Any) -> bool:
    # with a function of the user's own, rows have the columns that it returns
    kind = getattr(items, "format", None)
    return hasattr(items, "select_columns") and isinstance(kind, dict) and kind.get("type") != "custom"


def _column(items: Any, label: str | None) -> list[Any] | None:
    if label is None or not _is_selectable(items):
        return None
    return list(items.with_format(None).select_columns([label])[:][label])


def _listed(items: Any) -> list[Any] | None:
    if hasattr(items, "indices") and hasattr(items, "dataset"):
        whole = _listed(items.dataset)
        return None if whole is None else [whole[index] for index in items.indices]
    parts = getattr(items, "datasets", None)
    if isinstance(parts, list | tuple) and parts:
        lists = [_listed(part) for part in parts]
        return None if None in lists else [label for found in lists for label in found or ()]
    for name in ATTRIBUTES:
        values: Any = getattr(items, name, None)
        values = values.tolist() if hasattr(values, "tolist") else values
        if isinstance(values, list | tuple) and all(isinstance(one, int | str) for one in values):
            return list(values)
    return None
