"""Files that are whole or not there, and that outlive a power cut."""

from __future__ import annotations

import os
from pathlib import Path


def write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, making its folder if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # as short as can be (names may be as long as the file system allows), and our own, should a process of a killed run still write
    draft = path.parent / f".{os.getpid()}.part"
    try:
        draft.write_bytes(data)
        settle(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def settle(draft: Path, path: Path) -> None:
    """Give a finished draft its name: the content is on the disk before the name is, and the name before this returns."""
    _flush(draft)
    draft.replace(path)
    try:
        _flush(path.parent)
    except OSError:  # systems that do not open folders
        return


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
