"""``unlearnable fit``: the noise alone, for photos that `apply` protects."""

from __future__ import annotations

import math
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from unlearnable.cli import group, listing, options
from unlearnable.cli.console import Console
from unlearnable.training.launch import Launch
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
    launch = Launch.of()
    console = Console(json, quiet or launch.rank > 0, log, None if launch.rank else metrics)
    with console.errors(resumes=True), group.speaking(launch):
        from unlearnable import duration
        from unlearnable.cli import protection
        from unlearnable.opening import open_photos
        from unlearnable.preparation import Request, agreed, prepare_for
        from unlearnable.runs import RunFolder
        from unlearnable.search import search as find
        from unlearnable.training.compute import Compute
        from unlearnable.training.ranks import joined, placed

        started = time.monotonic()
        with joined(launch) as ranks, ExitStack() as stack:
            with ranks.together():
                deadline = math.inf if time_limit is None else started + duration.parse(time_limit)
                options.load_plugins(plugin)
                given = options.settings({"form": form, "epsilon": epsilon, "search": search}, set_)
                reading = protection.photo_options(labels, class_name, folders_are_classes, max_pixels)
                if not ranks.several:
                    reading = protection.ask_about_splits(photos, reading)
                compute = placed(Compute.choose(device, precision), launch, ranks)
                images = open_photos(photos, context, reading)
                request = Request(method, preset, config, given, visibility)
                folder = RunFolder(run, writes=ranks.first)
                opened = stack.enter_context(folder.open(protection.remarks(console)))
                opened.require_kind("photos")
                with console.progress() as on_progress:
                    prepared = prepare_for(
                        ranks,
                        images,
                        request,
                        run=opened if ranks.first else None,
                        seed=seed,
                        compute=compute,
                        on_progress=on_progress,
                    )
            prepared = agreed(prepared, ranks)
            protection.announce(console, prepared, processes=ranks.count)
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
                    ranks=ranks,
                )
            opened.update(photos=str(photos.resolve()), status="fitted")
        if launch.rank:
            return
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
