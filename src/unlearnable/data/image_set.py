"""ImageSet: a table of ids and labels over a source of pixels.

No pixels are read until ``photo(id)`` or ``images[i]`` returns one image at its own size, or ``view(size)``
all images as one array of squares.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

import numpy as np

from unlearnable import hashing
from unlearnable.data.adding import Adding, NoiseLike
from unlearnable.data.photo import Photo
from unlearnable.data.reading import Squares
from unlearnable.data.source import Change, Facts, Source, changed
from unlearnable.data.view import View
from unlearnable.data.viewing import readable, view
from unlearnable.errors import DataError
from unlearnable.events import OnProgress, silent

if TYPE_CHECKING:
    from unlearnable.data.torch_data import LabelledPhotos, Transform

# pixels; larger than digits and CIFAR, smaller than any photo
SMALL = 40


def is_small(frame: tuple[int, int]) -> bool:
    """Return whether images are small enough for the search to work at their own size, as in the paper.

    Args:
        frame: Their median (height, width) in pixels.
    """
    return max(frame) <= SMALL


@dataclass(frozen=True)
class ImageSet:
    """Images with labels, in the order of their source; a folder is in the order of its ids.

    ``len(images)`` is their number, ``images[i]`` is (photo, label), ``images[a:b]`` an ImageSet, and a loop
    over it yields (photo, label), each photo read when its turn comes.

    Args:
        ids: NFC relative paths with ``/`` (folders), numbers such as ``train/00042`` (benchmarks) or
            ``00042`` (data sets), or hashes of the pixels (arrays).
        class_of: Class name of every id.
        source: Source of the pixels.
        context: Classes that the surrogate trains on and that never get noise.
        skipped: Reason for every photo, link and folder that was found and cannot be used.
        others: Number of the files that are no photos, by extension (empty for none).
        facts: Facts by id, found by ``readable``.
        squares: Squares that ``readable`` made in the same pass, for ``view``.

    Raises:
        DataError: If there is no image.
    """

    ids: tuple[str, ...]
    class_of: Mapping[str, str]
    source: Source
    context: frozenset[str] = frozenset()
    skipped: Mapping[str, str] = field(default_factory=dict)
    others: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, Facts] = field(default_factory=dict)
    squares: Squares | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.ids:
            raise DataError(
                "There is no image that can be used.",
                "Give a folder with one sub-folder of images per class.",
            )

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, index: slice) -> ImageSet: ...

    @overload
    def __getitem__(self, index: SupportsIndex) -> tuple[Photo, int]: ...

    def __getitem__(self, index: slice | SupportsIndex) -> ImageSet | tuple[Photo, int]:
        if isinstance(index, slice):
            return replace(self, ids=self.ids[index])
        position = operator.index(index)
        return self.photo(self.ids[position]), int(self.labels[position])

    def __iter__(self) -> Iterator[tuple[Photo, int]]:
        return (self[position] for position in range(len(self)))

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
        """Hash of sizes and times, which shows changes without reading a pixel; the order does not matter."""
        return hashing.of_rows([[id, self.class_of[id], self.source.stamp(id)] for id in sorted(self.ids)])

    def photo(self, id: str) -> Photo:
        """Return one image at its own size."""
        return self.source.load(id)[0]

    def about(self, id: str) -> Facts:
        """Return the facts of one image. Reads the image if ``readable`` has not."""
        return self.facts[id] if id in self.facts else Facts.of(*self.source.load(id))

    @property
    def checked(self) -> bool:
        """Whether every image has been read, so that all of them can be used."""
        return self.facts.keys() >= set(self.ids)

    @cached_property
    def frame(self) -> tuple[int, int]:
        """Median (height, width) of the own images in pixels.

        Everything that depends on how large the photos are uses this value. Sizes of files that have not been
        decoded yet come from their headers.
        """
        sizes = [size for id in self.own or self.ids if (size := self._size(id)) is not None]
        if not sizes:
            raise DataError(
                "No image can be read, so their size is unknown.",
                "Run `unlearnable inspect` on the folder to see the reasons.",
            )
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
        """Return the images that can be decoded. Decodes every image once.

        Args:
            on_progress: Called after each image.
            side: Side in pixels of a later ``view``, whose squares are made in the same pass; None for no
                squares.
            folder: Folder of the temporary file for squares that do not fit into memory.

        Returns:
            The images that can be read. ``skipped`` has the own images that cannot, with the reason.

        Raises:
            DataError: If no image can be read.
        """
        return readable(self, on_progress, side, folder)

    def view(self, size: int, zoom: float = 1.0, folder: Path | None = None) -> View:
        """Return every image resized to a square of ``size * zoom`` pixels, as uint8 RGB, in this order.

        Args:
            size: Side in pixels of the network's input.
            zoom: Side of the squares over ``size``.
            folder: Folder of the temporary file for squares that do not fit into memory; the system's
                temporary folder if None.

        Raises:
            DataError: If an image cannot be read (the message names it), or the disk is too full.
        """
        return view(self, round(size * zoom), folder)

    def subset(self, ids: Collection[str]) -> ImageSet:
        """Return the images with these ids."""
        wanted = set(ids)
        return replace(self, ids=tuple(id for id in self.ids if id in wanted))

    def in_order_of_ids(self) -> ImageSet:
        """Return the images sorted by id."""
        return replace(self, ids=tuple(sorted(self.ids)))

    def first(self, count: int, classes: Collection[str] = ()) -> ImageSet:
        """Return the first images of every class.

        Args:
            count: Images per class; 0 for all.
            classes: Names of the classes; empty for all.

        Raises:
            DataError: If there is no class with one of the names.
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
        """Return the same images with other classes: ``class_of(id, old class) -> new class``."""
        return replace(self, class_of={id: class_of(id, self.class_of[id]) for id in self.ids})

    def split(self, share: float, seed: int) -> tuple[ImageSet, ImageSet]:
        """Return (rest, held out): about a share of every class is held out; exact duplicates stay together.

        Args:
            share: Share of every class to hold out, between 0 and 1.
            seed: Seed of the random choice.
        """
        from unlearnable.data.splitting import held_out

        digests = {id: self.source.load(id)[1] for id in self.ids}
        out = held_out({id: self.class_of[id] for id in self.ids}, digests, share, seed)
        return self.subset([id for id in self.ids if id not in out]), self.subset(out)

    def join(self, context: ImageSet) -> ImageSet:
        """Return this set with the classes of another as context: trained on, and never given noise.

        The context comes after this set. Its ids get a prefix that no own id begins with.

        Raises:
            DataError: If both sets have a class of the same name.
        """
        from unlearnable.data.joining import with_context

        return with_context(self, context)

    def with_noise(self, noise: NoiseLike) -> ImageSet:
        """Return the set with noise added to the images at their own size."""
        return self.changed(Adding(noise, self.class_of))

    def changed(self, change: Change) -> ImageSet:
        """Return the set with every photo changed at its own size: ``change(id, photo, digest) -> photo``."""
        return replace(self, source=changed(self.source, change), facts={}, squares=None)

    def torch(self, transform: Transform | None = None) -> LabelledPhotos:
        """Return the images as a data set of torch, for a ``DataLoader``; each is read when it is asked for.

        Args:
            transform: Called with each image, a Pillow image in RGB at the photo's own size; None for the
                image itself.

        Returns:
            A data set of (image, label), with ``classes`` and ``targets``.
        """
        from unlearnable.data.torch_data import LabelledPhotos

        return LabelledPhotos(self, transform)


def from_entries(
    entries: Iterable[tuple[str, str]],
    source: Source,
    skipped: Mapping[str, str] | None = None,
    others: Mapping[str, int] | None = None,
) -> ImageSet:
    """Return an ImageSet of (id, class name) entries over a source, in their order."""
    class_of = dict(entries)
    return ImageSet(tuple(class_of), class_of, source, skipped=skipped or {}, others=others or {})
