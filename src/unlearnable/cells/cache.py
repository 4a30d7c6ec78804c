"""Artefacts: what is large and made once, in a folder outside the project, and who is making what at the moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from unlearnable.files import cache


def usual() -> Path:
    """Return where artefacts are kept unless somebody says otherwise."""
    return cache() / "experiments"


class Busy(Exception):
    """Another process is making it."""


class Cache:
    """A folder of artefacts, each in a folder of its own that is named by its hash.

    Args:
        folder: Where; made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def place(self, kind: str, hash: str) -> Path:
        """Return the folder of an artefact."""
        return self.folder / kind / hash[:16]

    def room(self) -> Path:
        """Return a folder for images that memory does not hold."""
        folder = self.folder / "views"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @contextmanager
    def claim(self, kind: str, hash: str) -> Iterator[None]:
        """Hold the right to make something. The kernel gives it back when the process ends, however it ends.

        Raises:
            Busy: If another process holds it.
        """
        path = self.folder / "locks" / f"{kind}-{hash[:16]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(path, timeout=0):
                yield
        except Timeout:
            raise Busy from None
