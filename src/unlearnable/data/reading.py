"""Reading photos once: what is known of each, which cannot be used, and their squares, all in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from unlearnable.budget import UInt8Array
from unlearnable.data.photo import squash
from unlearnable.data.source import Facts, Source
from unlearnable.data.square_views import square_views
from unlearnable.errors import DataError
from unlearnable.events import Event, OnProgress, silent

READERS = 4
COPIED = 1024  # squares that are copied at a time


@dataclass(frozen=True)
class Squares:
    """Photos of a source, squashed to one size.

    Args:
        source: Where the photos come from.
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
        """Return the squares of some photos, uint8 (len(ids), 3, S, S); None if they are not all here."""
        if source is not self.source or side != self.side:
            return None
        if tuple(ids) == self.ids:
            return self.pixels
        rows = {id: row for row, id in enumerate(self.ids)}
        if not rows.keys() >= set(ids):
            return None
        chosen = square_views((len(ids), 3, side, side), folder)
        for start in range(0, len(ids), COPIED):
            some = ids[start : start + COPIED]
            chosen[start : start + len(some)] = self.pixels[[rows[id] for id in some]]
        return chosen


@dataclass(frozen=True)
class Reading:
    """What came of reading photos: facts of those that can be used, errors of the others, and squares if wanted."""

    facts: dict[str, Facts]
    errors: dict[str, DataError]
    squares: Squares | None


def read(
    source: Source,
    ids: Sequence[str],
    side: int | None = None,
    folder: Path | None = None,
    on_progress: OnProgress = silent,
) -> Reading:
    """Decode every photo once.

    Args:
        source: Where the photos come from.
        ids: Which of them.
        side: Side of the squares to make in the same pass; None for none.
        folder: Where squares are mapped from that memory does not hold.
        on_progress: Called after each photo, stage ``checking``.

    Raises:
        DataError: If the disk has no room for the squares.
    """
    pixels = None if side is None else square_views((len(ids), 3, side, side), folder)

    def one(row: int) -> Facts | DataError:
        try:
            photo, digest = source.load(ids[row])
        except DataError as error:
            return error
        if pixels is not None and side is not None:
            square = squash(photo.opaque, side)
            pixels[row] = square if photo.grey else square.transpose(2, 0, 1)
        return Facts.of(photo, digest)

    found: list[Facts | DataError] = []
    with ThreadPoolExecutor(READERS) as pool:
        for fact in pool.map(one, range(len(ids))):
            found.append(fact)
            on_progress(Event("checking", len(found), len(ids)))
    facts = {id: fact for id, fact in zip(ids, found, strict=True) if isinstance(fact, Facts)}
    errors = {id: fact for id, fact in zip(ids, found, strict=True) if isinstance(fact, DataError)}
    if pixels is None:
        return Reading(facts, errors, None)
    if errors:
        pixels = _moved_up(pixels, [row for row, fact in enumerate(found) if isinstance(fact, Facts)])
    return Reading(facts, errors, Squares(source, tuple(facts), pixels))


def _moved_up(pixels: UInt8Array, rows: Iterable[int]) -> UInt8Array:
    """Move some rows to the front, in place: squares of many photos are mapped from a file and fill no memory."""
    count = 0
    for row in rows:
        if row != count:
            pixels[count] = pixels[row]
        count += 1
    return pixels[:count]
