"""Pairs of photos from a file in the format of LFW's ``pairs.txt``."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from unlearnable.data.image_set import ImageSet
from unlearnable.errors import DataError, UsageError

FORM = (
    "LFW's form is a line `FOLDS PAIRS`, then for each fold PAIRS lines `NAME NUMBER NUMBER` of one person "
    "and PAIRS lines `NAME NUMBER NAME NUMBER` of two."
)


@dataclass(frozen=True)
class Listed:
    """One pair of a file.

    Args:
        first: (person, number of the photo) of one photo.
        second: The same of the other one.
        fold: Number of the fold, from 0.
    """

    first: tuple[str, int]
    second: tuple[str, int]
    fold: int

    @property
    def same(self) -> bool:
        """Whether both photos show the same person."""
        return self.first[0] == self.second[0]


def read(file: Path) -> list[Listed]:
    """Return the pairs of a file, in its order.

    Args:
        file: The file: words separated by tabs, or by spaces in lines without a tab.

    Raises:
        UsageError: If there is no such file.
        DataError: If it does not have LFW's form.
    """
    try:
        lines = [_words(line) for line in file.read_text("utf-8-sig").splitlines() if line.strip()]
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror or error}).", FORM) from error
    except ValueError as error:
        raise DataError(f"{file} is not a text in UTF-8.", FORM) from error
    try:
        folds, size = map(int, lines[0])
    except (IndexError, ValueError) as error:
        raise DataError(f"{file} does not begin with the numbers of folds and pairs.", FORM) from error
    if folds < 2 or size < 1 or len(lines) != 1 + 2 * folds * size:
        raise DataError(
            f"{file} has {len(lines) - 1} pairs, but its first line announces {folds} folds of 2 x {size}.",
            f"Use at least 2 folds. {FORM}",
        )
    pairs = []
    for number, words in enumerate(lines[1:]):
        fold, wanted = number // (2 * size), number % (2 * size) < size
        try:
            name, one, *rest = words
            other, two = (name, *rest) if wanted else rest
            pair = Listed((name, int(one)), (other, int(two)), fold)
        except ValueError as error:
            raise DataError(f"Pair {number + 1} of {file} is not understood.", FORM) from error
        if pair.same != wanted:
            raise DataError(f"Pair {number + 1} of {file} shows one person instead of two.", FORM)
        pairs.append(pair)
    return pairs


def _words(line: str) -> list[str]:
    return [word.strip() for word in line.split("\t")] if "\t" in line else line.split()


def photos_of(pairs: Collection[Listed], images: ImageSet) -> dict[tuple[str, int], str]:
    """Return the id of each photo that is named, without those that are not there.

    The photo (NAME, 7) is a file ``NAME/NAME_0007`` with any extension, as in LFW; the number may have any
    number of leading zeros.
    """
    wanted = {photo for pair in pairs for photo in (pair.first, pair.second)}
    found = {}
    for id in images.ids:
        person = images.class_of[id]
        match = re.fullmatch(rf"{re.escape(person)}_(\d+)", PurePosixPath(id).stem)
        if match and (person, int(match[1])) in wanted:
            found[person, int(match[1])] = id
    return found
