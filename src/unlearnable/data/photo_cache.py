"""Facts of files that earlier commands have read, in the run folder. Only files of unchanged stamp are known.

The facts of a photo also depend on the decoders and on the largest size that is decoded: a folder that is
read in another way is another folder here. Each row has a checksum, and a damaged one is never believed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from unlearnable import hashing
from unlearnable.data import file_stamps
from unlearnable.data.facts_table import PACKED, FactsTable, packed
from unlearnable.data.file_rows import FILE, SCHEMA, TOGETHER, VERSION, FileRows
from unlearnable.data.folder_source import FolderSource
from unlearnable.data.id_rows import Rows
from unlearnable.data.photo_file import MAX_PIXELS
from unlearnable.data.source import Derived, Facts, Source
from unlearnable.rebuildable import connected, in_memory
from unlearnable.version import __version__

# Raised when a file has other facts than before.
REVISION = 1
# the kind of a folder whose files are hashed and not decoded
CONTENT = b"content"
# status of a file before it was read, and the time of the question in nanoseconds; None if it is gone
Status = tuple[os.stat_result, int] | None


@dataclass
class PhotoCache:
    """The cache of a run folder, open.

    Args:
        rows: Its rows.
    """

    rows: FileRows

    def recalled(self, source: Source, ids: Sequence[str]) -> FactsTable:
        """Return the facts of all photos that have not changed since they were read.

        Reads sizes and times of files, and nothing else.
        """
        found = FactsTable(Rows(ids))
        for start in range(0, len(ids), TOGETHER):
            several: dict[int, tuple[FolderSource, list[tuple[int, str]]]] = {}
            for row, id in enumerate(ids[start : start + TOGETHER], start):
                located = _file_of(source, id)
                if located is not None:
                    folder = located[0]
                    number = self.rows.number(folder.root, _decoding(folder.max_pixels))
                    several.setdefault(number, (folder, []))[1].append((row, located[1]))
            for number, (folder, wanted) in several.items():
                self._recall(found, number, folder, wanted)
        return found

    def _recall(
        self, found: FactsTable, number: int, folder: FolderSource, wanted: Sequence[tuple[int, str]]
    ) -> None:
        names = [os.fsencode(folder.name(id)) for _, id in wanted]
        known = self.rows.known(number, names)
        for name, (row, id) in zip(names, wanted, strict=True):
            if name in known:
                stamp, digest, facts = known[name]
                if len(facts) == PACKED.size and stamp == file_stamps.now(
                    os.path.join(folder.root, folder.name(id))
                ):
                    found.put_packed(row, digest, facts)
                    folder.recall(id, digest)

    def learn(self, source: Source, id: str, facts: Facts) -> None:
        """Save the facts of a photo that ``source`` has just read."""
        found = _file_of(source, id)
        if found is not None:
            folder, key = found
            number = self.rows.number(folder.root, _decoding(folder.max_pixels))
            name = os.fsencode(folder.name(key))
            self.rows.put(number, name, folder.stamp_read(key), bytes.fromhex(facts.digest), packed(facts))

    def digests(self, source: Source, ids: Sequence[str]) -> dict[str, str]:
        """Return the SHA-256 of the files of some photos, in hexadecimal. Only changed files are read.

        Photos without a file, and files that cannot be read, are left out.
        """
        several: dict[int, tuple[FolderSource, dict[str, str]]] = {}
        for photo in ids:
            where = _file_of(source, photo)
            if where is not None:
                folder, key = where
                several.setdefault(id(folder), (folder, {}))[1][folder.name(key)] = photo
        return {
            photo_of[name]: digest
            for folder, photo_of in several.values()
            for name, digest in self._contents(folder.root, photo_of).items()
        }

    def intact(self, folder: Path, digests: Mapping[str, str]) -> set[str]:
        """Return those of some files whose content is still the given one. Only changed files are read.

        Args:
            folder: The folder of the files.
            digests: SHA-256 of each file, in hexadecimal, by its path below the folder.
        """
        return {
            name for name, digest in self._contents(str(folder), digests).items() if digest == digests[name]
        }

    def read_by_worker(self, source: Source, id: str, digest: str, before: Status) -> None:
        """Save the SHA-256 of a photo's file that a worker read after its status was taken."""
        found = _file_of(source, id)
        if found is not None and before is not None:
            folder, key = found
            name = folder.name(key)
            with suppress(OSError):
                after = os.stat(os.path.join(folder.root, name), follow_symlinks=False)
                stamp = file_stamps.settled(before[0], after, before[1])
                number = self.rows.number(folder.root, CONTENT)
                self.rows.put(number, os.fsencode(name), stamp, bytes.fromhex(digest), b"")

    def _contents(self, root: str, names: Iterable[str]) -> dict[str, str]:
        """Return the SHA-256 of files below a folder, in hexadecimal, by name."""
        number, wanted = self.rows.number(root, CONTENT), [*names]
        known, found = self.rows.known(number, [*map(os.fsencode, wanted)]), dict[str, str]()
        for text in wanted:
            name, path = os.fsencode(text), os.path.join(root, text)
            stamp, content = known.get(name, (b"", b"", b""))[:2]
            if not stamp or stamp != file_stamps.now(path):
                try:
                    content, stamp = file_stamps.digest(path)
                except OSError:
                    continue
                self.rows.put(number, name, stamp, content, b"")
            found[text] = content.hex()
        return found


@contextmanager
def photo_cache(run: Path | None) -> Iterator[PhotoCache]:
    """Yield the cache of a run folder, and save new facts when the block ends, also after an error.

    Args:
        run: The folder. Without one, the cache is empty and nothing is saved.
    """
    saved = run is not None and run.is_dir()
    connection = connected(run / FILE, VERSION, SCHEMA) if run and saved else in_memory(VERSION, SCHEMA)
    rows = FileRows(connection)
    try:
        yield PhotoCache(rows)
    finally:
        rows.save()
        connection.close()


def status(source: Source, id: str) -> Status:
    """Return the status of a photo's file before a worker reads it; None for a photo without a file."""
    found = _file_of(source, id)
    if found is None:
        return None
    begun = time.time_ns()
    try:
        path = os.path.join(found[0].root, found[0].name(found[1]))
        return os.stat(path, follow_symlinks=False), begun
    except OSError:
        return None


def most_pixels(source: Source, id: str) -> int:
    """Return the most pixels of a photo that are decoded."""
    found = _file_of(source, id)
    return MAX_PIXELS if found is None else found[0].max_pixels


def _file_of(source: Source, id: str) -> tuple[FolderSource, str] | None:
    """Return the folder and the id there of a photo that is not changed after it is read."""
    while isinstance(source, Derived):
        if source.change is not None:
            return None
        source, id = source.locate(id)
    return (source, id) if isinstance(source, FolderSource) else None


@cache
def _decoding(max_pixels: int) -> bytes:
    """Return a hash of everything beside a file that its facts depend on: our code, and the decoders."""
    versions = [__version__, REVISION, max_pixels]
    for package in ("Pillow", "pillow-heif", "numpy"):
        try:
            versions.append(metadata.version(package))
        except metadata.PackageNotFoundError:
            versions.append("")
    return bytes.fromhex(hashing.digest(*versions))
