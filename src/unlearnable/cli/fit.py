"""``unlearnable fit``: the noise alone, for photos that `apply` protects."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Annotated

import typer

from unlearnable.cli import listing, options
from unlearnable.cli.console import Console
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
    log: options.Log = "text",
    metrics: options.Metrics = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Find the noise for a folder of photos, and save it in a run folder."""
    console = Console(json, quiet, log, metrics)
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
        listing.sum_up_others(console, prepared.images.others)
        listing.list_skipped(console, prepared.images.skipped)
