"""Copies of published photos, such as downloads from a site, described by the photos that they belong to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unlearnable.data.folder import folder
from unlearnable.data.image_set import ImageSet
from unlearnable.evaluation.pairing import pair
from unlearnable.events import OnProgress, silent
from unlearnable.words import counted

# lines; JSON has all files
LISTED = 20


def copies(
    path: Path, photos: ImageSet, run: Path | None = None, on_progress: OnProgress = silent
) -> tuple[dict[str, Any], list[str]]:
    """Find the photo of every file in a folder, by name or else by picture: JSON record and lines of text.

    Args:
        path: The folder of copies. Its sub-folders do not matter.
        photos: The photos they were made from.
        run: The run folder, whose list has the names of the published files; None if unknown.
        on_progress: Called after each image.

    Raises:
        DataError: If no file belongs to a photo, or a folder cannot be used.
    """
    clean, found, matching = pair(photos, folder(path, class_name="copies"), run, on_progress)
    files = {
        matching.partner[id]: {
            "photo": id,
            "class": clean.class_of[id],
            "by": "picture" if id in matching.pictured else "name",
            "size": list(found.facts[id].size),
            "photo_size": list(clean.facts[id].size),
        }
        for id in clean.ids
    }
    record = {
        "kind": "copies",
        "pairs": len(files),
        "by_picture": len(matching.pictured),
        "files": files,
        "left_out": dict(matching.left_out),
    }
    lines = [f"{counted(len(files), 'copy')} of photos in {counted(len(clean.classes), 'class')}"]
    if matching.pictured:
        lines.append(f"  {len(matching.pictured)} were found by their pictures, because the names differ")
    entries = [f"  {file}: {one['photo']}, by {one['by']}" for file, one in files.items()]
    entries += [f"  left out {id}: {reason}" for id, reason in matching.left_out.items()]
    lines += entries[:LISTED]
    if len(entries) > LISTED:
        lines.append(f"  and {len(entries) - LISTED} more; --json lists all")
    return record, lines
