"""An index of a list of published files, so that a later command need not parse every line of the list.

The list stays the record: a crash cuts its last line short at worst. The index says which line of a photo is
the last one, and may be deleted at any time.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from unlearnable.indexing import Record, index_of, to_bytes, to_text

# lists that stay open
OPEN = 8


class Records(Mapping[str, Record]):
    """The last record of every photo by id, in the order in which the photos were first listed.

    A record is read from the list when it is asked for.

    Args:
        path: The list. It need not exist.
    """

    def __init__(self, path: Path) -> None:
        # closed with this object
        self._list: BinaryIO = open(path if path.exists() else os.devnull, "rb")  # noqa: SIM115
        self._connection = index_of(path, self._list)
        # a file that is open cannot be replaced on every system
        self.close = weakref.finalize(self, _close, self._list, self._connection)

    def __getitem__(self, id: str) -> Record:
        question = "SELECT start, stop FROM lines WHERE id = ?"
        row = self._connection.execute(question, (to_bytes(id),)).fetchone()
        if row is None:
            raise KeyError(id)
        return self._record(*row)

    def __contains__(self, id: object) -> bool:
        question = "SELECT 1 FROM lines WHERE id = ?"
        return isinstance(id, str) and any(self.ask(question, to_bytes(id)))

    def __iter__(self) -> Iterator[str]:
        return (to_text(id) for (id,) in self.ask("SELECT id FROM lines ORDER BY number"))

    def __len__(self) -> int:
        count: int = self._connection.execute("SELECT count(*) FROM lines").fetchone()[0]
        return count

    @property
    def outputs(self) -> Outputs:
        """The path below the published folder of every listed photo that has one, by id."""
        return Outputs(self)

    def wrote(self, output: str) -> bool:
        """Return whether a path was ever written, also for a photo that has got another name since."""
        question = "SELECT 1 FROM outputs WHERE output = ?"
        return self._connection.execute(question, (to_bytes(output),)).fetchone() is not None

    def ask(self, question: str, *values: bytes) -> Iterator[tuple[Any, ...]]:
        """Yield the rows that answer a question to the index."""
        return iter(self._connection.execute(question, values))

    def _record(self, start: int, stop: int) -> Record:
        self._list.seek(start)
        found: Record = json.loads(self._list.read(stop - start))
        return found


class Outputs(Mapping[str, str]):
    """Published paths by id of the photo.

    Args:
        records: The records, whose index answers.
    """

    def __init__(self, records: Records) -> None:
        self._records = records

    def __getitem__(self, id: str) -> str:
        question = "SELECT output FROM lines WHERE id = ? AND output IS NOT NULL"
        for (output,) in self._records.ask(question, to_bytes(id)):
            return to_text(output)
        raise KeyError(id)

    def __iter__(self) -> Iterator[str]:
        question = "SELECT id FROM lines WHERE output IS NOT NULL ORDER BY number"
        return (to_text(id) for (id,) in self._records.ask(question))

    def __len__(self) -> int:
        return sum(count for (count,) in self._records.ask("SELECT count(output) FROM lines"))


class _Open(threading.local):
    """The lists that are open in this thread: those of a run are asked for several times in a command."""

    def __init__(self) -> None:
        self.lists: dict[Path, tuple[bytes, Records]] = {}


_open = _Open()


def indexed(path: Path) -> Records:
    """Return the records of a list, those of an earlier call if the list has not grown since."""
    path = path.absolute()
    try:
        status = path.stat()
        now = f"{status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns}".encode()
    except OSError:
        now = b""
    before, found = _open.lists.get(path, (None, None))
    if found is None or before != now:
        closed(path)
        found = Records(path)
        if len(_open.lists) >= OPEN:
            closed(next(iter(_open.lists)))
        _open.lists[path] = (now, found)
    return found


def closed(path: Path) -> None:
    """Forget a list that is about to be replaced."""
    _open.lists.pop(path.absolute(), None)


def _close(lines: BinaryIO, connection: sqlite3.Connection) -> None:
    lines.close()
    connection.close()
