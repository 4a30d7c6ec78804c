"""SQLite files that hold nothing but what can be found again. One that cannot be used counts as absent.

Such a file may be damaged, locked, read-only, of another version or of another program. It is removed and
made anew if that is possible. Otherwise the command works with a database in memory and saves nothing: it
takes longer, and gives the same answers.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# "unle" in ASCII; SQLite saves it in the header of the file
APPLICATION = 0x756E6C65
# seconds to wait for another process
PATIENCE = 2.0
_log = logging.getLogger(__name__)


def connected(path: Path, version: int, schema: str) -> sqlite3.Connection:
    """Return a connection to a file, or to a database in memory if the file cannot be used.

    Every statement commits by itself; ``in_one`` groups them.

    Args:
        path: The file; its folder must exist, or nothing is saved.
        version: Version of the schema. A file of another one is made anew.
        schema: Statements that make the tables.
    """
    for _ in range(2):
        connection = None
        try:
            connection = sqlite3.connect(path, PATIENCE, isolation_level=None, check_same_thread=False)
            if _is_ours(connection, version):
                return connection
            if not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
                _make(connection, version, schema)
                return connection
            connection.close()
            _log.info("%s is of another version, and is made anew", path)
        except sqlite3.Error as error:
            if connection is not None:
                connection.close()
            _log.info("%s is not used: %s", path, error)
            if not damaged(error):
                break
        remove(path)
    return in_memory(version, schema)


def in_memory(version: int, schema: str) -> sqlite3.Connection:
    """Return a connection to a database that is gone with the connection."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    _make(connection, version, schema)
    return connection


@contextmanager
def in_one(connection: sqlite3.Connection) -> Iterator[None]:
    """Make all changes of a block or none of them.

    Raises:
        sqlite3.Error: If they cannot be saved.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def damaged(error: sqlite3.Error) -> bool:
    """Return whether an error means that the file is damaged, rather than locked or out of reach."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    return code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)


def remove(path: Path) -> None:
    """Remove a file with its journal, as far as that is possible."""
    for file in (path, path.with_name(f"{path.name}-journal")):
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            _log.info("%s cannot be removed: %s", file, error)


def _is_ours(connection: sqlite3.Connection, version: int) -> bool:
    """Return whether a file has the right schema.

    Raises:
        sqlite3.Error: If its structure is damaged.
    """
    names = ("application_id", "user_version")
    found = tuple(connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names)
    if found != (APPLICATION, version):
        return False
    answer = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if answer != "ok":
        # has no error code, so it counts as damaged
        raise sqlite3.DatabaseError(answer)
    return True


def _make(connection: sqlite3.Connection, version: int, schema: str) -> None:
    connection.executescript(
        f"BEGIN IMMEDIATE; {schema}; PRAGMA application_id = {APPLICATION}; "
        f"PRAGMA user_version = {version}; COMMIT;"
    )
