"""Aligned crops as a folder of images, for training a recogniser and for ``unlearnable experiment faces``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from unlearnable.data.encoding import Encoding, encode
from unlearnable.data.image_set import ImageSet
from unlearnable.errors import DataError, UsageError
from unlearnable.events import Event, OnProgress, silent
from unlearnable.faces.crops import crops
from unlearnable.faces.face import CROP
from unlearnable.faces.face_list import places_of
from unlearnable.faces.finding import FaceOptions, find
from unlearnable.files import write


@dataclass(frozen=True)
class Written:
    """The crops that were written.

    Args:
        train: Number of crops in ``train``.
        val: Number of crops in ``val``.
        skipped: Reason for each photo that was left out, by id.
    """

    train: int
    val: int
    skipped: Mapping[str, str]


def write_aligned(
    photos: ImageSet,
    folder: Path,
    options: FaceOptions,
    *,
    side: int = CROP,
    held_out: float = 0.2,
    at_least: int = 5,
    at_most: int = 0,
    on_progress: OnProgress = silent,
) -> Written:
    """Write the aligned crop of one face of each photo: ``train/PERSON/*.png`` and ``val/PERSON/*.png``.

    Args:
        photos: The photos, one class per person.
        folder: Folder to write to; must be empty or missing.
        options: How faces are found and chosen.
        side: Side of the crops in pixels.
        held_out: Share of each person's photos that goes to ``val``, in (0, 1). Exact copies stay together.
        at_least: People with fewer faces are left out.
        at_most: Photos of each person, the first ones; 0 for all.
        on_progress: Called with an event for every photo.

    Returns:
        The numbers of crops, and the photos that were left out.

    Raises:
        UsageError: If the folder holds something.
        DataError: If there is no face, or nobody has enough.
    """
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(
            f"{folder} is not empty.", "Name a new folder; delete it if an earlier call was interrupted."
        )
    found, records = find(photos.first(at_most), options, on_progress=on_progress)
    counts = Counter(found.class_of[id] for id in found.ids)
    known = [id for id in found.ids if counts[found.class_of[id]] >= at_least]
    if not known:
        raise DataError(
            f"Nobody has {at_least} photos with a face.", "Give more photos, or a smaller --at-least."
        )
    train, val = crops(found.subset(known), places_of(records), side).split(held_out, seed=0)
    total, done, names = len(train) + len(val), 0, _names(known)
    for name, part in (("train", train), ("val", val)):
        for id in part.ids:
            person = part.class_of[id]
            file = folder / name / person / names[id]
            write(file, encode(part.photo(id), Encoding()))
            done += 1
            on_progress(Event("writing", done, total))
    reason = f"its person has fewer than {at_least} photos with a face"
    few = dict.fromkeys(set(found.ids) - set(known), reason)
    return Written(len(train), len(val), {**found.skipped, **few})


def _names(ids: list[str]) -> dict[str, str]:
    """Return a file name for each photo: that of the photo, or its whole path if another one has it too."""
    plain = Counter((Path(id).parts[0], Path(id).stem) for id in ids)
    return {
        id: f"{Path(id).stem if plain[Path(id).parts[0], Path(id).stem] == 1 else id.replace('/', '_')}.png"
        for id in ids
    }
