"""From photos to squares: the images of a set that can be read, and the view of all of them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unlearnable.data.reading import read
from unlearnable.data.source import Facts
from unlearnable.data.view import View
from unlearnable.errors import DataError
from unlearnable.events import OnProgress

if TYPE_CHECKING:
    from unlearnable.data.image_set import ImageSet
    from unlearnable.data.photo_cache import PhotoCache


def readable(
    images: ImageSet,
    on_progress: OnProgress,
    side: int | None,
    folder: Path | None,
    cache: PhotoCache | None = None,
) -> ImageSet:
    """Return the images that can be decoded; see ``ImageSet.readable``."""
    found = read(images.source, images.ids, side, folder, on_progress, known=images.facts, cache=cache)
    if not found.facts:
        first = next(iter(found.errors.values())).problem
        raise DataError(f"None of the {len(images)} images can be read. The first: {first}")
    reasons = {
        id: f"{error.problem} {error.remedy}".strip()
        for id, error in found.errors.items()
        if images.class_of[id] not in images.context
    }
    skipped = {**images.skipped, **reasons}
    usable = images.subset(found.facts) if found.errors else images
    return replace(usable, facts=found.facts, squares=found.squares, skipped=skipped)


def view(images: ImageSet, side: int, folder: Path | None) -> View:
    """Return every image resized to a square of ``side`` pixels; see ``ImageSet.view``."""
    made = images.squares.of(images.source, images.ids, side, folder) if images.squares else None
    if made is None or not images.checked:
        reading = read(images.source, images.ids, side, folder)
        for error in reading.errors.values():
            raise error
        assert reading.squares is not None
        facts: Mapping[str, Facts] = reading.facts
        made = reading.squares.pixels
    else:
        facts = images.facts
    return View(
        ids=images.ids,
        pixels=made,
        labels=images.labels,
        classes=images.classes,
        grey=np.array([facts[id].grey for id in images.ids]),
        own=np.array([images.class_of[id] not in images.context for id in images.ids]),
        frame=replace(images, facts=facts).frame,
        digests=tuple(facts[id].digest for id in images.ids),
    )


def frame(images: ImageSet) -> tuple[int, int]:
    """Return the median (height, width) of the own images; see ``ImageSet.frame``."""
    own = images.own or images.ids
    sizes = np.full((len(own), 2), np.nan)
    for row, id in enumerate(own):
        with suppress(DataError):
            sizes[row] = images.size(id)
    if np.isnan(sizes).all():
        raise DataError(
            "No image can be read, so their size is unknown.",
            "Run `unlearnable inspect` on the folder to see the reasons.",
        )
    height, width = np.nanmedian(sizes, axis=0)
    return int(height), int(width)
