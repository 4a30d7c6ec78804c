"""From a request to a method that is ready to run: open photos, merge settings, estimate the time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unlearnable import methods, presets
from unlearnable.data.folder import folder
from unlearnable.data.image_set import ImageSet
from unlearnable.data.photo_file import MAX_PIXELS
from unlearnable.errors import DataError, UsageError
from unlearnable.events import Event, OnProgress, silent
from unlearnable.methods import Method
from unlearnable.runs import RunFolder
from unlearnable.search import as_before, estimate
from unlearnable.training.compute import Compute

DEFAULT_METHOD = "error_minimizing"


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


@dataclass(frozen=True)
class Request:
    """The method and settings asked for; settings override the file, which overrides the preset.

    Args:
        method: Name of a registered method.
        preset: Name of a preset of ``error_minimizing``, or ``auto`` for the one that fits images and device.
        config: A TOML file of settings.
        settings: Settings by name, and ``search``: ``exact`` or ``fast``.
    """

    method: str = DEFAULT_METHOD
    preset: str = "auto"
    config: Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Prepared:
    """A search that is ready to run: ``fit`` and ``protect`` take its method, images and compute.

    Args:
        images: The photos, with their context if there is any.
        method: The method, with its settings merged.
        compute: Device and precision; those of the run's beginning where a search resumes.
        preset: Name of the preset used; empty for a method without presets.
        finished: Whether the run folder holds the result of this search already.
        resumes: Whether the run folder holds a search that was stopped.
    """

    images: ImageSet
    method: Method[Any]
    compute: Compute
    preset: str
    finished: bool
    resumes: bool

    def estimate(self) -> float:
        """Return about how many seconds the whole search takes at most; 0.0 if there is nothing to search.

        Times a few steps on some of the images, which itself takes seconds.
        """
        return 0.0 if self.finished else estimate(self.images, self.method, self.compute)


def prepare(
    images: ImageSet,
    request: Request | None = None,
    *,
    run: str | Path | None = None,
    compute: Compute | None = None,
    on_progress: OnProgress = silent,
) -> Prepared:
    """Build the method that a request asks for, and read the photos if they have not been read.

    Args:
        images: The photos, with their context if there is any.
        request: The method and settings; by default error-minimizing noise with the preset that fits.
        run: A run folder whose search may be resumed; None to search from the start.
        compute: Device and precision; chosen if None.
        on_progress: Called with an event for every photo read.

    Raises:
        UsageError: If a name, a setting or a value is unknown, or the method has no presets.
        DataError: If no photo can be read.
    """
    request = request or Request()
    folder = None if run is None else RunFolder(Path(run))
    record = {} if folder is None else folder.read()
    # a search that resumes uses the precision that the probe chose when it began
    compute = as_before(record, compute or Compute.choose())
    name, preset = "", {}
    if request.method == DEFAULT_METHOD:
        auto = request.preset == "auto"
        name = presets.auto(images.frame, compute.device) if auto else request.preset
        preset = presets.read(name)
    elif request.preset != "auto":
        raise UsageError(
            f"--preset {request.preset} holds settings of {DEFAULT_METHOD}, not of {request.method}.",
            "Leave --preset out, or give settings with --set or --config.",
        )
    method = methods.create(request.method, presets.merge(preset, request.config, dict(request.settings)))
    finished = bool(record.get("searched"))
    path = None if folder is None else folder.path
    # a finished search is not repeated, so it needs no view of the photos
    return Prepared(
        read(images, None if finished else method, path, on_progress=on_progress),
        method,
        compute,
        name,
        finished=finished,
        resumes=folder is not None and not finished and folder.checkpoint.exists(),
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
        DataError: If a folder cannot be used, or there is only one class in all.
    """
    images = (options or PhotoOptions()).folder(photos)
    if context is not None:
        # in the order of the search, so that its squares need no copy
        return images.join(folder(context)).in_order_of_ids()
    if len(images.classes) < 2:
        raise DataError(
            f"{photos} holds one class only, {images.classes[0]!r}: there is nothing to tell it apart from.",
            "Give a folder of other classes with --context FOLDER; they are never published.",
        )
    return images


def read(
    images: ImageSet,
    method: Method[Any] | None = None,
    run: Path | None = None,
    *,
    on_progress: OnProgress = silent,
) -> ImageSet:
    """Return the images that can be read. Each is decoded once, for the check and for the search together.

    Args:
        images: Images, read or not.
        method: The method that searches next, whose view is made in the same pass; None for no search.
        run: The run folder, on whose disk views are mapped that memory does not hold.
        on_progress: Called with an event for every photo read.

    Returns:
        The images, with a reason in ``skipped`` for every photo that cannot be read.

    Raises:
        DataError: If none can be read.
    """
    if images.checked:
        return images
    side = None
    if method is not None:
        resolved = method.resolve(images.frame, len(images))
        side = round(int(resolved.config.resolution) * resolved.zoom)
    # the run folder may not exist yet: the nearest folder above it is on the same disk
    room = None if run is None else next(path for path in (run, *run.resolve().parents) if path.is_dir())
    found = images.readable(on_progress, side, room)
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
