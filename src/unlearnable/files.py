"""Files that are written whole or not at all, and survive a power cut."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

from unlearnable import portable


def write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, making its folder if need be.

    Raises:
        OSError: If it cannot be written; ``filename`` says which.
    """
    write_by(path, lambda draft: draft.write_bytes(data))


def write_by(path: Path, save: Callable[[Path], object]) -> None:
    """Write a file whole or not at all, by a function that writes to the path it is given.

    Makes the folder if need be.

    Raises:
        OSError: If it cannot be written, whatever ``save`` raises; ``filename`` says which.
    """
    # Short, because the name of the file may be as long as the file system allows. Our own, because a process
    # of a killed run may still be writing.
    draft = path.parent / f".{os.getpid()}.part"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save(draft)
        # The content must reach the disk before the name does.
        portable.flush(draft)
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
        portable.flush(path.parent)
    except OSError:
        # Some systems cannot open folders.
        return


def remove_drafts(folder: Path) -> None:
    """Remove the drafts of killed processes, at any depth. No other process may write to the folder."""
    for draft in folder.rglob(".*.part"):
        draft.unlink(missing_ok=True)
