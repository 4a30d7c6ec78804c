"""A protected set, written as a file or a folder for other tools."""

from __future__ import annotations

import io
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np

from unlearnable.budget import UInt8Array
from unlearnable.data.decoding import decode
from unlearnable.data.encoding import encode
from unlearnable.data.file_kinds import PHOTOS
from unlearnable.data.image_set import ImageSet
from unlearnable.data.photo import Photo
from unlearnable.errors import DataError, UsageError
from unlearnable.events import Event, OnProgress, silent
from unlearnable.files import write
from unlearnable.noise import Noise

Layout = Literal["npz", "imagefolder"]
# Characters that some system forbids in the name of a folder.
ILLEGAL = str.maketrans(dict.fromkeys('/\\:*?"<>|\0', "-"))


@dataclass(frozen=True)
class Exported:
    """The result of ``export_set``.

    Args:
        target: The file or folder.
        written: Number of images.
        largest: Largest change of a pixel, in levels.
        skipped: Reason for every image that was left out, by id.
    """

    target: Path
    written: int
    largest: int
    skipped: Mapping[str, str] = field(default_factory=dict)


def export_set(
    images: ImageSet,
    noise: Noise,
    target: str | Path,
    layout: Layout = "npz",
    on_progress: OnProgress = silent,
) -> Exported:
    """Write a protected set for other tools, whole or not at all.

    Images without noise are left out and listed.

    Args:
        images: The clean images; context classes are not written.
        noise: The noise.
        target: ``npz``: a file with ``images`` uint8 (N, H, W, 3), or (N, H, W) if all are grey, ``labels``
            int64 (N,), ``classes`` and ``ids``, none of them pickled; alpha is dropped. ``imagefolder``: a
            folder of PNG files, one sub-folder per class.
        layout: ``npz`` or ``imagefolder``.
        on_progress: Called after each image, with the stage ``exporting``. An exception of it ends the
            export, and nothing is left at the target.

    Raises:
        UsageError: If ``target`` exists.
        DataError: If no image has noise, the images of an ``npz`` differ in size, or names collide.
        UnlearnableError: If an image would exceed the budget.
    """
    target = Path(target)
    if target.exists() or target.is_symlink():
        raise UsageError(f"{target} exists already.", "Name a new file or folder: nothing is overwritten.")
    if layout not in ("npz", "imagefolder"):
        raise UsageError(f"There is no export format {layout!r}.", "Choose npz or imagefolder.")
    changes = (_write_npz if layout == "npz" else _write_folder)(images, noise, target, on_progress)
    left = {id: "it has no noise" for id in images.own if id not in changes}
    return Exported(target, len(changes), max(changes.values()), {**images.skipped, **left})


def _protected(images: ImageSet, noise: Noise, on_progress: OnProgress) -> Iterator[tuple[str, Photo, Photo]]:
    """Yield (id, clean, protected) of every image that has noise."""
    found = False
    for number, id in enumerate(images.own, 1):
        photo, digest = images.source.load(id)
        slot = noise.slot(id, images.class_of[id], digest)
        if slot is not None:
            found = True
            yield id, photo, Photo(noise.add(photo.pixels, slot), photo.profile)
        on_progress(Event("exporting", number, len(images.own)))
    if not found:
        raise DataError(
            "The noise is for none of these images.",
            "Give the images it was made for, or classes of the same names.",
        )


def _write_npz(images: ImageSet, noise: Noise, target: Path, on_progress: OnProgress) -> dict[str, int]:
    photos: list[Photo] = []
    changes: dict[str, int] = {}
    for id, photo, out in _protected(images, noise, on_progress):
        if photos and photos[0].size != out.size:
            raise DataError(
                f"{id} differs in size from the images before it, and an npz holds one size.",
                "Use --format imagefolder.",
            )
        changes[id] = noise.budget.check(photo.rgb(), out.rgb(), id)
        photos.append(out)
    grey = all(photo.grey for photo in photos)
    pixels: UInt8Array = np.stack([photo.opaque if grey else photo.rgb() for photo in photos])
    names = {name: label for label, name in enumerate(sorted({images.class_of[id] for id in changes}))}
    labels = np.array([names[images.class_of[id]] for id in changes], dtype=np.int64)
    buffer = io.BytesIO()
    np.savez(
        buffer,
        allow_pickle=False,
        images=pixels,
        labels=labels,
        classes=np.array(list(names)),
        ids=np.array(list(changes)),
    )
    write(target, buffer.getvalue())
    return changes


def _write_folder(images: ImageSet, noise: Noise, target: Path, on_progress: OnProgress) -> dict[str, int]:
    names = _file_names(images)
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    changes: dict[str, int] = {}
    try:
        for id, photo, out in _protected(images, noise, on_progress):
            data = encode(out, "png")
            # Counted on the decoded file, in RGB because a noisy colour image may happen to be grey.
            changes[id] = noise.budget.check(photo.rgb(), decode(data, id).rgb(), id)
            path = draft / names[id]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        draft.rename(target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return changes


def _file_names(images: ImageSet) -> dict[str, str]:
    """Return the path below the folder of every own id: its class, then the rest of the id.

    Names that would collide keep their extension.
    """
    folders = {
        name: name.translate(ILLEGAL).lstrip(".") or "-"
        for name in {images.class_of[id] for id in images.own}
    }
    whole = {id: f"{folders[images.class_of[id]]}/{_inside(id, images.class_of[id])}" for id in images.own}
    short = {
        id: path.removesuffix(suffix) if (suffix := PurePosixPath(path).suffix).lower() in PHOTOS else path
        for id, path in whole.items()
    }
    count = Counter(path.casefold() for path in short.values())
    names = {id: f"{short[id] if count[short[id].casefold()] == 1 else whole[id]}.png" for id in whole}
    different = [
        len({name.casefold() for name in table.values()}) == len(table) for table in (folders, names)
    ]
    if not all(different):
        raise DataError(
            "Two classes, or two images of a class, would get the same name.", "Rename one of them."
        )
    return names


def _inside(id: str, class_name: str) -> str:
    rest = id.removeprefix(f"{class_name}/")
    plain = rest != id and all(part.strip(".") for part in rest.split("/"))
    return rest if plain else id.translate(ILLEGAL).lstrip(".") or "-"
