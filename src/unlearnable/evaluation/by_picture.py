"""Pairs of a photo and its published file that are found by the pictures, because a site changed the names.

Sites resize, compress again, change the extension and rename; none of this changes a picture reduced to a few
cells by much, and neither does the noise. A crop or a frame does, so such files find no photo.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from unlearnable.data.image_set import ImageSet
from unlearnable.evaluation.statistics import BoolArray, Floats, IntArray

# cells per side; the few suffice for a search, and for pictures so small that a resize changes the others
CELLS, FEW = 16, 8
# pixels: the shorter side below which only the few cells are compared
SMALL = 96
# levels, root mean square over the cells. Noise moves a cell by no more than its budget, which is usually 8;
# resizing and compression add one or two. Photographs of scikit-image are 50 and more apart, disjoint parts
# of one photograph 40 in the median.
SAME = 14.0
# a file belongs to a photo only if any other one is this much farther away: frames of a burst are not guessed
CLEARLY = 1.5
# levels; equal pictures have no distance that another one could exceed by a factor
AT_LEAST = 1.0
# share by which width over height may differ, beside a pixel of rounding on every side
ASPECT = 0.02
# levels; a file of the right name that is this far away shows another picture
OTHER = 40.0
CHUNK = 256


@dataclass(frozen=True)
class Cells:
    """Pictures reduced to a few cells.

    Args:
        ids: Id of every row.
        many: float (N, 3 * CELLS ** 2), in levels.
        few: float (N, 3 * FEW ** 2), in levels.
        size: (height, width) of each picture in pixels, float (N, 2).
    """

    ids: tuple[str, ...]
    many: Floats
    few: Floats
    size: Floats

    @classmethod
    def of(cls, images: ImageSet, side: int) -> Cells:
        """Return the cells of images that ``readable`` has read.

        Args:
            images: The images.
            side: Side of the squares that were made, in pixels.
        """
        pixels = images.view(side).pixels
        many, few = (np.concatenate([*_means(pixels, cells)]) for cells in (CELLS, FEW))
        return cls(images.ids, many, few, np.array([images.facts[id].size for id in images.ids], float))

    def rows(self, ids: Sequence[str]) -> Cells:
        """Return the rows of some ids, in their order."""
        place = {id: row for row, id in enumerate(self.ids)}
        rows = np.array([place[id] for id in ids], dtype=int)
        return Cells(tuple(ids), self.many[rows], self.few[rows], self.size[rows])

    @property
    def small(self) -> BoolArray:
        """Whether only the few cells are compared: bool (N,)."""
        return np.asarray(self.size.min(axis=1) < SMALL)


@dataclass(frozen=True)
class Found:
    """The result of a search.

    Args:
        partner: Id of the file by the photo's id.
        photos: Reason for each photo without a file.
        files: Reason for each file without a photo.
    """

    partner: dict[str, str]
    photos: dict[str, str]
    files: dict[str, str]


def search(photos: Cells, files: Cells) -> Found:
    """Return the pairs of photos and files that show the same picture.

    A pair is the nearest photo of its file and the nearest file of its photo, and on both sides any other one
    is clearly farther away.
    """
    if not (photos.ids and files.ids):
        return Found({}, {}, {})
    ours, theirs = _Nearest.of(photos, files), _Nearest.of(files, photos)
    partner = {
        photos.ids[row]: files.ids[column]
        for row, column in enumerate(ours.index)
        if theirs.index[column] == row and ours.clear[row] and theirs.clear[column]
    }
    taken = set(partner.values())
    return Found(
        partner,
        {id: ours.reason(row, "file") for row, id in enumerate(photos.ids) if id not in partner},
        {id: theirs.reason(row, "photo") for row, id in enumerate(files.ids) if id not in taken},
    )


@dataclass(frozen=True)
class _Nearest:
    """The nearest picture of the other side for every picture: its row, and the two smallest distances."""

    index: IntArray
    best: Floats
    second: Floats

    @classmethod
    def of(cls, one: Cells, other: Cells) -> _Nearest:
        index, best, second = [], [], []
        # a table of all distances would not fit into memory for many photos
        for distances in _distances(one, other):
            row, nearest = np.arange(len(distances)), distances.argmin(axis=1)
            index.append(nearest)
            best.append(distances[row, nearest])
            distances[row, nearest] = np.inf
            second.append(distances.min(axis=1))
        return cls(*(np.concatenate(parts) for parts in (index, best, second)))

    @property
    def clear(self) -> BoolArray:
        """Whether the nearest shows the same picture, and any other one is clearly farther away."""
        limit = np.maximum(CLEARLY * self.best, self.best + AT_LEAST)
        return np.asarray((self.best <= SAME) & (self.second >= limit))

    def reason(self, row: int, other: str) -> str:
        """Return why a picture has no partner among the ``other`` ones."""
        return (
            "several pictures look too much alike to be told apart"
            if self.best[row] <= SAME
            else f"no other {other} shows its picture"
        )


def apart(photos: Cells, files: Cells) -> Floats:
    """Return the distance of each photo from the file in the same row, float (N,), in levels."""
    few = photos.small | files.small
    many, coarse = (
        np.sqrt(np.square(one - other).mean(axis=1))
        for one, other in ((photos.many, files.many), (photos.few, files.few))
    )
    return np.asarray(np.where(few, coarse, many))


def _means(pixels: Any, cells: int) -> Iterator[Floats]:
    for start in range(0, len(pixels), CHUNK):
        chunk = torch.from_numpy(np.array(pixels[start : start + CHUNK])).double()
        yield F.adaptive_avg_pool2d(chunk, cells).flatten(1).numpy()


def _distances(photos: Cells, files: Cells) -> Iterator[Floats]:
    """Yield rows of the distances of photos and files, (n, M) in levels, infinite where the shapes differ."""
    for start in range(0, len(photos.ids), CHUNK):
        rows = slice(start, start + CHUNK)
        many = _between(photos.many[rows], files.many)
        few = _between(photos.few[rows], files.few)
        found = np.where(photos.small[rows, None] | files.small, few, many)
        shape, other = (np.log(one[:, 0] / one[:, 1]) for one in (photos.size[rows], files.size))
        rounding = (1 / photos.size[rows]).sum(axis=1)[:, None] + (1 / files.size).sum(axis=1)
        yield np.where(np.abs(shape[:, None] - other) <= ASPECT + rounding, found, np.inf)


def _between(one: Floats, other: Floats) -> Floats:
    squares = np.square(one).sum(axis=1)[:, None] + np.square(other).sum(axis=1) - 2 * one @ other.T
    return np.asarray(np.sqrt(np.maximum(squares, 0) / one.shape[1]))
