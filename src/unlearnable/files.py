"""Files that are whole or not there, and that outlive a power cut."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path


def cache() -> Path:
    """Return the user's folder for what can be made or fetched again: benchmarks, and the noise and weights of experiments."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "unlearnable"


def write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, making its folder if need be.

    Raises:
        OSError: If it cannot be written; ``filename`` says which.
    """
    write_by(path, lambda draft: draft.write_bytes(data))


def write_by(path: Path, save: Callable[[Path], object]) -> None:
    """Write a file whole or not at all by a function that writes to the path it is given, making its folder if need be.

    Raises:
        OSError: If it cannot be written, whatever ``save`` raised; ``filename`` says which.
    """
    # as short as can be (names may be as long as the file system allows), and our own, should a process of a
    # killed run still write
    draft = path.parent / f".{os.getpid()}.part"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save(draft)
        _flush(draft)  # the content is on the disk before the name is
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    except Exception as error:
        draft.unlink(missing_ok=True)
        raise OSError(errno.EIO, str(error), str(path)) from error
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    try:
        _flush(path.parent)
    except OSError:  # systems that do not open folders
        return


def remove_drafts(folder: Path) -> None:
    """Remove what processes that were killed left half written, at any depth. For folders that nobody else writes to."""
    for draft in folder.rglob(".*.part"):
        draft.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
