"""Places that hold shards or manifests: a folder on this machine, or an address that fsspec can open."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Protocol

from filelock import FileLock, Timeout

from unlearnable.files import UNSUPPORTED, write_by

ADDRESS = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://")
LOCK = ".lock"


class Place(Protocol):
    """Files by name, side by side. A file is written whole or not at all."""

    @property
    def name(self) -> str:
        """Its path or address, absolute."""

    def names(self) -> list[str]:
        """Return the names of the files, sorted; empty if there is no such place."""

    def stamp(self, name: str) -> str | None:
        """Return a text that changes when a file does, without reading it; None if there is no such file."""

    def size(self, name: str) -> int | None:
        """Return the bytes of a file; None if there is no such file."""

    def reading(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Open a file, to be read from its beginning to its end.

        Raises:
            OSError: If it cannot be read.
        """

    def write(self, name: str, save: Callable[[BinaryIO], object], drafts: str = "") -> None:
        """Write a file by a function that writes to the stream it is given.

        Args:
            name: Of the file.
            save: The function.
            drafts: Folder for the unfinished file, beside the file; the place itself if empty.
        """

    def clear(self, drafts: str) -> None:
        """Remove a folder for unfinished files. No other process may write to it."""

    def lock(self, name: str) -> AbstractContextManager[bool | None]:
        """Hold a lock while in the context: True if this process holds it, False if another one does.

        The system releases the lock when the process ends, however it ends. Where there are no locks the
        value is None: two processes may then make one shard, and they write the same bytes.
        """


class Folder:
    """A folder of this machine.

    Args:
        path: The folder; made when the first file is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    @property
    def name(self) -> str:
        """The absolute path."""
        return str(self.path)

    def names(self) -> list[str]:
        """Return the names of the files, without hidden ones."""
        with suppress(FileNotFoundError), os.scandir(self.path) as entries:
            return sorted(one.name for one in entries if one.is_file() and not one.name.startswith("."))
        return []

    def stamp(self, name: str) -> str | None:
        """Return size and modification time."""
        with suppress(FileNotFoundError, NotADirectoryError):
            facts = (self.path / name).stat()
            return f"{facts.st_size}:{facts.st_mtime_ns}"
        return None

    def size(self, name: str) -> int | None:
        """Return the bytes of a file."""
        with suppress(FileNotFoundError, NotADirectoryError):
            return (self.path / name).stat().st_size
        return None

    def reading(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Open a file."""
        return open(self.path / name, "rb")

    def write(self, name: str, save: Callable[[BinaryIO], object], drafts: str = "") -> None:
        """Write a file, flush it to the disk, then give it its name."""
        failed: list[Exception] = []

        def to(draft: Path) -> None:
            with open(draft, "wb") as file:
                try:
                    save(file)
                except Exception as error:
                    failed.append(error)
                    raise

        try:
            write_by(self.path / name, to, self.path / drafts if drafts else None)
        except OSError:
            # the error of the function itself, which is none of the file that it writes
            if failed and not isinstance(failed[0], OSError):
                raise failed[0] from None
            raise

    def clear(self, drafts: str) -> None:
        """Remove a folder for unfinished files."""
        shutil.rmtree(self.path / drafts, ignore_errors=True)

    @contextmanager
    def lock(self, name: str) -> Iterator[bool | None]:
        """Hold the lock of ``name``; its file is removed afterwards."""
        path = self.path / f"{name}{LOCK}"
        self.path.mkdir(parents=True, exist_ok=True)
        # a soft lock would outlive a killed process
        lock = FileLock(path, timeout=0, fallback_to_soft=False)
        try:
            lock.acquire()
        except Timeout:
            yield False
            return
        except (OSError, NotImplementedError) as error:
            if isinstance(error, OSError) and error.errno not in UNSUPPORTED:
                raise
            yield None
            return
        try:
            yield True
        finally:
            # whoever waited for this file, or makes another one, finds the finished manifest first
            with suppress(OSError):
                path.unlink()
            lock.release()


@lru_cache(maxsize=16)
def place(text: str) -> Place:
    """Return the place that a path or an address names.

    Raises:
        DataError: If its protocol is unknown.
    """
    if not is_address(text):
        return Folder(Path(text))
    from unlearnable.jobs.bucket import Bucket

    return Bucket(text)


def is_address(text: str) -> bool:
    """Return whether a text is an address rather than a path."""
    return ADDRESS.match(text) is not None
