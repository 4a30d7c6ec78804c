"""``fit``, ``protect`` and ``apply``, for Python and for the command line alike."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from unlearnable import arguments, methods
from unlearnable.data.encoding import Encoding, Format
from unlearnable.data.image_set import ImageSet
from unlearnable.destination import require_place, require_usable
from unlearnable.errors import UsageError
from unlearnable.evaluation.visibility import of_published
from unlearnable.events import OnProgress, silent
from unlearnable.extending import extended
from unlearnable.methods import Context, Fitted, Method
from unlearnable.methods.shared import require_same_request, require_shareable
from unlearnable.opening import PhotoOptions, open_photos, read, recall
from unlearnable.preparation import Prepared, Request, prepare, prepare_for
from unlearnable.publish import Published, publish
from unlearnable.runs import RunFolder, find_run, keep_apart
from unlearnable.search import found, require_same, search
from unlearnable.training.compute import Compute
from unlearnable.training.launch import Launch
from unlearnable.training.randomness import fresh_seed
from unlearnable.training.ranks import joined, placed


def fit(
    images: ImageSet,
    method: Method[Any] | str | None = None,
    *,
    seed: int | None = None,
    compute: Compute | str | None = None,
    on_progress: OnProgress | None = None,
) -> Fitted:
    """Find noise for images, in memory.

    In a script that ``torchrun`` starts, all processes call it with the same arguments. They search together,
    and each gets the whole result.

    Args:
        images: The images to protect, with context classes joined if there are any.
        method: The method, or its name for its usual settings; by default error-minimizing noise with the
            preset that fits the images and the device.
        seed: Drawn from the operating system if None, and recorded in the noise's provenance.
        compute: Device and precision, or the name of a device; chosen if None.
        on_progress: Called with an event after every step; of several processes, in the first one.

    Returns:
        The noise, with the surrogate needed to extend it. ``images.with_noise(fitted.noise)`` is the
        protected set.

    Raises:
        UsageError: If an argument is of another type, or a name or a setting is unknown.
        DataError: If the images cannot be used.
    """
    images, method = arguments.images(images, ImageSet), methods.given(method)
    seed, on_progress = arguments.seed(seed), arguments.callback(on_progress)
    launch = Launch.of()
    with joined(launch) as ranks:
        with ranks.together():
            compute = placed(Compute.of(compute), launch, ranks)
            if not isinstance(method, Method):
                request = _request(method)
                prepared = prepare_for(ranks, images, request, compute=compute, on_progress=on_progress)
                images, method, compute = prepared.images, prepared.method, prepared.compute
            method = method.resolve(images.frame, len(images))
            require_shareable(method, len(images.classes), ranks)
            view = images.view(int(method.config.resolution), method.zoom)
        compute = replace(compute, precision=ranks.of_first(compute.precision))
        require_same_request(ranks, method, view)
        seed = ranks.of_first(fresh_seed() if seed is None else seed)
        return method.fit(view, Context(seed, compute, ranks), on_progress if ranks.first else silent)


def protect(
    photos: str | Path,
    protected: str | Path,
    method: Method[Any] | Prepared | str | None = None,
    *,
    images: ImageSet | None = None,
    context: str | Path | None = None,
    options: PhotoOptions | None = None,
    run: str | Path | RunFolder | None = None,
    encoding: Encoding | Format | None = None,
    refit: bool = False,
    workers: int = 0,
    seed: int | None = None,
    compute: Compute | str | None = None,
    time_limit: float | None = None,
    on_progress: OnProgress | None = None,
) -> Published:
    """Protect a folder of photos: find the noise, add it at each photo's own size, write and check copies.

    The same call after an interruption resumes. Finished files stay byte for byte; photos added or changed
    since get noise from ``Method.extend``; published copies of deleted photos stay.

    Args:
        photos: Folder with one sub-folder of images per class; never changed.
        protected: Folder to publish: same tree, same names.
        method: The method, its name for its usual settings, or what ``prepare`` returned, with its images and
            compute; by default error-minimizing noise with the preset that fits the photos and the device.
        images: The photos and their context, if ``open_photos`` or ``prepare`` returned them before.
        context: Folder of other classes for the surrogate to tell the photos apart from; never published.
        options: How ``photos`` is read; one sub-folder per class by default.
        run: Folder for everything that must stay private; by default the one that published
            ``protected`` before, or ``PHOTOS.unlearnable/NAME-OF-PROTECTED``.
        encoding: How files are written, an ``Encoding`` or a format; PNG by default.
        refit: Whether to discard an earlier run and find new noise.
        workers: Processes that write files; 0 for one per core.
        seed: Drawn from the operating system if None, and recorded in the run folder.
        compute: Device and precision, or the name of a device; chosen if None.
        time_limit: Seconds after which the work stops, between two steps or files; None for no limit.
        on_progress: Called with an event after every step and every file.

    Raises:
        UsageError: If the folders overlap, or the run folder holds a run with other settings.
        DataError: If the photos cannot be used.
        Unfinished: If the time limit is reached; the same call resumes.
    """
    deadline, on_progress = _deadline(time_limit), arguments.callback(on_progress)
    photos, protected = arguments.path("photos", photos), arguments.path("protected", protected)
    encoding, seed = Encoding.of(encoding), arguments.seed(seed)
    workers, compute = arguments.workers(workers), None if compute is None else Compute.of(compute)
    if not isinstance(method, Prepared):
        method = methods.given(method)
    if not isinstance(run, RunFolder):
        run = RunFolder(find_run(photos, protected) if run is None else arguments.path("run", run))
    keep_apart(photos, protected, run.path)
    if images is None:
        images = method.images if isinstance(method, Prepared) else open_photos(photos, context, options)
    images = arguments.images(images, ImageSet)
    with run.open(on_progress, repair=refit) as opened:
        if not refit:
            opened.require_kind("photos")
        require_usable(protected, opened, encoding, refit)
        earlier = None if refit else opened
        if method is None or isinstance(method, str):
            method = prepare(
                images, _request(method), run=earlier, seed=seed, compute=compute, on_progress=on_progress
            )
        origin = None
        if isinstance(method, Prepared):
            images, compute, origin, method = method.images, method.compute, method.origin, method.method
        if earlier is not None:
            require_same(earlier, method, seed)
        searched = earlier is not None and earlier.finished
        images = read(images, None if searched else method, opened.path, on_progress=on_progress)
        # refused now rather than after a long search
        require_place(images, protected, opened, encoding, refit)
        if refit:
            opened.forget()
        before = opened.read()
        compute = compute or Compute.choose()
        fitted = search(
            images,
            opened,
            method,
            seed=seed,
            compute=compute,
            origin=origin,
            deadline=deadline,
            on_progress=on_progress,
        )
        added: tuple[str, ...] = ()
        if searched:
            fitted = extended(fitted, images, opened, compute)
            if before["asked"]["stamp"] != images.stamp:
                done = opened.list_of(protected).records()
                digest = {id: record.get("digest") for id, record in done.items()}
                added = tuple(id for id in images.own if digest.get(id) != images.about(id).digest)
        published = publish(
            images,
            fitted.noise,
            protected,
            opened,
            encoding=encoding,
            workers=workers,
            deadline=deadline,
            on_progress=on_progress,
        )
        seen = of_published(images, published, opened)
        asked = {**opened.read()["asked"], "stamp": images.stamp}
        opened.update(photos=str(photos.resolve()), status="protected", asked=asked, visibility=seen)
    added = tuple(id for id in added if id not in published.skipped)
    return replace(published, fitted=fitted, added=added, visibility=seen)


def apply(
    run: str | Path,
    photos: str | Path,
    protected: str | Path,
    *,
    images: ImageSet | None = None,
    options: PhotoOptions | None = None,
    extend: bool = False,
    encoding: Encoding | Format | None = None,
    workers: int = 0,
    compute: Compute | str | None = None,
    time_limit: float | None = None,
    on_progress: OnProgress | None = None,
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
        encoding: How files are written, an ``Encoding`` or a format; PNG by default.
        workers: Processes that write files; 0 for one per core.
        compute: Device and precision, or the name of a device; chosen if None.
        time_limit: Seconds after which the work stops, between two files; None for no limit.
        on_progress: Called with an event after every file.

    Raises:
        UsageError: If ``run`` is not a run folder, or needs a plugin that is not loaded.
        DataError: If the photos cannot be used.
        Unfinished: If the time limit is reached; the same call resumes.
    """
    deadline, on_progress = _deadline(time_limit), arguments.callback(on_progress)
    run, photos = arguments.path("run", run), arguments.path("photos", photos)
    protected, encoding = arguments.path("protected", protected), Encoding.of(encoding)
    workers, compute = arguments.workers(workers), None if compute is None else Compute.of(compute)
    keep_apart(photos, protected, run)
    if not (run / "run.json").is_file():
        raise UsageError(f"{run} is not a run folder.", "Make one with `unlearnable fit PHOTOS RUN`.")
    images = PhotoOptions.of(options).folder(photos) if images is None else images
    images = arguments.images(images, ImageSet)
    with RunFolder(run).open(on_progress) as opened:
        opened.require_kind("photos")
        require_usable(protected, opened, encoding)
        fitted = found(opened)
        if extend or encoding.format == "jpeg":
            # noise is made for photos that were read, and JPEG has no transparency
            images = read(images, run=opened.path, on_progress=on_progress)
        else:
            # each photo is read once, by the worker that writes its file
            images = recall(images, opened.path)
        if extend:
            fitted = extended(fitted, images, opened, compute)
        published = publish(
            images,
            fitted.noise,
            protected,
            opened,
            encoding=encoding,
            workers=workers,
            deadline=deadline,
            on_progress=on_progress,
        )
        seen = of_published(images, published, opened)
        opened.update(photos=str(photos.resolve()), status="protected", visibility=seen)
    return replace(published, fitted=fitted, visibility=seen)


def _deadline(time_limit: float | None) -> float:
    limit = arguments.time_limit(time_limit)
    return math.inf if limit is None else time.monotonic() + limit


def _request(method: str | None) -> Request:
    return Request() if method is None else Request(method)
