"""Near duplicates: re-encoded and resized copies of a picture, and frames of a burst.

A network that has seen a copy of a test image in training looks better than it is, so copies stay on one side
of the split. Two pictures are near duplicates if they differ little *for pictures with so little contrast*:
the distance of their cells (``by_picture``) is at most a quarter of their contrast. A limit in levels would
merge plain walls, and so would a comparison of shapes alone, which does not see the colour of a wall.

On 700 photos of Imagenette, JPEG of quality 30 and half the size gave a share of at most .08, a crop of one
percent a side at most .29, and the nearest two different photos .37. On 4,000 images of CIFAR-10, the nearest
different ones were .29 apart. A crop of three percent a side is usually not recognised, and a mirror image
never.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from unlearnable.evaluation.by_picture import CELLS, Cells
from unlearnable.evaluation.statistics import BoolArray, IntArray

# Largest distance over contrast, for three sizes of pictures: different pictures look more alike the fewer
# pixels they have. At .2, a twelfth of the handwritten digits of scikit-learn (8 px) would pass for others.
NEAR, NEAR_SMALL, NEAR_TINY = 0.25, 0.2, 0.1
# levels; pictures with less contrast are flat, and only equal ones are duplicates
FLAT = 2.0
CHUNK = 512


def groups(cells: Cells, digests: tuple[str, ...]) -> IntArray:
    """Return the group of every picture: int64 (N,), equal for near duplicates and their near duplicates.

    Args:
        cells: The pictures.
        digests: Content hash of each; pictures with the same content are in one group.
    """
    # loads slowly
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(cells.ids)
    _, equal = np.unique(np.array(digests), return_inverse=True)
    _, first = np.unique(equal, return_index=True)
    one, two = _near(cells, cells)
    one, two = np.concatenate([one, np.arange(count)]), np.concatenate([two, first[equal]])
    graph = coo_array((np.ones(len(one), dtype=bool), (one, two)), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    return np.asarray(labels, dtype=np.int64)


def copies(cells: Cells, others: Cells) -> BoolArray:
    """Return whether each picture has a near duplicate among others: bool (N,)."""
    found = np.zeros(len(cells.ids), dtype=bool)
    found[_near(cells, others)[0]] = True
    return found


def _near(one: Cells, other: Cells) -> tuple[IntArray, IntArray]:
    """Return the rows of both sides that are near duplicates of each other, int64 (P,) each."""
    pairs = [*_pairs(one, other)]
    rows, columns = ([pair[side] for pair in pairs] for side in (0, 1))
    return np.concatenate([np.zeros(0, int), *rows]), np.concatenate([np.zeros(0, int), *columns])


def _pairs(one: Cells, other: Cells) -> Iterator[tuple[IntArray, IntArray]]:
    mine, theirs = _limits(one), _limits(other)
    # around the middle, float32 is precise enough for the search
    own, few = ((cells.few - 128).astype(np.float32) for cells in (one, other))
    squares = np.square(few).mean(axis=1)
    for start in range(0, len(own), CHUNK):
        rows = slice(start, start + CHUNK)
        # within one set, every pair is met once
        first = start if one is other else 0
        rough = (own[rows] * (-2 / few.shape[1])) @ few[first:].T
        rough += np.square(own[rows]).mean(axis=1)[:, None]
        rough += squares[first:]
        limits = np.minimum.outer(mine[rows], theirs[first:])
        # averages of cells are never farther apart than the cells; one level for rounding
        found, columns = np.nonzero((rough <= np.square(limits) + 1) & (limits > 0))
        found, columns = found + start, columns + first
        for part in np.array_split(np.arange(len(found)), len(found) // CHUNK + 1):
            differ = np.square(one.many[found[part]] - other.many[columns[part]]).mean(axis=1)
            good = part[np.sqrt(differ) <= np.minimum(mine[found[part]], theirs[columns[part]])]
            yield found[good], columns[good]


def _limits(cells: Cells) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Return the largest distance of a near duplicate of each picture, in levels; 0 for flat pictures."""
    planes = cells.many.reshape(len(cells.many), 3, -1)
    contrast = np.sqrt(np.square(planes - planes.mean(axis=2, keepdims=True)).mean(axis=(1, 2)))
    tiny = cells.size.min(axis=1) < CELLS
    share = np.where(tiny, NEAR_TINY, np.where(cells.small, NEAR_SMALL, NEAR))
    return np.where(contrast < FLAT, 0.0, share * contrast).astype(np.float32)
