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

from unlearnable import arguments, hashing
from unlearnable.arguments import shown
from unlearnable.data.adding import Adding, NoiseLike
from unlearnable.data.photo import Photo
from unlearnable.data.reading import Squares
from unlearnable.data.source import Change, Facts, Source, changed
from unlearnable.data.view import View
from unlearnable.data.viewing import frame, readable, view
from unlearnable.errors import DataError, UsageError
from unlearnable.events import OnProgress, silent

if TYPE_CHECKING:
    from unlearnable.data.photo_cache import PhotoCache
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
        if not self.context:
            return self.ids
        return tuple(id for id in self.ids if self.class_of[id] not in self.context)

    @cached_property
    def stamp(self) -> str:
        """Hash of sizes and times, which shows changes without reading a pixel; the order does not matter."""
        return hashing.of_rows([[id, self.class_of[id], self.source.stamp(id)] for id in sorted(self.ids)])

    def photo(self, id: str) -> Photo:
        """Return one image at its own size.

        Raises:
            UsageError: If there is no image with this id.
        """
        if id not in self.class_of:
            raise UsageError(
                f"There is no image {shown(id)}.", f"The first id is {self.ids[0]!r}; see `ids`."
            )
        return self.source.load(id)[0]

    def about(self, id: str) -> Facts:
        """Return the facts of one image. Reads the image if ``readable`` has not."""
        return self.facts.get(id) or Facts.of(*self.source.load(id))

    @property
    def checked(self) -> bool:
        """Whether every image has been read, so that all of them can be used."""
        return all(id in self.facts for id in self.ids)

    @cached_property
    def frame(self) -> tuple[int, int]:
        """Median (height, width) of the own images in pixels.

        Everything that depends on how large the photos are uses this value. Sizes of files that have not been
        decoded yet come from their headers.
        """
        return frame(self)

    def size(self, id: str) -> tuple[int, int]:
        """Return (height, width) of one image in pixels, from the header of a file that was not read yet.

        Raises:
            DataError: If it cannot be read.
        """
        facts = self.facts.get(id)
        return facts.size if facts else self.source.size(id) or self.about(id).size

    def readable(
        self,
        on_progress: OnProgress = silent,
        side: int | None = None,
        folder: Path | None = None,
        cache: PhotoCache | None = None,
    ) -> ImageSet:
        """Return the images that can be decoded. Decodes every image once, if its facts are not known yet.

        Args:
            on_progress: Called after each image.
            side: Side in pixels of a later ``view``, whose squares are made in the same pass; None for no
                squares.
            folder: Folder of the temporary file for squares that do not fit into memory.
            cache: Learns the facts of every image that is decoded; None to save nothing.

        Returns:
            The images that can be read. ``skipped`` has the own images that cannot, with the reason.

        Raises:
            DataError: If no image can be read.
        """
        return readable(self, on_progress, side, folder, cache)

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
        arguments.whole("size", size, 1, remedy="Give the side in pixels, such as images.view(32).")
        return view(self, round(size * arguments.number("zoom", zoom, 0, 64, ends=False)), folder)

    def subset(self, ids: Collection[str]) -> ImageSet:
        """Return the images with these ids."""
        if isinstance(ids, str):
            raise UsageError(f"ids is the text {ids!r}, but must be several ids.", f"Give [{ids!r}].")
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

        arguments.number("share", share, 0, 1, "Give 0.25 to hold out a quarter.", ends=False)
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

        return with_context(self, arguments.images(context, ImageSet, "context"))

    def with_noise(self, noise: NoiseLike) -> ImageSet:
        """Return the set with noise added to the images at their own size.

        Raises:
            UsageError: If ``noise`` is no noise, such as the result of ``fit``, which has it in ``noise``.
        """
        if not (hasattr(noise, "slot") and hasattr(noise, "add")):
            remedy = "Give un.fit(...).noise or un.Noise.load(...)."
            if hasattr(noise, "noise"):
                remedy = "Give its attribute: images.with_noise(fitted.noise)."
            raise UsageError(f"noise is {shown(noise)}, but must be a Noise.", remedy)
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
