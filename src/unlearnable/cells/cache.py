"""The cache of noise and weights, which are large and made once, with locks for processes that share it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from unlearnable.files import cache


def default_folder() -> Path:
    """Return the default folder of the cache."""
    return cache() / "experiments"


class Busy(Exception):
    """Another process is making the same cell, noise or weights."""


class Cache:
    """A folder with noise and weights, each in a sub-folder named by its hash.

    Args:
        folder: The folder; created when it is first needed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, kind: str, hash: str) -> Path:
        """Return the sub-folder of some noise or weights; it may not exist yet.

        Args:
            kind: ``noise`` or ``weights``.
            hash: Hash of the description.
        """
        return self.folder / kind / hash[:16]

    def view_folder(self) -> Path:
        """Return the folder of the temporary files for squares that do not fit into memory."""
        folder = self.folder / "views"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @contextmanager
    def claim(self, kind: str, hash: str) -> Iterator[None]:
        """Lock a cell, noise or weights while this process makes it.

        The operating system releases the lock when the process exits, even if it is killed.

        Args:
            kind: ``cell``, ``noise`` or ``weights``.
            hash: Hash of the description.

        Raises:
            Busy: If another process has the lock.
        """
        path = self.folder / "locks" / f"{kind}-{hash[:16]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(path, timeout=0):
                yield
        except Timeout:
            raise Busy from None
