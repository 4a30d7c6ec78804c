"""The cache of noise and weights, which are large: a folder outside the project, where each is made once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from unlearnable.user_cache import user_cache


def default_folder() -> Path:
    """Return the folder of artefacts unless the caller names another.

    Raises:
        UsageError: If this user has no home folder.
    """
    return user_cache("--cache") / "experiments"


class Busy(Exception):
    """Another process holds the lock on an artefact or a cell."""


class Cache:
    """A folder of artefacts, each in a folder of its own that its hash names.

    Args:
        folder: The folder; created if it does not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, kind: str, hash: str) -> Path:
        """Return the folder of an artefact."""
        return self.folder / kind / hash[:16]

    def view_folder(self) -> Path:
        """Return the folder for images that do not fit into memory."""
        folder = self.folder / "views"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @contextmanager
    def claim(self, kind: str, hash: str) -> Iterator[None]:
        """Lock an artefact or a cell while it is made.

        The OS releases the lock when the process exits, even if it is killed.

        Raises:
            Busy: If another process holds the lock.
        """
        path = self.folder / "locks" / f"{kind}-{hash[:16]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(path, timeout=0):
                yield
        except Timeout:
            raise Busy from None
