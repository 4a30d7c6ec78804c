"""What lies in a folder: which files may be photos, and why the others are not. Nothing is opened, and no link followed."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

from unlearnable.data.decoding import SUFFIXES
from unlearnable.errors import DataError

IGNORED = frozenset(
    {"thumbs.db", "desktop.ini", "__macosx"}
)  # hidden names, such as .DS_Store, are ignored anyway


def scan(root: Path, besides: Path | None = None) -> tuple[dict[str, Path], dict[str, str], list[str]]:
    """Walk through a folder: images by id, reasons by id, and the folders themselves."""
    paths: dict[str, Path] = {}
    skipped: dict[str, str] = {}
    places = [root]
    for place in places:  # grows while it is walked through
        try:
            entries = entries_of(place)
        except OSError as error:
            if place == root:
                raise DataError(
                    f"{root} cannot be read ({error.strerror}).", "Check its permissions."
                ) from error
            skipped[_id(root, place)] = f"a folder that cannot be read ({error.strerror})"
            continue
        for name, kind in entries:
            path = place / name
            id = _id(root, path)
            if any(
                "\ud800" <= character <= "\udfff" for character in name
            ):  # how bytes that are no UTF-8 arrive
                skipped[id.encode("utf-8", "backslashreplace").decode()] = "its name is not valid Unicode"
            elif kind == "folder":
                places.append(path)
            elif kind != "file":
                skipped[id] = kind
            elif path.suffix.lower() not in SUFFIXES:
                if besides is None or path.resolve() != besides.resolve():
                    skipped[id] = "not a kind of image that is known here"
            elif id in paths:
                skipped[str(path)] = (
                    f"its name is the same as that of {paths[id]} once written in Unicode's composed form"
                )
            else:
                paths[id] = path
    return paths, skipped, [_id(root, place) for place in places[1:]]


def entries_of(place: Path) -> list[tuple[str, str]]:
    """Names in a folder that count, sorted, each with its kind: ``folder``, ``file``, or the reason why it is neither. Opens nothing."""
    os.stat(
        os.path.join(place, os.curdir)
    )  # a folder that may be listed but not entered is as good as unreadable
    with os.scandir(place) as entries:
        return sorted((entry.name, _kind(entry)) for entry in entries if _counts(entry.name))


def _kind(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink() or _is_junction(entry.path):
        return "a link, which is never followed"
    if entry.is_dir(follow_symlinks=False):
        return "folder"
    return "file" if entry.is_file(follow_symlinks=False) else "not a regular file"


def _is_junction(path: str) -> bool:
    ask = getattr(os.path, "isjunction", None)  # Windows' other kind of link; Python knows it since 3.12
    return ask is not None and bool(ask(path))


def _counts(name: str) -> bool:
    return not name.startswith(".") and name.lower() not in IGNORED


def _id(root: Path, path: Path) -> str:
    return unicodedata.normalize("NFC", path.relative_to(root).as_posix())
