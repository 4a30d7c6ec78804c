"""A folder of photos as an ImageSet: one sub-folder per class, one class for all, or a file of labels."""

from __future__ import annotations

import os
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from unlearnable import hashing
from unlearnable.data.decoding import decode, size_of
from unlearnable.data.image_set import ImageSet, from_entries
from unlearnable.data.labels import labels_and_lines
from unlearnable.data.photo import Photo
from unlearnable.data.photo_file import MAX_PIXELS, read_photo_file
from unlearnable.data.scanning import entries_of, scan
from unlearnable.errors import DataError, UsageError

SPLITS = ("train", "val", "valid", "validation", "test")


@dataclass
class FolderSource:
    """Photos on disk. A file that changes after it was first read is refused.

    Args:
        paths: Path of every id.
        max_pixels: Photos whose header claims more pixels are not decoded.
        digests: SHA-256 of every file read so far.
    """

    paths: dict[str, Path]
    max_pixels: int = MAX_PIXELS
    digests: dict[str, str] = field(default_factory=dict)

    def load(self, id: str) -> tuple[Photo, str]:
        """Return a photo and the SHA-256 of its file.

        Raises:
            DataError: If the file cannot be read or decoded, or has changed since it was first read.
        """
        path = self.paths[id]
        data = read_photo_file(path, self.max_pixels)
        digest = hashing.of_bytes(data)
        if self.digests.setdefault(id, digest) != digest:
            raise DataError(
                f"{path} changed while the command was running.",
                "Run the command again when nothing else writes to the folder.",
            )
        return decode(data, str(path), self.max_pixels), digest

    def size(self, id: str) -> tuple[int, int] | None:
        """Return (height, width) from the header of the file; None if it cannot be read."""
        return size_of(self.paths[id])

    def stamp(self, id: str) -> str:
        """Return size and modification time of the file as text."""
        try:
            facts = self.paths[id].stat()
        except OSError:
            return "gone"
        return f"{facts.st_size}:{facts.st_mtime_ns}"

    def origin(self, id: str) -> Path:
        """Return the path of the file."""
        return self.paths[id]


def folder(
    root: str | Path,
    *,
    labels: str | Path | None = None,
    class_name: str | None = None,
    as_classes: bool = False,
    max_pixels: int = MAX_PIXELS,
) -> ImageSet:
    """Return a folder of photos as an ImageSet, with NFC relative paths as ids.

    By default each sub-folder is a class and includes its own sub-folders. Hidden files and files that
    operating systems leave behind are ignored. Every other file that is no photo is listed in ``skipped``
    with the reason. Links are never followed, and only regular files are opened.

    Args:
        root: The folder.
        labels: A ``.csv`` or ``.jsonl`` file with the class of each image; sub-folders do not matter then.
        class_name: The class of all images, at any depth.
        as_classes: Whether folders named like splits (``train`` beside ``val``) are classes.
        max_pixels: Photos whose header claims more pixels are not decoded.

    Raises:
        UsageError: If both ``labels`` and ``class_name`` are given, or the class has an empty name.
        DataError: If the folder cannot be read, contains splits, or contains no image with a class.
    """
    root = Path(root)
    if labels is not None and class_name is not None:
        raise UsageError("Both --labels and --class were given.", "Give one of them.")
    if class_name is not None and not class_name.strip():
        raise UsageError("The class has an empty name.", "Give --class a name, such as cats.")
    # unlike Path.is_dir, os.path.isdir raises nothing where permissions are missing
    if not os.path.isdir(root):
        raise DataError(f"{root} is not a folder.", "Give a folder with one sub-folder of images per class.")
    if labels is not None:
        return _from_label_file(root, Path(labels), max_pixels)
    if class_name is not None:
        name = unicodedata.normalize("NFC", class_name.strip())
        paths, skipped, _ = scan(root)
        if not paths:
            raise DataError(
                f"{root} contains no image{_first_reason(skipped)}.", "Give a folder with images in it."
            )
        return from_entries(((id, name) for id in paths), FolderSource(paths, max_pixels), skipped)
    if not as_classes:
        _refuse_splits(root)
    return _from_sub_folders(root, max_pixels)


def splits(root: str | Path) -> tuple[str, ...]:
    """Return the names of the splits in a folder, such as ``train`` and ``val``.

    Splits are ``train`` beside ``val``, ``valid``, ``validation`` or ``test``.

    Args:
        root: The folder. Upper and lower case do not matter in the names of its sub-folders.

    Returns:
        The names, ``train`` first and ``test`` last; empty if the folder has any other sub-folder or cannot
        be read.
    """
    try:
        names = [name for name, kind in entries_of(Path(root)) if kind == "folder"]
    except OSError:
        return ()
    kinds = {name.lower() for name in names}
    if "train" not in kinds or len(kinds) == 1 or not kinds <= set(SPLITS):
        return ()
    return tuple(sorted(names, key=lambda name: SPLITS.index(name.lower())))


def _refuse_splits(root: Path) -> None:
    found = splits(root)
    if found:
        raise DataError(
            f"{root} contains {', '.join(found[:-1])} and {found[-1]}, which are splits rather than classes.",
            f"Give {root / found[0]} (and {root / found[-1]} to `verify --test`); "
            "or --folders-are-classes if they are classes.",
        )


def _from_sub_folders(root: Path, max_pixels: int) -> ImageSet:
    paths, skipped, folders = scan(root)
    without_class = [id for id in paths if "/" not in id]
    usable = {id: path for id, path in paths.items() if "/" in id}
    classes = {id.split("/")[0] for id in usable}
    if not classes:
        hint = (
            f"its images are directly in it ({len(without_class)}), not in sub-folders"
            if without_class
            else "none of its sub-folders contains an image"
        )
        raise DataError(
            f"{root} contains no class: {hint}{_first_reason(skipped)}.",
            f"Put the images into one sub-folder per class, such as {root / 'cats'}; "
            "or give --class NAME if all are of one class, or --labels FILE if a file has their classes.",
        )
    skipped |= dict.fromkeys(without_class, "is directly in the folder, so it has no class")
    for name in folders:
        if "/" not in name and name not in classes:
            # setdefault, because a folder that cannot be read already has a reason
            skipped.setdefault(name, "contains no image")
    return from_entries(((id, id.split("/")[0]) for id in usable), FolderSource(usable, max_pixels), skipped)


def _from_label_file(root: Path, file: Path, max_pixels: int) -> ImageSet:
    named = labels_and_lines(file)
    paths, skipped, _ = scan(root, label_file=file)
    class_of: dict[str, str] = {}
    for id in paths:
        entry = named.pop(id.replace("\\", "/"), None)
        if entry is None:
            skipped[id] = f"has no label in {file}"
        else:
            class_of[id] = entry[0]
    if not class_of:
        example = f", such as {next(iter(paths))}" if paths else ""
        raise DataError(
            f"{file} names no image that is in {root}.",
            f"Write paths relative to {root}{example}.",
        )
    for id, (_, line) in named.items():
        skipped.setdefault(id, f"is named in {file}, line {line}, but is not in the folder")
    source = FolderSource({id: paths[id] for id in class_of}, max_pixels)
    return from_entries(class_of.items(), source, skipped)


def _first_reason(skipped: dict[str, str]) -> str:
    return "".join(f" ({id}: {reason})" for id, reason in list(skipped.items())[:1])
