"""``unlearnable protect PHOTOS PROTECTED``: a folder of photos in, a folder of protected photos out."""

from __future__ import annotations

import time

from unlearnable.cli import options
from unlearnable.cli.console import Console


def protect(
    photos: options.Source,
    protected: options.Target,
    labels: options.Labels = None,
    class_name: options.ClassName = None,
    folders_are_classes: options.FoldersAreClasses = False,
    max_pixels: options.MaxPixels = None,
    context: options.Context = None,
    form: options.Form = None,
    epsilon: options.Epsilon = None,
    method: options.MethodName = "error_minimizing",
    preset: options.Preset = "auto",
    visibility: options.Visibility = None,
    search: options.Search = None,
    config: options.ConfigFile = None,
    set_: options.Settings = None,
    purpose: options.Purpose = None,
    format: options.ImageFormat = None,
    quality: options.Quality = None,
    max_side: options.MaxSide = None,
    keep_metadata: options.KeepMetadata = False,
    workers: options.Workers = 0,
    run: options.RunFolder = None,
    refit: options.Refit = False,
    plugin: options.Plugin = None,
    time_limit: options.TimeLimit = None,
    seed: options.Seed = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    log: options.Log = "text",
    metrics: options.Metrics = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Protect a folder of photos: find the noise, add it, write the copies, check every file."""
    console = Console(json, quiet, log, metrics)
    with console.errors(resumes=True):
        from unlearnable import api, duration
        from unlearnable.cli import protection
        from unlearnable.data.encoding import Encoding
        from unlearnable.destination import require_place, require_usable
        from unlearnable.opening import open_photos
        from unlearnable.preparation import Request, prepare
        from unlearnable.runs import RunFolder, find_run, keep_apart
        from unlearnable.training.compute import Compute

        started = time.monotonic()
        limit = None if time_limit is None else duration.parse(time_limit)
        options.load_plugins(plugin)
        folder = run or find_run(photos, protected)
        keep_apart(photos, protected, folder)
        given = options.settings({"form": form, "epsilon": epsilon, "search": search}, set_)
        encoding = Encoding.chosen(purpose, format, quality, max_side, keep_metadata)
        reading = protection.photo_options(labels, class_name, folders_are_classes, max_pixels)
        reading = protection.ask_about_splits(photos, reading)
        compute = Compute.choose(device, precision)
        request = Request(method, preset, config, given, visibility)
        images = open_photos(photos, context, reading)
        with RunFolder(folder).open(protection.remarks(console), repair=refit) as opened:
            # everything that can refuse comes before the first promise
            if not refit:
                opened.require_kind("photos")
            require_usable(protected, opened, encoding, refit)
            with console.progress() as on_progress:
                earlier = None if refit else opened
                prepared = prepare(
                    images, request, run=earlier, seed=seed, compute=compute, on_progress=on_progress
                )
            require_place(prepared.images, protected, opened, encoding, refit)
            protection.announce(console, prepared)
            with console.progress() as on_progress:
                published = api.protect(
                    photos,
                    protected,
                    prepared,
                    run=opened,
                    encoding=encoding,
                    refit=refit,
                    workers=workers,
                    seed=seed,
                    time_limit=None if limit is None else limit - (time.monotonic() - started),
                    on_progress=on_progress,
                )
        protection.report(console, published, time.monotonic() - started)
