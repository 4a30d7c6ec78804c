"""What ``protect``, ``fit`` and ``apply`` do, for Python and for the command line alike."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from unlearnable import methods, presets
from unlearnable.data.encoding import Encoding
from unlearnable.data.folder import folder
from unlearnable.data.image_set import ImageSet
from unlearnable.errors import DataError, UsageError
from unlearnable.events import OnProgress, silent
from unlearnable.methods import Context, Fitted, Method
from unlearnable.publish import Published, outputs_for, publish
from unlearnable.runs import RunFolder, default_run, keep_apart
from unlearnable.search import search
from unlearnable.training.compute import Compute
from unlearnable.training.randomness import fresh_seed


def fit(
    images: ImageSet,
    method: Method[Any] | None = None,
    *,
    seed: int | None = None,
    compute: Compute | None = None,
    on_progress: OnProgress = silent,
) -> Fitted:
    """Find noise for images, in memory.

    Args:
        images: What to protect, with context classes joined if there are any.
        method: The method; by default error-minimizing noise with the preset that fits the images and the
            device.
        seed: Drawn from the operating system if None, and recorded in the noise's provenance.
        compute: Where; chosen if None.
        on_progress: Told about progress.

    Returns:
        The noise and what is needed to extend it. ``images.with_noise(fitted.noise)`` is the protected set.
    """
    compute = compute or Compute.choose()
    frame = images.about(images.ids[0]).size
    method = (method or default_method(frame, compute)).resolve(frame, len(images))
    view = images.view(int(method.config.resolution), method.zoom)
    return method.fit(view, Context(fresh_seed() if seed is None else seed, compute), on_progress)


def protect(
    photos: str | Path,
    protected: str | Path,
    method: Method[Any] | None = None,
    *,
    images: ImageSet | None = None,
    context: str | Path | None = None,
    run: str | Path | None = None,
    encoding: Encoding | None = None,
    refit: bool = False,
    workers: int = 0,
    seed: int | None = None,
    compute: Compute | None = None,
    on_progress: OnProgress = silent,
) -> Published:
    """Protect a folder of photos: find the noise, add it at each photo's own size, write the copies and check every file.

    Started again with the same arguments it goes on where it was stopped. Finished files stay byte for byte;
    photos that came or changed since get noise as ``Method.extend`` makes it; what was published of photos
    that are gone stays.

    Args:
        photos: Folder with one sub-folder of images per class; never touched.
        protected: Folder to publish: same tree, same names.
        method: The method; by default error-minimizing noise with the preset that fits the photos and the
            device.
        images: The photos and their context, if ``open_photos`` opened them before.
        context: Folder of other classes to stand against; trained on, never written.
        run: Folder for everything that must be kept; ``PHOTOS.unlearnable/NAME-OF-PROTECTED`` by default.
        encoding: How files are written; PNG by default.
        refit: Whether to forget an earlier run and find the noise anew.
        workers: Processes that write files; 0 for one per core.
        seed: Drawn from the operating system if None, and kept in the run folder.
        compute: Where to compute; chosen if None.
        on_progress: Told about progress.

    Raises:
        UsageError: If the folders mix, or the run folder holds a run with other settings.
        DataError: If the photos cannot be used.
    """
    photos, protected = Path(photos), Path(protected)
    place = Path(run) if run is not None else default_run(photos, protected)
    keep_apart(photos, protected, place)
    images = images or open_photos(
        photos, None if context is None else Path(context), on_progress=on_progress
    )
    compute = compute or Compute.choose()
    method = method or default_method(images.about(images.ids[0]).size, compute)
    with RunFolder(place).open() as opened:
        if refit:
            opened.forget()
        outputs_for(
            images, protected, opened, encoding or Encoding()
        )  # refused now rather than after a long search
        before = opened.read()
        fitted = search(images, opened, method, seed=seed, compute=compute, on_progress=on_progress)
        added: tuple[str, ...] = ()
        if before.get("searched") and before["asked"]["stamp"] != images.stamp:
            done = opened.files()
            added = tuple(
                id for id in images.own if done.get(id, {}).get("digest") != images.about(id).digest
            )
            fitted = _extended(fitted, images, opened, compute)
        published = publish(
            images,
            fitted.noise,
            protected,
            opened,
            encoding=encoding,
            workers=workers or os.cpu_count() or 1,
            on_progress=on_progress,
        )
        opened.update(
            photos=str(photos.resolve()),
            protected=str(protected.resolve()),
            status="protected",
            asked={**opened.read()["asked"], "stamp": images.stamp},
        )
    return replace(published, fitted=fitted, added=added)


def apply(
    run: str | Path,
    photos: str | Path,
    protected: str | Path,
    *,
    images: ImageSet | None = None,
    extend: bool = False,
    encoding: Encoding | None = None,
    workers: int = 0,
    compute: Compute | None = None,
    on_progress: OnProgress = silent,
) -> Published:
    """Add the noise of a run to photos: those it was made for, or photos that came later.

    Args:
        run: Run folder of ``fit`` or ``protect``.
        photos: Folder with one sub-folder of images per class.
        protected: Folder to publish.
        images: The photos, if ``open_photos`` opened them before.
        extend: Whether photos that the noise does not cover get noise made the run's way; else they are
            skipped and listed.
        encoding: How files are written; PNG by default.
        workers: Processes that write files; 0 for one per core.
        compute: Where to compute; chosen if None.
        on_progress: Told about progress.
    """
    run, photos, protected = Path(run), Path(photos), Path(protected)
    keep_apart(photos, protected, run)
    if not (run / "run.json").is_file():
        raise UsageError(f"{run} is not a run folder.", "Make one with `unlearnable fit PHOTOS RUN`.")
    images = images or folder(photos).readable(on_progress)
    with RunFolder(run).open() as opened:
        fitted = Fitted.load(run)
        if extend:
            fitted = _extended(fitted, images, opened, compute or Compute.choose())
        published = publish(
            images,
            fitted.noise,
            protected,
            opened,
            encoding=encoding,
            workers=workers or os.cpu_count() or 1,
            on_progress=on_progress,
        )
        opened.update(photos=str(photos.resolve()), protected=str(protected.resolve()), status="protected")
    return replace(published, fitted=fitted)


def default_method(frame: tuple[int, int], compute: Compute) -> Method[Any]:
    """Return error-minimizing noise with the preset for images of a (height, width) and a device."""
    return methods.create(
        "error_minimizing", presets.merge(presets.read(presets.auto(frame, compute.device)), None, {})
    )


def open_photos(
    photos: Path, context: Path | None = None, *, on_progress: OnProgress = silent, **reading: Any
) -> ImageSet:
    """Open a folder of photos, leaving out (and listing) what cannot be read, against its context if there is one.

    Args:
        photos: The folder.
        context: Folder of other classes, one sub-folder each.
        on_progress: Told about progress.
        reading: How the folder is read: arguments of ``data.folder``.

    Raises:
        DataError: If there is one class only and nothing to tell it apart from.
    """
    images = folder(photos, **reading).readable(on_progress)
    if context is not None:
        return images.join(folder(context).readable(on_progress))
    if len(images.classes) < 2:
        raise DataError(
            f"{photos} holds one class only, {images.classes[0]!r}: there is nothing to tell it apart from.",
            "Give a folder of other classes to stand against, with --context FOLDER; they are trained on and never written.",
        )
    return images


def _extended(fitted: Fitted, images: ImageSet, run: RunFolder, compute: Compute) -> Fitted:
    """Noise for own images that have none, made the run's way and kept with the others."""
    noise, record = fitted.noise, run.read()
    covered = [
        id for id in images.own if noise.assignment.covers(id, images.class_of[id])
    ]  # others are left out on purpose
    new = [id for id in covered if noise.slot(id, images.class_of[id], images.about(id).digest) is None]
    if not new:
        return fitted
    if record["method"] == "imported":
        raise UsageError(
            f"The noise of this run was imported; there is none for {new[0]}.", "Leave out `extend`."
        )
    method = methods.create(record["method"], record["settings"])
    view = images.subset(new).view(int(method.config.resolution), method.zoom)
    extended = replace(
        fitted, noise=noise.joined(method.extend(fitted, view, Context(record["seed"], compute)))
    )
    extended.noise.save(run.noise)
    return extended
