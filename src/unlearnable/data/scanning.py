"""Scanning a folder: the files that may be photos, the reasons for skipping others, and a count of the rest.

No link is followed, and of no file more is read than the first bytes of one with an unknown extension.
"""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from unlearnable.data import file_kinds
from unlearnable.data.litter import is_litter
from unlearnable.errors import DataError

# a junction is Windows' other kind of link; Python has the function since 3.12
_is_junction = getattr(os.path, "isjunction", None)


@dataclass
class Scan:
    """Everything in a folder, sub-folders included; litter is left out.

    Args:
        root: The folder.
        ids: Id of each possible photo, sorted.
        composed: Path below the folder of each photo whose id is not that path, because its name is not in
            Unicode's composed form.
        skipped: Reason by id for each photo, link or folder that cannot be read.
        others: Number of the files that are no photos, by extension; the empty one for files without.
        folders: Ids of all sub-folders, each with the number of files in it, sub-folders included, that are
            no photos.
    """

    root: str
    ids: tuple[str, ...] = ()
    composed: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    others: Counter[str] = field(default_factory=Counter)
    folders: dict[str, int] = field(default_factory=dict)


def scan(root: Path, label_file: Path | None = None) -> Scan:
    """Return everything in a folder, sub-folders included.

    Args:
        root: The folder.
        label_file: A file that is not counted.

    Raises:
        DataError: If the folder itself cannot be read, or is the library of a photo tool.
    """
    _refuse_library(root)
    found = Scan(str(root))
    labels = None if label_file is None else label_file.resolve()
    photos = set[str]()
    folders = [""]
    # the list grows in the loop, by the sub-folders
    for folder in folders:
        try:
            entries = entries_of(os.path.join(found.root, folder))
        except OSError as error:
            if not folder:
                raise DataError(
                    f"{root} cannot be read ({error.strerror}).", "Check its permissions."
                ) from error
            found.skipped[_id(folder)] = f"a folder that cannot be read ({error.strerror})"
            continue
        for name, kind in entries:
            below = f"{folder}/{name}" if folder else name
            id = _id(below)
            is_photo = kind == "file" and file_kinds.is_photo(name)
            reason = "" if is_photo and name.isascii() else _reason(found, below, name, kind, is_photo)
            if reason:
                found.skipped[_printable(id)] = reason
            elif kind == "folder":
                folders.append(below)
                found.folders[id] = 0
            elif not is_photo:
                if labels is None or Path(_path(found, below)).resolve() != labels:
                    _count(found, id)
            elif id in photos:
                other = _path(found, found.composed.get(id, id))
                found.skipped[_path(found, below)] = (
                    f"its name equals that of {other} in Unicode's composed form: rename one"
                )
            else:
                photos.add(id)
                if id != below:
                    found.composed[id] = below
    found.ids = tuple(sorted(photos))
    return found


def entries_of(folder: str | Path) -> list[tuple[str, str]]:
    """Return the names in a folder, sorted, without litter. Opens no file.

    Returns:
        Each name with ``folder``, ``file``, or the reason why it is neither.

    Raises:
        OSError: If the folder cannot be read.
    """
    # raises for a folder that may be listed but not entered, so that it counts as unreadable
    os.stat(os.path.join(folder, os.curdir))
    with os.scandir(folder) as entries:
        return sorted(
            (entry.name, _kind(entry))
            for entry in entries
            if not is_litter(entry.name) or _photo_in_the_cloud(entry.name)
        )


def _reason(found: Scan, below: str, name: str, kind: str, is_photo: bool) -> str:
    """Return why a file or folder cannot be used; empty for a photo, a folder, or a file that is no photo."""
    if kind == "folder":
        tool = file_kinds.library(name)
        if tool:
            return f"a library of {tool}: export its photos to a folder, and give that folder"
    elif kind != "file":
        return kind
    elif _photo_in_the_cloud(name):
        return "a photo in iCloud that is not on this disk: download it first"
    elif not is_photo:
        unreadable = file_kinds.reason_unreadable(name)
        if unreadable:
            return unreadable
        suffix = file_kinds.sniffed(Path(_path(found, below)))
        return f"a photo by its content, not by its name: rename it to end in {suffix}" if suffix else ""
    return "its name is not valid Unicode: rename it" if _printable(name) != name else ""


def _path(found: Scan, below: str) -> str:
    return os.path.join(found.root, below)


def _count(found: Scan, id: str) -> None:
    found.others[file_kinds.kind_of_other(id)] += 1
    parts = id.split("/")[:-1]
    for length in range(1, len(parts) + 1):
        found.folders["/".join(parts[:length])] += 1


def _photo_in_the_cloud(name: str) -> bool:
    # macOS leaves .IMG_1.JPG.icloud in place of a photo that it has moved to iCloud
    return (
        name.startswith(".") and name.endswith(".icloud") and file_kinds.is_photo(name[1 : -len(".icloud")])
    )


def _refuse_library(root: Path) -> None:
    tool = file_kinds.library(root.name)
    if tool:
        raise DataError(
            f"{root} is a library of {tool}, which holds each photo beside its previews.",
            f"Export the photos from {tool} to a folder, and give that folder.",
        )


def _kind(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink() or (_is_junction is not None and _is_junction(entry.path)):
        return "a link, which is never followed"
    if entry.is_dir(follow_symlinks=False):
        return "folder"
    return "file" if entry.is_file(follow_symlinks=False) else "not a regular file"


def _printable(text: str) -> str:
    # Python represents bytes that are not UTF-8 as surrogates
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _id(below: str) -> str:
    return below if below.isascii() else unicodedata.normalize("NFC", below)
