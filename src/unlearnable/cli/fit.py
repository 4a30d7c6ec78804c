"""``unlearnable fit`` and ``unlearnable apply``: the two halves of ``protect``, for photos added later."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Annotated

import typer

from unlearnable.cli import options
from unlearnable.cli.console import Console
from unlearnable.errors import UsageError
from unlearnable.words import counted


def fit(
    photos: options.Source,
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder for the noise.")],
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
    plugin: options.Plugin = None,
    time_limit: options.TimeLimit = None,
    seed: options.Seed = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Find the noise for a folder of photos, and save it in a run folder."""
    console = Console(json, quiet)
    with console.errors(resumes=True):
        from unlearnable import duration
        from unlearnable.cli import protection
        from unlearnable.opening import open_photos
        from unlearnable.preparation import Request, prepare
        from unlearnable.runs import RunFolder
        from unlearnable.search import search as find
        from unlearnable.training.compute import Compute

        started = time.monotonic()
        deadline = math.inf if time_limit is None else started + duration.parse(time_limit)
        options.load_plugins(plugin)
        given = options.settings({"form": form, "epsilon": epsilon, "search": search}, set_)
        reading = protection.photo_options(labels, class_name, folders_are_classes, max_pixels)
        reading = protection.ask_about_splits(photos, reading)
        compute = Compute.choose(device, precision)
        images = open_photos(photos, context, reading)
        request = Request(method, preset, config, given, visibility)
        with RunFolder(run).open(protection.remarks(console)) as opened:
            opened.require_kind("photos")
            with console.progress() as on_progress:
                prepared = prepare(
                    images, request, run=opened, seed=seed, compute=compute, on_progress=on_progress
                )
            protection.announce(console, prepared)
            with console.progress() as on_progress:
                fitted = find(
                    prepared.images,
                    opened,
                    prepared.method,
                    seed=seed,
                    compute=prepared.compute,
                    origin=prepared.origin,
                    deadline=deadline,
                    on_progress=on_progress,
                )
            opened.update(photos=str(photos.resolve()), status="fitted")
        record = {
            "run": str(run),
            "rounds": len(fitted.log),
            "stopped": fitted.reason,
            "skipped": dict(prepared.images.skipped),
            "others": dict(prepared.images.others),
        }
        took = duration.words(time.monotonic() - started)
        rounds = counted(len(fitted.log), "round")
        text = f"Noise found in {took}, {rounds}; {fitted.reason}.\nKeep private: {run}"
        console.result(record, text)
        protection.sum_up_others(console, prepared.images.others)
        protection.list_skipped(prepared.images.skipped)


def apply(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder of `fit`, `protect` or `import`.")],
    photos: options.Source,
    protected: options.Target,
    labels: options.Labels = None,
    class_name: options.ClassName = None,
    folders_are_classes: options.FoldersAreClasses = False,
    max_pixels: options.MaxPixels = None,
    missing: Annotated[
        str,
        typer.Option(
            "--missing",
            metavar="NAME",
            help="Photos without noise: skip (and list) or extend (make noise for them).",
            rich_help_panel=options.NOISE,
        ),
    ] = "skip",
    purpose: options.Purpose = None,
    format: options.ImageFormat = None,
    quality: options.Quality = None,
    max_side: options.MaxSide = None,
    keep_metadata: options.KeepMetadata = False,
    workers: options.Workers = 0,
    plugin: options.Plugin = None,
    time_limit: options.TimeLimit = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Add the noise of a run to photos: those it was made for, or photos added later."""
    console = Console(json, quiet)
    with console.errors(resumes=True):
        from unlearnable import api, duration
        from unlearnable.cli import protection
        from unlearnable.data.encoding import Encoding
        from unlearnable.training.compute import Compute

        if missing not in ("skip", "extend"):
            raise UsageError(f"--missing {missing} is unknown.", "Choose skip or extend.")
        started = time.monotonic()
        limit = None if time_limit is None else duration.parse(time_limit)
        options.load_plugins(plugin)
        encoding = Encoding.chosen(purpose, format, quality, max_side, keep_metadata)
        reading = protection.photo_options(labels, class_name, folders_are_classes, max_pixels)
        reading = protection.ask_about_splits(photos, reading)
        with console.progress() as on_progress:
            published = api.apply(
                run,
                photos,
                protected,
                options=reading,
                extend=missing == "extend",
                encoding=encoding,
                workers=workers,
                compute=Compute.choose(device, precision),
                time_limit=limit,
                on_progress=on_progress,
            )
        protection.report(console, published, time.monotonic() - started)
