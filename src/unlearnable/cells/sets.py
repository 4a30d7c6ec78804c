"""From a description of data to images: subsets, joined sets, other labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from unlearnable import data, hashing
from unlearnable.cells.spec import Data
from unlearnable.data.image_set import ImageSet
from unlearnable.data.joining import join
from unlearnable.errors import DataError, UsageError

HELD_OUT = 0.2  # of data that has no test images of its own
# labels of a trainer that differ from the publisher's:
# (index in the sorted classes, number of classes) -> name
RULES: dict[str, Callable[[int, int], str]] = {
    "pairs": lambda index, count: f"{index // 2:03d}",
    "halves": lambda index, count: f"{2 * index // count:03d}",
    "first": lambda index, count: "first" if index == 0 else "rest",
}


@dataclass
class Sets:
    """Opens data once and remembers it.

    Args:
        data_dir: Folder of the files of benchmarks and of folders of photos; None for the user's cache.
        download: Whether missing files of a benchmark may be downloaded.
    """

    data_dir: Path | None = None
    download: bool = False
    _open: dict[Data, tuple[ImageSet, ImageSet]] = field(default_factory=dict)
    _prints: dict[Data, str] = field(default_factory=dict)

    def __call__(self, wanted: Data) -> tuple[ImageSet, ImageSet]:
        """Return the images to train and to test on, of the same classes.

        Raises:
            DataError: If the data is missing, or lacks a class that is asked for.
        """
        if wanted not in self._open:
            train, test = self._parts(wanted)
            train = first_share(train.first(wanted.per_class, wanted.classes), wanted.share)
            test = test.first(wanted.tests, wanted.classes)
            if wanted.plus:
                others = [self(other) for other in wanted.plus]
                train = joined(
                    {
                        wanted.name: train,
                        **{_added(o): s[0] for o, s in zip(wanted.plus, others, strict=True)},
                    }
                )
                test = joined(
                    {
                        wanted.name: test,
                        **{_added(o): s[1] for o, s in zip(wanted.plus, others, strict=True)},
                    }
                )
            if train.classes != test.classes:
                raise DataError(
                    f"The training and the test images of {wanted.name} are of different classes."
                )
            self._open[wanted] = train, test
        return self._open[wanted]

    def fingerprint(self, wanted: Data) -> str:
        """Return a hash over ids, classes and contents of all images."""
        if wanted not in self._prints:
            rows = [
                [[id, images.class_of[id], images.source.load(id)[1]] for id in images.ids]
                for images in self(wanted)
            ]
            self._prints[wanted] = hashing.digest(rows)
        return self._prints[wanted]

    def _parts(self, wanted: Data) -> tuple[ImageSet, ImageSet]:
        if wanted.name == "digits":
            return data.load("digits").split(HELD_OUT, seed=0)
        from unlearnable.data.benchmark_table import BENCHMARKS

        if wanted.name in BENCHMARKS:
            train, test = (
                data.load(f"{wanted.name}:{part}", data_dir=self.data_dir, download=self.download)
                for part in ("train", "test")
            )
            return train, test
        root = (self.data_dir or Path()) / wanted.name
        if not (root / "train").is_dir() or not (root / "val").is_dir():
            raise DataError(
                f"{root} has no folders train and val.",
                f"Put the photos of {wanted.name} there, one folder per class, or name another --data-dir.",
            )
        return data.load(root / "train"), data.load(root / "val")


def relabelled(images: ImageSet, rule: str) -> ImageSet:
    """Return the images under the labels of a rule.

    Raises:
        UsageError: If there is no such rule.
    """
    if not rule:
        return images
    if rule not in RULES:
        raise UsageError(f"There is no relabelling {rule!r}.", f"There are: {', '.join(RULES)}.")
    names = {name: RULES[rule](index, len(images.classes)) for index, name in enumerate(images.classes)}
    return images.relabel(lambda id, name: names[name])


def joined(parts: dict[str, ImageSet]) -> ImageSet:
    """Return several sets as one; ids begin with the name of their set.

    Raises:
        DataError: If a class is in two of the sets.
    """
    seen: set[str] = set()
    for images in parts.values():
        shared = seen & set(images.classes)
        if shared:
            raise DataError(f"Class {min(shared)!r} is in two of the sets that are to be joined.")
        seen |= set(images.classes)
    return join({f"{name}/": images for name, images in parts.items()}).in_order_of_ids()


def prefix(added: Data) -> str:
    """Return the prefix of the ids of a set that is added to another one."""
    return f"{_added(added)}/"


def _added(added: Data) -> str:
    return f"{added.name}+"


def with_context(images: ImageSet, own: tuple[str, ...]) -> ImageSet:
    """Return the images with every class but ``own`` as context; without context if ``own`` is empty."""
    return replace(images, context=frozenset(set(images.classes) - set(own))) if own else images


def first_share(images: ImageSet, share: float) -> ImageSet:
    """Return the first images of every class, ``share`` of each in (0, 1], at least one."""
    if share == 1:
        return images
    chosen: list[str] = []
    for name in images.classes:
        ids = [id for id in images.ids if images.class_of[id] == name]
        chosen += ids[: max(1, round(share * len(ids)))]
    return images.subset(chosen)
