"""Files that are written whole or not at all, and survive a power cut."""

from __future__ import annotations

import errno
import re
import secrets
from collections.abc import Callable
from pathlib import Path

from unlearnable import portable

# Answers of file systems that lack an operation, such as fsync or locks on some network and FUSE mounts.
UNSUPPORTED = frozenset(
    {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOTTY, errno.ENOLCK}
)
_DRAFT = re.compile(r"\.[0-9a-f]+\.part")


def write(path: Path, data: bytes, drafts: Path | None = None) -> None:
    """Write a file whole or not at all, making its folder if need be.

    Args:
        path: The file.
        data: Its content.
        drafts: Folder of the unfinished file, on the same disk; the folder of ``path`` if None.

    Raises:
        OSError: If it cannot be written; ``filename`` says which.
    """
    write_by(path, lambda draft: draft.write_bytes(data), drafts)


def write_by(path: Path, save: Callable[[Path], object], drafts: Path | None = None) -> None:
    """Write a file whole or not at all, by a function that writes to the path it is given.

    Makes the folder if need be.

    Args:
        path: The file.
        save: Writes to the path it is given.
        drafts: Folder of the unfinished file, on the same disk; the folder of ``path`` if None.

    Raises:
        OSError: If it cannot be written, whatever ``save`` raises; ``filename`` says which.
    """
    # Short, because the name of the file may be as long as the file system allows. Drawn, because a process
    # of a killed run may still be writing, and processes of several machines may have the same number.
    folder = path.parent if drafts is None else drafts
    draft = folder / f".{secrets.token_hex(8)}.part"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        save(draft)
        # The content must reach the disk before the name does.
        _flush(draft)
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
    except OSError:
        # Some systems cannot open folders.
        return


def is_draft(name: str) -> bool:
    """Return whether a file of this name, without its folder, is a draft of ``write``."""
    return _DRAFT.fullmatch(name) is not None


def remove_drafts(folder: Path) -> None:
    """Remove the drafts of killed processes, at any depth. No other process may write to the folder."""
    for draft in folder.rglob(".*.part"):
        # a file of somebody else may end like ours
        if is_draft(draft.name):
            draft.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    try:
        portable.flush(path)
    except OSError as error:
        # A file system that cannot flush is as good as it gets; one that fails to is broken.
        if error.errno not in UNSUPPORTED:
            raise
