"""Making the index of a list of published files, and bringing it up to date.

An index is believed for the bytes of the list that it was made from, which are hashed at each start, and only
if its own checksum is right. Lines that came after them are added. Any other index is made anew.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from unlearnable import hashing
from unlearnable.rebuildable import connected, damaged, in_memory, in_one, remove

VERSION = 1
SCHEMA = """
CREATE TABLE state (bytes INTEGER, sha256 BLOB, checksum INTEGER);
CREATE TABLE lines (number INTEGER PRIMARY KEY, id BLOB UNIQUE, start INTEGER, stop INTEGER, output BLOB);
CREATE TABLE outputs (output BLOB PRIMARY KEY) WITHOUT ROWID
"""
INSERT = """
INSERT INTO lines (id, start, stop, output) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE
SET start = excluded.start, stop = excluded.stop, output = excluded.output
"""
SUFFIX = ".sqlite"
CHUNK = 1 << 20
Record = dict[str, Any]


def parsed(lines: BinaryIO, end: int) -> Iterator[tuple[int, int, Record]]:
    """Yield the records of a list from where it stands, each with the offsets of its line in bytes.

    Args:
        lines: The list.
        end: Offset to stop at.
    """
    start = lines.tell()
    # split at line feeds only: names may hold other characters that Unicode calls line ends
    while start < end and (line := lines.readline()):
        stop = start + len(line)
        try:
            record = json.loads(line)
            if isinstance(record["id"], str):
                yield start, stop, record
        except (ValueError, KeyError, TypeError):
            # a line that a crash cut short
            pass
        start = stop


def index_of(path: Path, lines: BinaryIO) -> sqlite3.Connection:
    """Return a connection to an index of all lines, in the file beside the list or in memory."""
    index = path.with_suffix(SUFFIX)
    for _ in range(2 if path.exists() else 0):
        connection = connected(index, VERSION, SCHEMA)
        try:
            if _continued(connection, lines):
                return connection
        except sqlite3.Error as error:
            connection.close()
            if not damaged(error):
                break
        connection.close()
        remove(index)
    connection = in_memory(VERSION, SCHEMA)
    _continued(connection, lines)
    return connection


def _continued(connection: sqlite3.Connection, lines: BinaryIO) -> bool:
    """Add the lines that an index lacks; return False, and change nothing, if it is not one of this list.

    Raises:
        sqlite3.Error: If the index cannot be read or saved.
    """
    state = connection.execute("SELECT bytes, sha256, checksum FROM state").fetchone()
    end, expected = (0, None) if state is None else (state[0], state[1:])
    lines.seek(0)
    content = hashing.running()
    found = _hashed(content, lines, end), (content.digest(), _checksum(connection))
    if found != (end, expected or found[1]) or (state is None and found[1][1]):
        return False
    new = end + _whole(lines)
    if new == end:
        return True
    with in_one(connection):
        lines.seek(end)
        for start, stop, record in parsed(lines, new):
            output = to_bytes(record["output"]) if record.get("output") else None
            connection.execute(INSERT, (to_bytes(record["id"]), start, stop, output))
            if output is not None:
                connection.execute("INSERT OR IGNORE INTO outputs VALUES (?)", (output,))
        lines.seek(end)
        _hashed(content, lines, new - end)
        connection.execute("DELETE FROM state")
        row = (new, content.digest(), _checksum(connection))
        connection.execute("INSERT INTO state VALUES (?, ?, ?)", row)
    return True


def _hashed(content: Any, lines: BinaryIO, count: int) -> int:
    """Add the next bytes of a list to a hash, and return their number, which is smaller at its end."""
    left = count
    while left and (chunk := lines.read(min(CHUNK, left))):
        content.update(chunk)
        left -= len(chunk)
    return count - left


def _whole(lines: BinaryIO) -> int:
    """Return the number of bytes from here to the end of the last line that ends with a line feed."""
    begun, end = lines.tell(), 0
    while chunk := lines.read(CHUNK):
        last = chunk.rfind(b"\n")
        if last >= 0:
            end = lines.tell() - len(chunk) + last + 1 - begun
    return end


def _checksum(connection: sqlite3.Connection) -> int:
    """Return a checksum over everything that an index says; 0 if it says nothing."""
    total = 0
    for number, id, start, stop, output in connection.execute("SELECT * FROM lines ORDER BY number"):
        total = zlib.crc32(b"%d %d %d %d " % (number, start, stop, len(id)) + id + (output or b""), total)
    for (output,) in connection.execute("SELECT output FROM outputs ORDER BY output"):
        total = zlib.crc32(output, total)
    return total


def to_bytes(text: str) -> bytes:
    """Return a name as the index holds it."""
    # names need not be valid Unicode, and SQLite takes no other text
    return text.encode("utf-8", "surrogatepass")


def to_text(data: bytes) -> str:
    """Return a name of the index."""
    return data.decode("utf-8", "surrogatepass")
