"""``fit``, ``protect`` and ``apply``, for Python and for the command line alike."""

from __future__ import annotations

import math
import os
import shlex
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from unlearnable import methods
from unlearnable.data.encoding import Encoding
from unlearnable.data.image_set import ImageSet
from unlearnable.errors import UsageError
from unlearnable.events import OnProgress, silent
from unlearnable.methods import Context, Fitted, Method
from unlearnable.preparation import PhotoOptions, open_photos, prepare, read
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
        images: The images to protect, with context classes joined if there are any.
        method: The method; by default error-minimizing noise with the preset that fits the images and the
            device.
        seed: Drawn from the operating system if None, and recorded in the noise's provenance.
        compute: Device and precision; chosen if None.
        on_progress: Called with an event after every step.

    Returns:
        The noise, with the surrogate needed to extend it. ``images.with_noise(fitted.noise)`` is the
        protected set.
    """
    compute = compute or Compute.choose()
    if method is None:
        prepared = prepare(images, compute=compute, on_progress=on_progress)
        images, method = prepared.images, prepared.method
    method = method.resolve(images.frame, len(images))
    view = images.view(int(method.config.resolution), method.zoom)
    return method.fit(view, Context(fresh_seed() if seed is None else seed, compute), on_progress)


def protect(
    photos: str | Path,
    protected: str | Path,
    method: Method[Any] | None = None,
    *,
    images: ImageSet | None = None,
    context: str | Path | None = None,
    options: PhotoOptions | None = None,
    run: str | Path | None = None,
    encoding: Encoding | None = None,
    refit: bool = False,
    workers: int = 0,
    seed: int | None = None,
    compute: Compute | None = None,
    time_limit: float | None = None,
    on_progress: OnProgress = silent,
) -> Published:
    """Protect a folder of photos: find the noise, add it at each photo's own size, write and check copies.

    The same call after an interruption resumes. Finished files stay byte for byte; photos added or changed
    since get noise from ``Method.extend``; published copies of deleted photos stay.

    Args:
        photos: Folder with one sub-folder of images per class; never changed.
        protected: Folder to publish: same tree, same names.
        method: The method; by default error-minimizing noise with the preset that fits the photos and the
            device.
        images: The photos and their context, if ``open_photos`` or ``prepare`` returned them before.
        context: Folder of other classes for the surrogate to tell the photos apart from; never published.
        options: How ``photos`` is read; one sub-folder per class by default.
        run: Folder for everything that must stay private; ``PHOTOS.unlearnable/NAME-OF-PROTECTED`` by
            default.
        encoding: How files are written; PNG by default.
        refit: Whether to discard an earlier run and find new noise.
        workers: Processes that write files; 0 for one per core.
        seed: Drawn from the operating system if None, and recorded in the run folder.
        compute: Device and precision; chosen if None.
        time_limit: Seconds after which the work stops, between two steps or files; None for no limit.
        on_progress: Called with an event after every step and every file.

    Raises:
        UsageError: If the folders overlap, or the run folder holds a run with other settings.
        DataError: If the photos cannot be used.
        Unfinished: If the time limit is reached; the same call resumes.
    """
    deadline = _deadline(time_limit)
    photos, protected = Path(photos), Path(protected)
    folder = Path(run) if run is not None else default_run(photos, protected)
    keep_apart(photos, protected, folder)
    images = images or open_photos(photos, context, options)
    if method is None:
        prepared = prepare(images, run=None if refit else folder, compute=compute, on_progress=on_progress)
        images, method, compute = prepared.images, prepared.method, prepared.compute
    searched = not refit and RunFolder(folder).read().get("searched")
    images = read(images, None if searched else method, folder, on_progress=on_progress)
    compute = compute or Compute.choose()
    with RunFolder(folder).open() as opened:
        if refit:
            opened.forget()
        # Refuse a PROTECTED that cannot be used now rather than after a long search.
        outputs_for(images, protected, opened, encoding or Encoding())
        before = opened.read()
        fitted = search(
            images, opened, method, seed=seed, compute=compute, deadline=deadline, on_progress=on_progress
        )
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
            deadline=deadline,
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
    options: PhotoOptions | None = None,
    extend: bool = False,
    encoding: Encoding | None = None,
    workers: int = 0,
    compute: Compute | None = None,
    time_limit: float | None = None,
    on_progress: OnProgress = silent,
) -> Published:
    """Add the noise of a run to photos: those it was made for, or photos added later.

    Args:
        run: Run folder of ``fit`` or ``protect``.
        photos: Folder with one sub-folder of images per class; never changed.
        protected: Folder to publish.
        images: The photos, if they were opened before.
        options: How ``photos`` is read; one sub-folder per class by default.
        extend: Whether photos without noise get noise from the method of the run; else they are skipped and
            listed.
        encoding: How files are written; PNG by default.
        workers: Processes that write files; 0 for one per core.
        compute: Device and precision; chosen if None.
        time_limit: Seconds after which the work stops, between two files; None for no limit.
        on_progress: Called with an event after every file.

    Raises:
        UsageError: If ``run`` is not a run folder, or needs a plugin that is not loaded.
        DataError: If the photos cannot be used.
        Unfinished: If the time limit is reached; the same call resumes.
    """
    deadline = _deadline(time_limit)
    run, photos, protected = Path(run), Path(photos), Path(protected)
    keep_apart(photos, protected, run)
    if not (run / "run.json").is_file():
        raise UsageError(f"{run} is not a run folder.", "Make one with `unlearnable fit PHOTOS RUN`.")
    images = images or (options or PhotoOptions()).folder(photos).readable(on_progress)
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
            deadline=deadline,
            on_progress=on_progress,
        )
        opened.update(photos=str(photos.resolve()), protected=str(protected.resolve()), status="protected")
    return replace(published, fitted=fitted)


def _deadline(time_limit: float | None) -> float:
    return math.inf if time_limit is None else time.monotonic() + time_limit


def _extended(fitted: Fitted, images: ImageSet, run: RunFolder, compute: Compute) -> Fitted:
    """Noise for own images that have none, made by the run's method and saved with the rest."""
    noise, record = fitted.noise, run.read()
    # Images that the assignment does not cover carry no noise on purpose.
    covered = [id for id in images.own if noise.assignment.covers(id, images.class_of[id])]
    new = [id for id in covered if noise.slot(id, images.class_of[id], images.about(id).digest) is None]
    if not new:
        return fitted
    if record["method"] == "imported":
        raise UsageError(
            f"The noise in {run.path} was imported, so no noise can be made for {new[0]}.",
            "Use --missing skip (extend=False in Python).",
        )
    _require_method(record, run.path)
    method = methods.create(record["method"], record["settings"])
    view = images.subset(new).in_order_of_ids().view(int(method.config.resolution), method.zoom)
    context = Context(record["seed"], compute)
    extended = replace(fitted, noise=noise.joined(method.extend(fitted, view, context)))
    extended.noise.save(run.noise)
    return extended


def _require_method(record: dict[str, Any], run: Path) -> None:
    """Refuse a run whose method is not registered, and name the plugin that registers it."""
    if record["method"] in methods.names():
        return
    plugin = record.get("plugin")
    raise UsageError(
        f"{run} was made by the method {record['method']!r}, which is not loaded.",
        f"Add --plugin {shlex.quote(plugin)}, or the file's new path if it was moved."
        if plugin
        else "Install the package that registers it, or give its file with --plugin FILE.py.",
    )
