"""A folder with one sub-folder per class."""

from __future__ import annotations

import os
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from unlearnable import hashing
from unlearnable.data.decoding import MAX_PIXELS, decode, size_of
from unlearnable.data.image_set import ImageSet, table
from unlearnable.data.labels import labels_and_lines
from unlearnable.data.photo import Photo
from unlearnable.data.scanning import entries_of, scan
from unlearnable.errors import DataError, UsageError

SPLITS = ("train", "val", "valid", "validation", "test")


@dataclass
class FolderSource:
    """Photos on disk. Remembers the hash of each file when it is first read, and refuses one that changes later."""

    paths: dict[str, Path]
    max_pixels: int = MAX_PIXELS
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
            raise DataError(
                f"{path} cannot be read ({error.strerror}).", "Check that it exists and that you may read it."
            ) from error
        digest = hashing.of_bytes(data)
        if self.digests.setdefault(id, digest) != digest:
            raise DataError(
                f"{path} changed while it was being worked on.",
                "Start again when nothing else writes to the folder.",
            )
        return decode(data, str(path), self.max_pixels), digest

    def size(self, id: str) -> tuple[int, int] | None:
        """Return (height, width) as the header of the file says; None if it says nothing."""
        return size_of(self.paths[id])

    def stamp(self, id: str) -> str:
        """Size and time of the file."""
        try:
            facts = self.paths[id].stat()
        except OSError:
            return "gone"
        return f"{facts.st_size}:{facts.st_mtime_ns}"

    def origin(self, id: str) -> Path:
        """The file."""
        return self.paths[id]


def folder(
    root: str | Path,
    *,
    labels: str | Path | None = None,
    class_name: str | None = None,
    as_classes: bool = False,
    max_pixels: int = MAX_PIXELS,
) -> ImageSet:
    """Open a folder of photos: one sub-folder per class, deeper folders belong to the class of their first level.

    Hidden files and the litter of operating systems are ignored. Whatever else is no photo is listed in
    ``skipped`` with the reason; links are never followed, and only regular files are ever opened.

    Args:
        root: The folder.
        labels: A ``.csv`` or ``.jsonl`` file that says the class of each image, whatever folder that lies in.
        class_name: The class of all images, at any depth.
        as_classes: Whether folders named as splits (``train`` beside ``val``) are classes after all.
        max_pixels: Photos that claim to have more are not decoded.

    Returns:
        The images, with NFC relative paths as ids.

    Raises:
        UsageError: If both ``labels`` and ``class_name`` are given, or the class has an empty name.
        DataError: If it is not a folder that can be read, holds splits, or holds no image that has a class.
    """
    root = Path(root)
    if labels is not None and class_name is not None:
        raise UsageError("Both --labels and --class say what the images are.", "Give one of them.")
    if class_name is not None and not class_name.strip():
        raise UsageError("The class has an empty name.", "Give --class a name, such as cats.")
    if not os.path.isdir(root):  # unlike Path.is_dir, this answers where it may not look
        raise DataError(f"{root} is not a folder.", "Give a folder with one sub-folder of images per class.")
    if labels is not None:
        return _by_file(root, Path(labels), max_pixels)
    if class_name is not None:
        name = unicodedata.normalize("NFC", class_name.strip())
        paths, skipped, _ = scan(root)
        if not paths:
            raise DataError(f"{root} holds no image{_first(skipped)}.", "Give a folder with images in it.")
        return table(((id, name) for id in paths), FolderSource(paths, max_pixels), skipped)
    if not as_classes:
        _refuse_splits(root)
    return _by_folder(root, max_pixels)


def splits(root: str | Path) -> tuple[str, ...]:
    """Return the folders of a data set that was split: ``train`` beside ``val``, ``valid``, ``validation`` or ``test``, in any case.

    Args:
        root: The folder that may hold them.

    Returns:
        Their names, ``train`` first and ``test`` last; empty if there is any other folder beside them, or
        nothing can be read there.
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
            f"{root} holds {', '.join(found[:-1])} and {found[-1]}, which are splits rather than classes.",
            f"Give {root / found[0]} (and {root / found[-1]} to `verify --test`); or --folders-are-classes if they are classes.",
        )


def _by_folder(root: Path, max_pixels: int) -> ImageSet:
    paths, skipped, folders = scan(root)
    loose = [id for id in paths if "/" not in id]
    held = {id: path for id, path in paths.items() if "/" in id}
    classes = {id.split("/")[0] for id in held}
    if not classes:
        hint = (
            f"its {len(loose)} images lie directly in it, so they have no class"
            if loose
            else "no image lies in a sub-folder of it"
        )
        raise DataError(
            f"{root} holds no class: {hint}{_first(skipped)}.",
            f"Put the images into one sub-folder per class, such as {root / 'cats'}; or give --class NAME if all are of one class, "
            "or --labels FILE if a file says what they are.",
        )
    skipped |= dict.fromkeys(loose, "lies directly in the folder, so it has no class")
    for name in folders:
        if "/" not in name and name not in classes:
            skipped.setdefault(name, "holds no image")  # one that cannot be read has its own reason
    return table(((id, id.split("/")[0]) for id in held), FolderSource(held, max_pixels), skipped)


def _by_file(root: Path, file: Path, max_pixels: int) -> ImageSet:
    named = labels_and_lines(file)
    paths, skipped, _ = scan(root, besides=file)
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
            f"{file} names no image that is in {root}.", f"Paths in it are relative to {root}{example}."
        )
    for id, (_, line) in named.items():
        skipped.setdefault(id, f"is named in {file}, line {line}, and is not in the folder")
    return table(class_of.items(), FolderSource({id: paths[id] for id in class_of}, max_pixels), skipped)


def _first(skipped: dict[str, str]) -> str:
    return "".join(f" ({id}: {reason})" for id, reason in list(skipped.items())[:1])
