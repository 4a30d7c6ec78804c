"""From ids to rows of a table, and from ids to classes, without a Python dictionary over millions of ids."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np


class Rows:
    """The row of every id. Ids that are sorted, as those of a folder, take no memory beside themselves.

    Args:
        ids: The ids, each once.
    """

    def __init__(self, ids: Sequence[str]) -> None:
        self.ids = ids if isinstance(ids, tuple) else tuple(ids)
        self._sorted, self._order = self.ids, None
        if any(one >= other for one, other in zip(self.ids, self.ids[1:], strict=False)):
            order = sorted(range(len(self.ids)), key=self.ids.__getitem__)
            self._sorted = tuple(self.ids[row] for row in order)
            self._order = np.array(order, dtype=np.int32)

    def __len__(self) -> int:
        return len(self.ids)

    def row(self, id: object) -> int | None:
        """Return the row of an id, or None if it is not among the ids."""
        if not isinstance(id, str):
            return None
        place = bisect_left(self._sorted, id)
        if place == len(self._sorted) or self._sorted[place] != id:
            return None
        return place if self._order is None else int(self._order[place])


class ClassOf(Mapping[str, str]):
    """The class of every id, four bytes each. It is compared and iterated like a dictionary.

    Args:
        rows: The ids.
        names: The class of each row, in their order.
    """

    def __init__(self, rows: Rows, names: Iterator[str]) -> None:
        self._rows = rows
        number: dict[str, int] = {}
        self._labels: np.ndarray[Any, np.dtype[np.int32]] = np.fromiter(
            (number.setdefault(name, len(number)) for name in names), np.int32, len(rows)
        )
        self._names = tuple(number)

    def __getitem__(self, id: str) -> str:
        row = self._rows.row(id)
        if row is None:
            raise KeyError(id)
        return self._names[int(self._labels[row])]

    def __contains__(self, id: object) -> bool:
        return self._rows.row(id) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows.ids)

    def __len__(self) -> int:
        return len(self._rows)
