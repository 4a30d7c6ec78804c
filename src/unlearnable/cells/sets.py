"""From a description of data to images: subsets, joined sets, other labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from unlearnable import data, hashing
from unlearnable.cells.spec import Data
from unlearnable.data.image_set import ImageSet, join
from unlearnable.errors import DataError, UsageError

HELD_OUT = 0.2  # of data that has no test images of its own
# labels of a trainer who does not use ours: (place among the sorted classes, how many there are) -> name
RULES: dict[str, Callable[[int, int], str]] = {
    "pairs": lambda place, count: f"{place // 2:03d}",
    "halves": lambda place, count: f"{2 * place // count:03d}",
    "first": lambda place, count: "first" if place == 0 else "rest",
}


@dataclass
class Sets:
    """Opens data, and keeps what it opened.

    Args:
        data_dir: Where the files of benchmarks are, and folders of photos; None for the usual cache.
        download: Whether a benchmark that is not there may be fetched.
    """

    data_dir: Path | None = None
    download: bool = False
    _open: dict[Data, tuple[ImageSet, ImageSet]] = field(default_factory=dict)
    _prints: dict[Data, str] = field(default_factory=dict)

    def __call__(self, wanted: Data) -> tuple[ImageSet, ImageSet]:
        """Return the images to train and to test on, of the same classes.

        Raises:
            DataError: If the data is not there, or has not what is asked for.
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
                f"Put the photos of {wanted.name} there, one sub-folder per class, or name another --data-dir.",
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
    names = {name: RULES[rule](place, len(images.classes)) for place, name in enumerate(images.classes)}
    return images.relabel(lambda id, name: names[name])


def joined(parts: dict[str, ImageSet]) -> ImageSet:
    """Return several sets as one; ids begin with the name of the set they come from."""
    seen: set[str] = set()
    for images in parts.values():
        shared = seen & set(images.classes)
        if shared:
            raise DataError(f"Class {min(shared)!r} is in two of the sets that are to be joined.")
        seen |= set(images.classes)
    return join({f"{name}/": images for name, images in parts.items()})


def standing_against(images: ImageSet, own: tuple[str, ...]) -> ImageSet:
    """Return the images with every class but ``own`` as context; with nothing in ``own``, none is."""
    return replace(images, context=frozenset(set(images.classes) - set(own))) if own else images
