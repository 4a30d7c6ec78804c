"""ImageSet: a table of ids and labels over a source of pixels.

Cheap until pixels are asked for, and then two doors: ``photo(id)`` at its own size, and ``view(size)`` as one
array of squares.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from unlearnable.budget import UInt8Array
from unlearnable.data.photo import Photo, squash
from unlearnable.data.square_views import squares
from unlearnable.data.view import Facts, Source, View, hashed
from unlearnable.errors import DataError
from unlearnable.events import Event, OnProgress, silent
from unlearnable.noise import Slot

READERS = 4


@dataclass(frozen=True)
class ImageSet:
    """Images with labels.

    Args:
        ids: Sorted ids: NFC relative paths with ``/`` for folders, ``train/00042`` for benchmarks.
        class_of: Class name of every id.
        source: Where the pixels are.
        context: Classes that are trained on and never given noise.
        skipped: Files that were found and cannot be used, with the reason.
        facts: What ``readable`` found out, by id.
    """

    ids: tuple[str, ...]
    class_of: Mapping[str, str]
    source: Source
    context: frozenset[str] = frozenset()
    skipped: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Facts] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.ids:
            raise DataError(
                "There is no image to work on.", "Give a folder with one sub-folder of images per class."
            )

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Class names in code-point order, as torchvision and Hugging Face sort them."""
        return tuple(sorted({self.class_of[id] for id in self.ids}))

    @cached_property
    def labels(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """int64 (N,): index into ``classes`` of every id."""
        index = {name: label for label, name in enumerate(self.classes)}
        return np.array([index[self.class_of[id]] for id in self.ids], dtype=np.int64)

    @cached_property
    def own(self) -> tuple[str, ...]:
        """The ids that are not context."""
        return tuple(id for id in self.ids if self.class_of[id] not in self.context)

    @cached_property
    def stamp(self) -> str:
        """A hash over sizes and times, to notice change without reading a pixel."""
        return hashed([[id, self.class_of[id], self.source.stamp(id)] for id in self.ids])

    def photo(self, id: str) -> Photo:
        """Return one image at its own size."""
        return self.source.load(id)[0]

    def about(self, id: str) -> Facts:
        """Return what is known of one image, reading it if need be."""
        return self.facts[id] if id in self.facts else Facts.of(*self.source.load(id))

    def readable(self, on_progress: OnProgress = silent) -> ImageSet:
        """Return the set without the images that cannot be decoded; ``skipped`` says which, and why. Reads every image once."""

        def look(id: str) -> Facts | DataError:
            try:
                return Facts.of(*self.source.load(id))
            except DataError as error:
                return error

        found: dict[str, Facts | DataError] = {}
        with ThreadPoolExecutor(READERS) as pool:
            for id, fact in zip(self.ids, pool.map(look, self.ids), strict=True):
                found[id] = fact
                on_progress(Event("checking", len(found), len(self)))
        facts = {id: fact for id, fact in found.items() if isinstance(fact, Facts)}
        bad = {id: fact for id, fact in found.items() if isinstance(fact, DataError)}
        if not facts:
            raise DataError(
                f"None of the {len(self)} images can be read; the first: {next(iter(bad.values())).problem}"
            )
        reasons = {id: f"{error.problem} {error.remedy or ''}".strip() for id, error in bad.items()}
        return replace(self.subset(facts), facts=facts, skipped={**self.skipped, **reasons})

    def view(self, size: int, zoom: float = 1.0, folder: Path | None = None) -> View:
        """Return every image squashed to a square of ``size * zoom`` pixels, as uint8 RGB; ``folder`` is for what memory does not hold.

        Raises:
            DataError: If an image cannot be read, naming it, or the disk has no room.
        """
        side = round(size * zoom)
        pixels = squares((len(self), 3, side, side), folder)

        def fill(row: int) -> tuple[bool, tuple[int, int], str]:
            photo, digest = self.source.load(self.ids[row])
            square = squash(photo.opaque, side)
            pixels[row] = square if photo.grey else square.transpose(2, 0, 1)
            return photo.grey, photo.size, digest

        with ThreadPoolExecutor(READERS) as pool:
            facts = list(pool.map(fill, range(len(self))))
        height, width = np.median([fact[1] for fact in facts], axis=0)
        return View(
            ids=self.ids,
            pixels=pixels,
            labels=self.labels,
            classes=self.classes,
            grey=np.array([fact[0] for fact in facts]),
            own=np.array([self.class_of[id] not in self.context for id in self.ids]),
            frame=(int(height), int(width)),
            digests=tuple(fact[2] for fact in facts),
        )

    def subset(self, ids: Collection[str]) -> ImageSet:
        """Return the images with these ids."""
        wanted = set(ids)
        return replace(self, ids=tuple(id for id in self.ids if id in wanted))

    def first(self, count: int, classes: Collection[str] = ()) -> ImageSet:
        """Return the first ``count`` images of every class, all of them for 0; of some classes only where they are named.

        Raises:
            DataError: If there is no class of a name.
        """
        missing = set(classes) - set(self.classes)
        if missing:
            raise DataError(
                f"There is no class {min(missing)!r}.", f"There are: {', '.join(self.classes[:20])}."
            )
        taken, ids = dict.fromkeys(classes or self.classes, 0), []
        for id in self.ids:
            name = self.class_of[id]
            if name in taken and (not count or taken[name] < count):
                taken[name] += 1
                ids.append(id)
        return self.subset(ids)

    def relabel(self, class_of: Callable[[str, str], str]) -> ImageSet:
        """Return the same images under other classes: ``class_of(id, old class)``."""
        return replace(self, class_of={id: class_of(id, self.class_of[id]) for id in self.ids})

    def split(self, share: float, seed: int) -> tuple[ImageSet, ImageSet]:
        """Return (rest, held out): a stratified ``share`` of every class is held out, exact duplicates kept on one side."""
        from unlearnable.data.splitting import held_out

        digests = {id: self.source.load(id)[1] for id in self.ids}
        out = held_out({id: self.class_of[id] for id in self.ids}, digests, share, seed)
        return self.subset([id for id in self.ids if id not in out]), self.subset(out)

    def join(self, context: ImageSet) -> ImageSet:
        """Return this set standing against the classes of another, which never get noise."""
        shared = set(self.classes) & set(context.classes)
        if shared:
            raise DataError(
                f"Class {sorted(shared)[0]!r} is among the photos and in the context.",
                "Context holds other classes.",
            )
        mine = {id: self.class_of[id] for id in self.ids}
        theirs = {f"context/{id}": context.class_of[id] for id in context.ids}
        return ImageSet(
            ids=tuple(sorted({*mine, *theirs})),
            class_of={**mine, **theirs},
            source=_Joined(self, context),
            context=frozenset(context.classes),
            skipped=self.skipped,
            facts={**self.facts, **{f"context/{id}": fact for id, fact in context.facts.items()}},
        )

    def with_noise(self, noise: Noisy) -> ImageSet:
        """Return the set with noise added to the images at their own size."""
        return replace(self, source=_WithNoise(self, noise))


class Noisy(Protocol):
    """What ``with_noise`` needs of a noise."""

    def slot(self, id: str, class_name: str, digest: str | None = None) -> Slot | None:
        """Return the pattern that belongs to an image and its place, or None."""

    def add(self, pixels: UInt8Array, slot: Slot) -> UInt8Array:
        """Return the image with that noise."""


@dataclass(frozen=True)
class _Joined:
    own: ImageSet
    context: ImageSet

    def _side(self, id: str) -> tuple[Source, str]:
        return (
            (self.own.source, id)
            if id in self.own.class_of
            else (self.context.source, id.removeprefix("context/"))
        )

    def load(self, id: str) -> tuple[Photo, str]:
        source, key = self._side(id)
        return source.load(key)

    def stamp(self, id: str) -> str:
        source, key = self._side(id)
        return source.stamp(key)

    def origin(self, id: str) -> Path | Photo:
        source, key = self._side(id)
        return source.origin(key)


@dataclass(frozen=True)
class _WithNoise:
    clean: ImageSet
    noise: Noisy

    def load(self, id: str) -> tuple[Photo, str]:
        photo, digest = self.clean.source.load(id)
        slot = self.noise.slot(id, self.clean.class_of[id], digest)
        return (photo if slot is None else replace(photo, pixels=self.noise.add(photo.pixels, slot))), digest

    def stamp(self, id: str) -> str:
        return self.clean.source.stamp(id)

    def origin(self, id: str) -> Path | Photo:
        return self.load(id)[0]


def table(
    entries: Iterable[tuple[str, str]], source: Source, skipped: Mapping[str, str] | None = None
) -> ImageSet:
    """Make an ImageSet of (id, class name) entries over a source."""
    class_of = dict(entries)
    return ImageSet(ids=tuple(sorted(class_of)), class_of=class_of, source=source, skipped=skipped or {})
