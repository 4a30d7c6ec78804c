"""ImageSet: a table of ids and labels over a source of pixels.

Cheap until pixels are asked for, and then two doors: ``photo(id)`` at its own size, and ``view(size)`` as one
array of squares.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from unlearnable import hashing
from unlearnable.budget import UInt8Array
from unlearnable.data.photo import Photo
from unlearnable.data.reading import Squares, read
from unlearnable.data.source import Change, Derived, Facts, Source, changed
from unlearnable.data.view import View
from unlearnable.errors import DataError
from unlearnable.events import OnProgress, silent
from unlearnable.noise import Slot

SMALL = 40  # pixels: digits, CIFAR


def is_small(frame: tuple[int, int]) -> bool:
    """Say whether images of a usual (height, width) are worked on at their own size, as in the paper."""
    return max(frame) <= SMALL


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
        squares: Squares that ``readable`` made in the same pass, for ``view``.
    """

    ids: tuple[str, ...]
    class_of: Mapping[str, str]
    source: Source
    context: frozenset[str] = frozenset()
    skipped: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Facts] = field(default_factory=dict)
    squares: Squares | None = field(default=None, repr=False, compare=False)

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
        return hashing.digest([[id, self.class_of[id], self.source.stamp(id)] for id in self.ids])

    def photo(self, id: str) -> Photo:
        """Return one image at its own size."""
        return self.source.load(id)[0]

    def about(self, id: str) -> Facts:
        """Return what is known of one image, reading it if need be."""
        return self.facts[id] if id in self.facts else Facts.of(*self.source.load(id))

    @cached_property
    def frame(self) -> tuple[int, int]:
        """Median (height, width) of the own images: the one answer to how large the photos are.

        Sizes come from the headers of files that have not been decoded yet.
        """
        sizes = [size for id in self.own or self.ids if (size := self._size(id)) is not None]
        if not sizes:
            raise DataError("No image can be read, so nothing says how large they are.")
        height, width = np.median(sizes, axis=0)
        return int(height), int(width)

    def _size(self, id: str) -> tuple[int, int] | None:
        if id in self.facts:
            return self.facts[id].size
        try:
            return self.source.size(id) or self.about(id).size
        except DataError:
            return None

    def readable(
        self, on_progress: OnProgress = silent, side: int | None = None, folder: Path | None = None
    ) -> ImageSet:
        """Return the set without the images that cannot be decoded. Reads every image once.

        Args:
            on_progress: Called after each image.
            side: Side in pixels of the view that will be asked for: its squares are made in the same pass.
                None where no view is needed.
            folder: Where squares are mapped from that memory does not hold.

        Returns:
            The images that can be read. ``skipped`` names the own images that cannot, with the reason.

        Raises:
            DataError: If none can be read.
        """
        found = read(self.source, self.ids, side, folder, on_progress)
        if not found.facts:
            first = next(iter(found.errors.values())).problem
            raise DataError(f"None of the {len(self)} images can be read; the first: {first}")
        reasons = {
            id: f"{error.problem} {error.remedy}".strip()
            for id, error in found.errors.items()
            if self.class_of[id] not in self.context
        }
        skipped = {**self.skipped, **reasons}
        return replace(self.subset(found.facts), facts=found.facts, squares=found.squares, skipped=skipped)

    def view(self, size: int, zoom: float = 1.0, folder: Path | None = None) -> View:
        """Return every image squashed to a square of ``size * zoom`` pixels, as uint8 RGB.

        Args:
            size: Side in pixels that a network sees.
            zoom: How much larger the squares are.
            folder: Where squares are mapped from that memory does not hold; the system's temporary folder
                if None.

        Raises:
            DataError: If an image cannot be read, naming it, or the disk has no room.
        """
        side = round(size * zoom)
        made = self.squares.of(self.source, self.ids, side, folder) if self.squares else None
        if made is None or not self.facts.keys() >= set(self.ids):
            reading = read(self.source, self.ids, side, folder)
            for error in reading.errors.values():
                raise error
            assert reading.squares is not None
            facts: Mapping[str, Facts] = reading.facts
            made = reading.squares.pixels
        else:
            facts = self.facts
        return View(
            ids=self.ids,
            pixels=made,
            labels=self.labels,
            classes=self.classes,
            grey=np.array([facts[id].grey for id in self.ids]),
            own=np.array([self.class_of[id] not in self.context for id in self.ids]),
            frame=replace(self, facts=facts).frame,
            digests=tuple(facts[id].digest for id in self.ids),
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
        """Return this set standing against the classes of another, which never get noise.

        Ids of the context get a prefix that no own id begins with.

        Raises:
            DataError: If a class is in both.
        """
        shared = set(self.classes) & set(context.classes)
        if shared:
            raise DataError(
                f"Class {min(shared)!r} is among the photos and in the context.",
                "Context holds other classes.",
            )
        prefix = "context/"
        while any(id.startswith(prefix) for id in self.ids):
            prefix = f"_{prefix}"
        joined = join({"": self, prefix: context})
        return replace(joined, context=frozenset(context.classes), skipped=self.skipped)

    def with_noise(self, noise: Noisy) -> ImageSet:
        """Return the set with noise added to the images at their own size."""

        def add(id: str, photo: Photo, digest: str) -> Photo:
            slot = noise.slot(id, self.class_of[id], digest)
            return photo if slot is None else replace(photo, pixels=noise.add(photo.pixels, slot))

        return self.changed(add)

    def changed(self, change: Change) -> ImageSet:
        """Return the set with every photo changed at its own size: ``change(id, photo, digest)``."""
        return replace(self, source=changed(self.source, change), facts={}, squares=None)


class Noisy(Protocol):
    """What ``with_noise`` needs of a noise."""

    def slot(self, id: str, class_name: str, digest: str | None = None) -> Slot | None:
        """Return the pattern that belongs to an image and its place, or None."""

    def add(self, pixels: UInt8Array, slot: Slot) -> UInt8Array:
        """Return the image with that noise."""


def join(parts: Mapping[str, ImageSet]) -> ImageSet:
    """Return several sets as one; ids of each get its prefix.

    Args:
        parts: Sets by prefix; no two prefixed ids may be equal.
    """
    origins = {f"{prefix}{id}": (images.source, id) for prefix, images in parts.items() for id in images.ids}
    class_of = {f"{prefix}{id}": images.class_of[id] for prefix, images in parts.items() for id in images.ids}
    facts = {f"{prefix}{id}": fact for prefix, images in parts.items() for id, fact in images.facts.items()}
    source = Derived(lambda id: origins[id][0], lambda id: origins[id][1])
    return replace(table(class_of.items(), source), facts=facts)


def table(
    entries: Iterable[tuple[str, str]], source: Source, skipped: Mapping[str, str] | None = None
) -> ImageSet:
    """Make an ImageSet of (id, class name) entries over a source."""
    class_of = dict(entries)
    return ImageSet(ids=tuple(sorted(class_of)), class_of=class_of, source=source, skipped=skipped or {})
