"""Scanning a folder: the files that may be photos, and the reasons for skipping others.

Nothing is opened, and no link is followed.
"""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

from unlearnable.data.decoding import SUFFIXES
from unlearnable.data.litter import is_litter
from unlearnable.errors import DataError


def scan(root: Path, label_file: Path | None = None) -> tuple[dict[str, Path], dict[str, str], list[str]]:
    """Return everything in a folder, sub-folders included.

    Args:
        root: The folder.
        label_file: A file that is not listed as skipped.

    Returns:
        Path of each possible photo by id, reason of each skipped file or folder by id, and ids of all
        sub-folders.

    Raises:
        DataError: If the folder itself cannot be read.
    """
    paths: dict[str, Path] = {}
    skipped: dict[str, str] = {}
    folders = [root]
    # the list grows in the loop, by the sub-folders
    for folder in folders:
        try:
            entries = entries_of(folder)
        except OSError as error:
            if folder == root:
                raise DataError(
                    f"{root} cannot be read ({error.strerror}).", "Check its permissions."
                ) from error
            skipped[_id(root, folder)] = f"a folder that cannot be read ({error.strerror})"
            continue
        for name, kind in entries:
            path = folder / name
            id = _id(root, path)
            # Python represents bytes that are not UTF-8 as surrogates
            if any("\ud800" <= character <= "\udfff" for character in name):
                skipped[id.encode("utf-8", "backslashreplace").decode()] = "its name is not valid Unicode"
            elif kind == "folder":
                folders.append(path)
            elif kind != "file":
                skipped[id] = kind
            elif path.suffix.lower() not in SUFFIXES:
                if label_file is None or path.resolve() != label_file.resolve():
                    skipped[id] = "not a supported image format"
            elif id in paths:
                skipped[str(path)] = f"its name equals that of {paths[id]} in Unicode's composed form"
            else:
                paths[id] = path
    return paths, skipped, [_id(root, folder) for folder in folders[1:]]


def entries_of(folder: Path) -> list[tuple[str, str]]:
    """Return the names in a folder, sorted, without hidden and ignored ones. Opens no file.

    Returns:
        Each name with ``folder``, ``file``, or the reason why it is neither.

    Raises:
        OSError: If the folder cannot be read.
    """
    # raises for a folder that may be listed but not entered, so that it counts as unreadable
    os.stat(os.path.join(folder, os.curdir))
    with os.scandir(folder) as entries:
        return sorted((entry.name, _kind(entry)) for entry in entries if not is_litter(entry.name))


def _kind(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink() or _is_junction(entry.path):
        return "a link, which is never followed"
    if entry.is_dir(follow_symlinks=False):
        return "folder"
    return "file" if entry.is_file(follow_symlinks=False) else "not a regular file"


def _is_junction(path: str) -> bool:
    # a junction is Windows' other kind of link; Python has the function since 3.12
    isjunction = getattr(os.path, "isjunction", None)
    return isjunction is not None and bool(isjunction(path))


def _id(root: Path, path: Path) -> str:
    return unicodedata.normalize("NFC", path.relative_to(root).as_posix())
