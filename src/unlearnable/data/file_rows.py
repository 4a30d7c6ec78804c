"""Saved facts of files: rows by folder and name, in SQLite. A row with a wrong checksum is ignored."""

from __future__ import annotations

import logging
import os
import sqlite3
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from unlearnable.data import file_stamps
from unlearnable.rebuildable import in_one

# in the run folder
FILE = "cache.sqlite"
VERSION = 1
SCHEMA = """
CREATE TABLE folders (number INTEGER PRIMARY KEY, path BLOB, kind BLOB, UNIQUE (path, kind));
CREATE TABLE files (
    folder INTEGER, name BLOB, stamp BLOB, digest BLOB, facts BLOB, checksum INTEGER,
    PRIMARY KEY (folder, name)
) WITHOUT ROWID
"""
# rows that are read or saved together, so that memory is small and a killed command loses little
TOGETHER = 1000
_log = logging.getLogger(__name__)
_Row = tuple[int, bytes, bytes, bytes, bytes, int]


@dataclass
class FileRows:
    """The rows of a database.

    Args:
        connection: The database, with the tables of ``SCHEMA``.
    """

    connection: sqlite3.Connection
    _waiting: list[_Row] = field(default_factory=list)
    _folders: dict[tuple[str, bytes], int] = field(default_factory=dict)

    def number(self, path: str, kind: bytes) -> int:
        """Return the number of a folder; -1 if it cannot have one.

        Args:
            path: The folder.
            kind: How its files are read. Each kind has rows of its own.
        """
        if (path, kind) not in self._folders:
            key = os.fsencode(os.path.abspath(path) if path else ""), kind
            try:
                question = "SELECT number FROM folders WHERE path = ? AND kind = ?"
                row = self.connection.execute(question, key).fetchone()
                if row is None:
                    insert = "INSERT INTO folders (path, kind) VALUES (?, ?) RETURNING number"
                    row = self.connection.execute(insert, key).fetchone()
            except sqlite3.Error:
                row = None
            # no row has this number, so nothing is known of the folder
            self._folders[path, kind] = row[0] if row else -1
        return self._folders[path, kind]

    def known(self, folder: int, names: Sequence[bytes]) -> dict[bytes, tuple[bytes, bytes, bytes]]:
        """Return stamp, content hash and facts of files by name, of the rows that are whole."""
        question = (
            "SELECT name, stamp, digest, facts, checksum FROM files WHERE folder = ? AND name BETWEEN ? AND ?"
        )
        wanted, found = set(names), dict[bytes, tuple[bytes, bytes, bytes]]()
        if not wanted:
            return found
        try:
            # names of one folder lie side by side, which is quicker than a search for each
            for name, *parts, checksum in self.connection.execute(question, (folder, min(names), max(names))):
                if name in wanted and checksum == _checksum(folder, name, *parts):
                    found[name] = (parts[0], parts[1], parts[2])
        except (sqlite3.Error, TypeError):
            return {}
        return found

    def put(self, folder: int, name: bytes, stamp: bytes, digest: bytes, facts: bytes) -> None:
        """Save a row, now or with others. A file without a stamp is not saved."""
        if stamp != file_stamps.UNKNOWN and folder >= 0:
            checksum = _checksum(folder, name, stamp, digest, facts)
            self._waiting.append((folder, name, stamp, digest, facts, checksum))
            if len(self._waiting) >= TOGETHER:
                self.save()

    def save(self) -> None:
        """Save what was learned."""
        if self._waiting:
            try:
                with in_one(self.connection):
                    self.connection.executemany("REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)", self._waiting)
            except sqlite3.Error as error:
                _log.info("what was learned of %d photos is not saved: %s", len(self._waiting), error)
            self._waiting.clear()


def _checksum(folder: int, *parts: bytes) -> int:
    return zlib.crc32(b"".join(parts), folder)
