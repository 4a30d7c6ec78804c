"""A folder with one sub-folder per class."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from unlearnable.data.image_set import ImageSet, table
from unlearnable.data.photo import SUFFIXES, Photo, decode
from unlearnable.errors import DataError

IGNORED = frozenset({"thumbs.db", "desktop.ini", "__macosx"})


@dataclass
class FolderSource:
    """Photos on disk. Remembers the hash of each file when it is first read, and refuses one that changes later."""

    paths: dict[str, Path]
    digests: dict[str, str] = field(default_factory=dict)

    def load(self, id: str) -> tuple[Photo, str]:
        """Read one file.

        Raises:
            DataError: If it cannot be read or decoded, or has changed since it was first read.
        """
        path = self.paths[id]
        try:
            data = path.read_bytes()
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error.strerror}).", "Check that it exists and that you may read it.") from error
        digest = hashlib.sha256(data).hexdigest()
        if self.digests.setdefault(id, digest) != digest:
            raise DataError(f"{path} changed while it was being worked on.", "Start again when nothing else writes to the folder.")
        return decode(data, str(path)), digest

    def stamp(self, id: str) -> str:
        """Size and time of the file."""
        facts = self.paths[id].stat()
        return f"{facts.st_size}:{facts.st_mtime_ns}"

    def origin(self, id: str) -> Path:
        """The file."""
        return self.paths[id]


def folder(root: str | Path) -> ImageSet:
    """Open a folder of photos: one sub-folder per class, deeper folders belong to the class of their first level.

    Hidden files and the litter of operating systems are ignored; links and files that are no images are listed in ``skipped``.

    Args:
        root: The folder.

    Raises:
        DataError: If it is not a folder, or holds no class folder with an image in it.
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError(f"{root} is not a folder.", "Give a folder with one sub-folder of images per class.")
    paths: dict[str, Path] = {}
    skipped: dict[str, str] = {}
    loose = 0
    for here, directories, files in os.walk(root, onerror=_refuse):
        place = Path(here)
        directories[:] = sorted(name for name in directories if _counts(name))
        for name in [d for d in directories if (place / d).is_symlink()]:
            skipped[_id(root, place / name)] = "a link, which is never followed"
        for name in sorted(filter(_counts, files)):
            path = place / name
            if place == root:
                loose += path.suffix.lower() in SUFFIXES
                continue
            id = _id(root, path)
            if path.is_symlink() or not path.is_file():
                skipped[id] = "a link, which is never followed" if path.is_symlink() else "not a regular file"
            elif path.suffix.lower() not in SUFFIXES:
                skipped[id] = "not a kind of image that is known here"
            elif id in paths:
                skipped[str(path)] = f"its name is the same as that of {paths[id]} once written in Unicode's composed form"
            else:
                paths[id] = path
    if not paths:
        hint = f"its {loose} images lie directly in it, so they have no class" if loose else "no image lies in a sub-folder of it"
        raise DataError(f"{root} holds no class: {hint}.", f"Put the images into one sub-folder per class, such as {root}/cats.")
    return table(((id, id.split("/")[0]) for id in paths), FolderSource(paths), skipped)


def _counts(name: str) -> bool:
    return not name.startswith(".") and name.lower() not in IGNORED


def _id(root: Path, path: Path) -> str:
    return unicodedata.normalize("NFC", path.relative_to(root).as_posix())


def _refuse(error: OSError) -> None:
    raise DataError(f"{error.filename} cannot be read ({error.strerror}).", "Check its permissions.")
