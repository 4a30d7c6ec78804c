"""Decoding photos in one pass: facts of each, errors of the unreadable ones, and squares for a view."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from unlearnable.budget import UInt8Array
from unlearnable.data.facts_table import FactsTable
from unlearnable.data.id_rows import Rows
from unlearnable.data.photo import squash
from unlearnable.data.source import Facts, Source
from unlearnable.data.square_views import COPY_BATCH, allocate
from unlearnable.errors import DataError
from unlearnable.events import Event, OnProgress, silent

if TYPE_CHECKING:
    from unlearnable.data.photo_cache import PhotoCache

DECODING_THREADS = 4
# photos that a thread decodes before it takes others
LARGEST_BATCH = 32
# batches for each thread that wait at a time
AHEAD = 4


@dataclass(frozen=True)
class Squares:
    """Photos of a source, resized to squares of one size.

    Args:
        source: Source of the photos.
        ids: Id of every row.
        pixels: uint8 (N, 3, S, S).
    """

    source: Source
    ids: tuple[str, ...]
    pixels: UInt8Array

    @property
    def side(self) -> int:
        """Side of a square in pixels."""
        return int(self.pixels.shape[-1])

    def of(self, source: Source, ids: Sequence[str], side: int, folder: Path | None) -> UInt8Array | None:
        """Return the squares of some photos, uint8 (len(ids), 3, S, S).

        Args:
            source: Source of the photos.
            ids: Ids of the photos.
            side: S, in pixels.
            folder: Folder of the temporary file for squares that do not fit into memory.

        Returns:
            The squares; None if these are squares of another source or side, or one of the ids is missing.
        """
        if source is not self.source or side != self.side:
            return None
        if tuple(ids) == self.ids:
            return self.pixels
        rows = {id: row for row, id in enumerate(self.ids)}
        if not rows.keys() >= set(ids):
            return None
        chosen = allocate((len(ids), 3, side, side), folder)
        for start in range(0, len(ids), COPY_BATCH):
            batch = ids[start : start + COPY_BATCH]
            chosen[start : start + len(batch)] = self.pixels[[rows[id] for id in batch]]
        return chosen


@dataclass(frozen=True)
class Reading:
    """The result of decoding photos.

    Args:
        facts: Facts of the photos that can be used, by id.
        errors: Errors of the others, by id.
        squares: Squares of the photos that can be used, or None.
    """

    facts: Mapping[str, Facts]
    errors: dict[str, DataError]
    squares: Squares | None


def read(
    source: Source,
    ids: Sequence[str],
    side: int | None = None,
    folder: Path | None = None,
    on_progress: OnProgress = silent,
    *,
    known: Mapping[str, Facts] | None = None,
    cache: PhotoCache | None = None,
) -> Reading:
    """Decode every photo once and return facts, errors and squares.

    Args:
        source: Source of the photos.
        ids: Ids of the photos.
        side: Side in pixels of the squares to make in the same pass; None for no squares.
        folder: Folder of the temporary file for squares that do not fit into memory.
        on_progress: Called after each photo, with the stage ``checking``.
        known: Facts that are known already. Without squares, these photos are not decoded.
        cache: Learns the facts of every photo that is decoded; None to save nothing.

    Raises:
        DataError: If the disk is too full for the squares.
    """
    pixels = None if side is None else allocate((len(ids), 3, side, side), folder)

    def decode(row: int) -> Facts | DataError:
        found = None if known is None or side is not None else known.get(ids[row])
        if found is not None:
            return found
        try:
            photo, digest = source.load(ids[row])
        except DataError as error:
            return error
        if pixels is not None and side is not None:
            square = squash(photo.opaque, side)
            pixels[row] = square if photo.grey else square.transpose(2, 0, 1)
        return Facts.of(photo, digest)

    facts, errors = FactsTable(Rows(tuple(ids))), dict[str, DataError]()
    for row, result in enumerate(_in_threads(decode, len(ids))):
        if isinstance(result, DataError):
            errors[ids[row]] = result
        else:
            facts.put(row, result)
            if cache is not None:
                cache.learn(source, ids[row], result)
        on_progress(Event("checking", row + 1, len(ids)))
    if pixels is None:
        return Reading(facts, errors, None)
    if errors:
        pixels = _compacted(pixels, [row for row, id in enumerate(ids) if id not in errors])
    return Reading(facts, errors, Squares(source, tuple(facts), pixels))


def _in_threads(decode: Callable[[int], Facts | DataError], count: int) -> Iterator[Facts | DataError]:
    """Yield the results of all rows, in their order."""
    # one task for each photo would take longer than the photo itself, if there are many small ones
    batch = max(1, min(LARGEST_BATCH, count // 1000))
    with ThreadPoolExecutor(DECODING_THREADS) as pool:
        waiting: deque[Future[list[Facts | DataError]]] = deque()
        for start in range(0, count, batch):
            rows = range(start, min(start + batch, count))
            waiting.append(pool.submit(lambda rows: [*map(decode, rows)], rows))
            # a task for every photo would take more memory than what is learned of it
            if len(waiting) > AHEAD * DECODING_THREADS:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _compacted(pixels: UInt8Array, rows: Iterable[int]) -> UInt8Array:
    """Return only some rows, moved to the front in place, because a copy might not fit into memory."""
    count = 0
    for row in rows:
        if row != count:
            pixels[count] = pixels[row]
        count += 1
    return pixels[:count]
