"""From a folder to images: how a folder of photos is read, and which of its photos can be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearnable import arguments
from unlearnable.data.file_rows import FILE
from unlearnable.data.folder import folder
from unlearnable.data.image_set import ImageSet
from unlearnable.data.photo_cache import photo_cache
from unlearnable.data.photo_file import MAX_PIXELS
from unlearnable.errors import DataError
from unlearnable.events import Event, OnProgress, silent

if TYPE_CHECKING:
    # the command that only reads photos must not wait for PyTorch
    from unlearnable.methods import Method


@dataclass(frozen=True)
class PhotoOptions:
    """How a folder of photos is read.

    Args:
        labels: A ``.csv`` or ``.jsonl`` file with the class of each image; by default folders are classes.
        class_name: The class of all images, at any depth. Excludes ``labels``.
        folders_are_classes: Whether folders named like splits (``train`` beside ``val``) are classes.
        max_pixels: Photos that claim more pixels are skipped.
    """

    labels: str | Path | None = None
    class_name: str | None = None
    folders_are_classes: bool = False
    max_pixels: int = MAX_PIXELS

    @classmethod
    def of(cls, value: PhotoOptions | None) -> PhotoOptions:
        """Return what a caller passes as ``options``; None for one sub-folder per class.

        Raises:
            UsageError: If it is anything else.
        """
        remedy = 'Give un.PhotoOptions(class_name="mine"), for example.'
        return cls() if value is None else arguments.instance("options", value, cls, "PhotoOptions", remedy)

    def folder(self, root: str | Path) -> ImageSet:
        """Return the images of a folder without reading their pixels.

        Raises:
            UsageError: If the options contradict each other.
            DataError: If the folder cannot be used.
        """
        return folder(
            root,
            labels=self.labels,
            class_name=self.class_name,
            as_classes=self.folders_are_classes,
            max_pixels=self.max_pixels,
        )


def open_photos(
    photos: str | Path, context: str | Path | None = None, options: PhotoOptions | None = None
) -> ImageSet:
    """Open a folder of photos and its context, without reading pixels.

    Args:
        photos: The folder.
        context: Folder of other classes, one sub-folder each, for the surrogate to tell the photos apart
            from.
        options: How ``photos`` is read; one sub-folder per class by default.

    Raises:
        DataError: If a folder cannot be used.
    """
    photos = arguments.path("photos", photos)
    images = PhotoOptions.of(options).folder(photos)
    if context is not None:
        others = folder(arguments.path("context", context))
        # in the order of the search, so that its squares need no copy
        return images.join(others).in_order_of_ids()
    return images


def recall(images: ImageSet, run: Path | None) -> ImageSet:
    """Return images with the facts that earlier commands have learned, of photos that have not changed since.

    Reads sizes and times of files, and no photo.

    Args:
        images: Images that have not been read. Of images that have been, nothing is to be recalled.
        run: The run folder whose cache is read; None for none.
    """
    if run is None or not (run / FILE).exists() or images.facts:
        return images
    with photo_cache(run) as cache:
        return replace(images, facts=cache.recalled(images.source, images.ids))


def _learn(images: ImageSet, run: Path | None) -> None:
    """Save the facts of images that were read before their run folder was known, as with ``--refit``."""
    with photo_cache(run) as cache:
        for id in images.ids:
            cache.learn(images.source, id, images.facts[id])


def read(
    images: ImageSet,
    method: Method[Any] | None = None,
    run: Path | None = None,
    *,
    on_progress: OnProgress = silent,
) -> ImageSet:
    """Return the images that can be read. Each is decoded once, for the check and for the search together.

    Without a search, photos that an earlier command has read, and that have not changed since, are not
    decoded.

    Args:
        images: Images, read or not.
        method: The method that searches next, whose view is made in the same pass; None for no search.
        run: The run folder, whose cache learns what was read, and on whose disk views are mapped that memory
            does not hold.
        on_progress: Called with an event for every photo read.

    Returns:
        The images, with a reason in ``skipped`` for every photo that cannot be read.

    Raises:
        DataError: If none can be read, or there is one class only and the method needs more.
    """
    if method is not None:
        method.require_classes(len(images.classes))
    images = recall(images, run)
    if images.checked and (method is None or images.squares is not None):
        if images.squares is not None:
            _learn(images, run)
        return images
    side = None
    if method is not None:
        resolved = method.resolve(images.frame, len(images))
        side = round(int(resolved.config.resolution) * resolved.zoom)
    # the run folder may not exist yet: the nearest folder above it is on the same disk
    room = None if run is None else next(path for path in (run, *run.resolve().parents) if path.is_dir())
    with photo_cache(run) as cache:
        found = images.readable(on_progress, side, room, cache)
    lost = [id for id in images.ids if images.class_of[id] in images.context and id not in found.facts]
    if lost and not any(found.class_of[id] in found.context for id in found.ids):
        raise DataError(
            f"None of the {len(lost)} context photos can be read; the first is {lost[0]}.",
            "Give a --context FOLDER with photos that can be read.",
        )
    if lost:
        text = f"{len(lost)} context photos cannot be read and are left out; the first is {lost[0]}"
        on_progress(Event("checking", text=text))
    return found
