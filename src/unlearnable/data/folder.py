"""A folder of photos as an ImageSet: one sub-folder per class, one class for all, or a file of labels."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

from unlearnable.data.file_kinds import summary
from unlearnable.data.folder_source import FilePaths, FolderSource
from unlearnable.data.id_rows import ClassOf, Rows
from unlearnable.data.image_set import ImageSet
from unlearnable.data.labels import labels_and_lines
from unlearnable.data.photo_file import MAX_PIXELS
from unlearnable.data.scanning import Scan, entries_of, scan
from unlearnable.errors import DataError, UsageError

SPLITS = ("train", "val", "valid", "validation", "test")


def folder(
    root: str | Path,
    *,
    labels: str | Path | None = None,
    class_name: str | None = None,
    as_classes: bool = False,
    max_pixels: int = MAX_PIXELS,
) -> ImageSet:
    """Return a folder of photos as an ImageSet, with NFC relative paths as ids.

    By default each sub-folder is a class and includes its own sub-folders. Hidden files and what operating
    systems and photo tools leave behind are ignored. Photos that cannot be read, links and unreadable folders
    are listed in ``skipped`` with the reason; files that are no photos are counted in ``others``. Links are
    never followed, and only regular files are opened.

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
    _require_folder(root)
    if labels is not None:
        return _from_label_file(root, Path(labels), max_pixels)
    if class_name is not None:
        name = unicodedata.normalize("NFC", class_name.strip())
        found = scan(root)
        if not found.ids:
            raise DataError(f"{root} contains no image{_instead(found)}.", "Give a folder with images in it.")
        return _of(found, found.ids, lambda id: name, max_pixels)
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


def _require_folder(root: Path) -> None:
    # unlike Path.is_dir, os.path.isdir raises nothing where permissions are missing
    if os.path.isdir(root):
        return
    # Path turns s3://bucket into s3:/bucket; a drive of Windows has one letter only
    scheme, separator, rest = str(root).partition(":/")
    if separator and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]+", scheme):
        raise DataError(
            f"{scheme}://{rest.lstrip('/')} is an address, and only folders on this computer are read.",
            "Copy its photos to a folder first, and give that folder.",
        )
    if os.path.isfile(root):
        raise DataError(
            f"{root} is a file, not a folder.",
            "Give a folder with one sub-folder of images per class; unpack an archive first.",
        )
    raise DataError(f"{root} is not a folder.", "Give a folder with one sub-folder of images per class.")


def _refuse_splits(root: Path) -> None:
    found = splits(root)
    if found:
        raise DataError(
            f"{root} contains {', '.join(found[:-1])} and {found[-1]}, which are splits rather than classes.",
            f"Give {root / found[0]} (and {root / found[-1]} to `verify --test`); "
            "or --folders-are-classes if they are classes.",
        )


def _of(found: Scan, ids: Iterable[str], class_of: Callable[[str], str], max_pixels: int) -> ImageSet:
    rows = Rows(tuple(ids))
    source = FolderSource(FilePaths(found.root, rows, found.composed), max_pixels)
    classes = ClassOf(rows, map(class_of, rows.ids))
    return ImageSet(rows.ids, classes, source, skipped=found.skipped, others=found.others)


def _from_sub_folders(root: Path, max_pixels: int) -> ImageSet:
    found = scan(root)
    without_class = [id for id in found.ids if "/" not in id]
    classes = {id.split("/")[0] for id in found.ids if "/" in id}
    if not classes:
        hint = (
            f"its images are directly in it ({len(without_class)}), not in sub-folders"
            if without_class
            else "none of its sub-folders contains an image"
        )
        raise DataError(
            f"{root} contains no class: {hint}{_instead(found)}.",
            f"Put the images into one sub-folder per class, such as {root / 'cats'}; "
            "or give --class NAME if all are of one class, or --labels FILE if a file has their classes.",
        )
    found.skipped |= dict.fromkeys(without_class, "is directly in the folder, so it has no class")
    for name, others in found.folders.items():
        # a folder of films is no class without photos, and is summed up with the other files
        if "/" not in name and name not in classes and not others:
            # setdefault, because a folder that cannot be read already has a reason
            found.skipped.setdefault(name, "contains no image")
    ids = (id for id in found.ids if "/" in id) if without_class else found.ids
    return _of(found, ids, lambda id: id.partition("/")[0], max_pixels)


def _from_label_file(root: Path, file: Path, max_pixels: int) -> ImageSet:
    found = scan(root, label_file=file)
    named = _named(file, found)
    labelled = [id for id in found.ids if id in named]
    found.skipped |= {id: f"has no label in {file}" for id in found.ids if id not in named}
    if not labelled:
        example = f", such as {found.ids[0]}" if found.ids else ""
        raise DataError(
            f"{file} names no image that is in {root}.",
            f"Write paths relative to {root}{example}.",
        )
    present = set(labelled)
    for id, (_, line) in named.items():
        if id not in present:
            problem = "is not a photo" if os.path.isfile(root / id) else "is not in the folder"
            found.skipped.setdefault(id, f"is named in {file}, line {line}, but {problem}")
    return _of(found, labelled, lambda id: named[id][0], max_pixels)


def _named(file: Path, found: Scan) -> dict[str, tuple[str, int]]:
    """Return the class and the line of every image that a file names, by its id."""
    named: dict[str, tuple[str, int]] = {}
    present = set(found.ids)
    for path, (label, line) in labels_and_lines(file).items():
        # Windows writes paths with backslashes; elsewhere a name may hold one, and then it is meant
        id = path if path in present else str(PurePosixPath(path.replace("\\", "/")))
        first = named.setdefault(id, (label, line))
        if first[0] != label:
            raise DataError(
                f"{file}, line {line}: {path} is {label!r} here and {first[0]!r} in line {first[1]}.",
                "Remove one of the lines.",
            )
    return named


def _instead(found: Scan) -> str:
    """Return in parentheses what a folder without images contains."""
    reasons = [f"{id}: {reason}" for id, reason in found.skipped.items()][:1]
    reasons += [summary(found.others)] if found.others else []
    return f" ({'; '.join(reasons)})" if reasons else ""
