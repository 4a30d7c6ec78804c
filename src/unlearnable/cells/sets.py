"""Images from a description of data: subsets, joined sets, and other labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from unlearnable import data, hashing
from unlearnable.cells.spec import Data
from unlearnable.data.image_set import ImageSet, join
from unlearnable.errors import DataError, UsageError

# share of the images that is held out if the data has no test images
HELD_OUT = 0.2
# other labels than the protector's: (index of the class in sorted order, number of classes) -> new class
RULES: dict[str, Callable[[int, int], str]] = {
    "pairs": lambda index, count: f"{index // 2:03d}",
    "halves": lambda index, count: f"{2 * index // count:03d}",
    "first": lambda index, count: "first" if index == 0 else "rest",
}


@dataclass
class Sets:
    """Opens data by description and remembers the open sets.

    Args:
        data_dir: Folder with the files of benchmarks and folders of photos; None for the user's cache.
        download: Whether a missing benchmark may be downloaded.
    """

    data_dir: Path | None = None
    download: bool = False
    _open: dict[Data, tuple[ImageSet, ImageSet]] = field(default_factory=dict)
    _fingerprints: dict[Data, str] = field(default_factory=dict)

    def __call__(self, wanted: Data) -> tuple[ImageSet, ImageSet]:
        """Return training and test images, which have the same classes.

        Raises:
            DataError: If the data is missing, or does not have the classes asked for.
        """
        if wanted not in self._open:
            train, test = self._parts(wanted)
            train, test = (
                train.first(wanted.per_class, wanted.classes),
                test.first(wanted.tests, wanted.classes),
            )
            if wanted.plus:
                others = [self(other) for other in wanted.plus]
                train = joined(
                    {
                        wanted.name: train,
                        **{f"{o.name}+": s[0] for o, s in zip(wanted.plus, others, strict=True)},
                    }
                )
                test = joined(
                    {
                        wanted.name: test,
                        **{f"{o.name}+": s[1] for o, s in zip(wanted.plus, others, strict=True)},
                    }
                )
            if train.classes != test.classes:
                raise DataError(
                    f"The training and the test images of {wanted.name} have different classes.",
                    "Put the same sub-folders into train and val.",
                )
            self._open[wanted] = train, test
        return self._open[wanted]

    def fingerprint(self, wanted: Data) -> str:
        """Return a hash of ids, classes and contents of all images."""
        if wanted not in self._fingerprints:
            rows = [
                [[id, images.class_of[id], images.source.load(id)[1]] for id in images.ids]
                for images in self(wanted)
            ]
            self._fingerprints[wanted] = hashing.digest(rows)
        return self._fingerprints[wanted]

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
                f"{root} does not contain the folders train and val.",
                f"Put photos of {wanted.name} there, one sub-folder per class, or give another --data-dir.",
            )
        return data.load(root / "train"), data.load(root / "val")


def relabelled(images: ImageSet, rule: str) -> ImageSet:
    """Return the images with the labels of a rule.

    Args:
        images: The images.
        rule: A name in ``RULES``; empty for the labels they have.

    Raises:
        UsageError: If there is no rule with that name.
    """
    if not rule:
        return images
    if rule not in RULES:
        raise UsageError(f"There is no relabelling {rule!r}.", f"There are: {', '.join(RULES)}.")
    names = {name: RULES[rule](index, len(images.classes)) for index, name in enumerate(images.classes)}
    return images.relabel(lambda id, name: names[name])


def joined(parts: dict[str, ImageSet]) -> ImageSet:
    """Return several sets as one. The name of its set becomes the prefix of every id.

    Raises:
        DataError: If two sets have a class of the same name.
    """
    classes: set[str] = set()
    for images in parts.values():
        shared = classes & set(images.classes)
        if shared:
            raise DataError(
                f"Class {min(shared)!r} is in two of the sets to join.",
                "Choose other classes in one of them.",
            )
        classes |= set(images.classes)
    return join({f"{name}/": images for name, images in parts.items()})


def with_context(images: ImageSet, own: tuple[str, ...]) -> ImageSet:
    """Return the images with all classes but ``own`` as context; without context if ``own`` is empty."""
    return replace(images, context=frozenset(set(images.classes) - set(own))) if own else images
