"""Several sets of images as one, under ids that cannot meet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from unlearnable.data.image_set import ImageSet, from_entries
from unlearnable.data.source import Derived
from unlearnable.errors import DataError


def join(parts: Mapping[str, ImageSet]) -> ImageSet:
    """Return several sets as one, one after the other.

    Args:
        parts: Sets by the prefix of their ids. All prefixed ids must be different.
    """
    origins = {f"{prefix}{id}": (images.source, id) for prefix, images in parts.items() for id in images.ids}
    class_of = {f"{prefix}{id}": images.class_of[id] for prefix, images in parts.items() for id in images.ids}
    facts = {f"{prefix}{id}": fact for prefix, images in parts.items() for id, fact in images.facts.items()}
    return replace(from_entries(class_of.items(), Derived(origins.__getitem__)), facts=facts)


def with_context(images: ImageSet, context: ImageSet) -> ImageSet:
    """Return images with the classes of another set as context, after them.

    Ids of the context get a prefix that no id of the images begins with.

    Raises:
        DataError: If both sets have a class of the same name.
    """
    shared = set(images.classes) & set(context.classes)
    if shared:
        raise DataError(
            f"Class {min(shared)!r} is among the photos and in the context.",
            "Give a --context folder with other classes.",
        )
    joined = join({"": images, free_prefix("context/", images.ids): context})
    names = images.context | set(context.classes)
    return replace(joined, context=names, skipped=images.skipped, others=images.others)


def free_prefix(prefix: str, ids: Iterable[str]) -> str:
    """Return a prefix that none of the ids begins with: this one, after as many ``_`` as it takes."""
    taken = tuple(ids)
    while any(id.startswith(prefix) for id in taken):
        prefix = f"_{prefix}"
    return prefix
