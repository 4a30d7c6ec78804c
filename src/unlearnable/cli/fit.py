"""``unlearnable fit`` and ``unlearnable apply``: the two halves of ``protect``, for use on images that come later."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from unlearnable.cli import options
from unlearnable.cli.console import Console, Device, Json, Precision, Quiet, Seed, duration
from unlearnable.errors import UsageError


def fit(
    photos: Annotated[
        Path, typer.Argument(help="Folder with one sub-folder of images per class; never touched.")
    ],
    run: Annotated[Path, typer.Argument(help="Run folder to keep the noise in.")],
    labels: options.Labels = None,
    class_name: options.ClassName = None,
    folders_are_classes: options.FoldersAreClasses = False,
    max_pixels: options.MaxPixels = None,
    form: options.Form = None,
    epsilon: options.Epsilon = None,
    context: options.Context = None,
    preset: options.Preset = "auto",
    config: options.ConfigFile = None,
    surrogate: options.SurrogateSpec = None,
    resolution: options.Resolution = None,
    transforms: options.Transforms = None,
    stop_error: options.StopError = None,
    search: options.Search = None,
    rounds: options.Rounds = None,
    steps: options.Steps = None,
    step_size: options.StepSize = None,
    method: options.MethodName = "error_minimizing",
    plugin: options.Plugin = None,
    seed: Seed = None,
    device: Device = "auto",
    precision: Precision = "auto",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find the noise for a folder of photos, and keep it in a run folder."""
    console = Console(json, quiet)
    with console.errors(goes_on=True):
        from unlearnable.cli import work
        from unlearnable.runs import RunFolder
        from unlearnable.search import search as find

        started = time.monotonic()
        given = {
            "form": form,
            "epsilon": epsilon,
            "surrogate": surrogate,
            "resolution": resolution,
            "transforms": transforms,
            "stop_error": stop_error,
            "search": search,
            "max_rounds": rounds,
            "steps": steps,
            "step_size": step_size,
        }
        place = work.Place(photos, context, labels, class_name, folders_are_classes, max_pixels)
        request = work.Request(method, preset, config, given, plugin, device, precision)
        images, chosen, compute = work.prepare(console, request, place, RunFolder(run))
        with RunFolder(run).open() as opened, console.progress() as on_progress:
            fitted = find(images, opened, chosen, seed=seed, compute=compute, on_progress=on_progress)
            opened.update(photos=str(photos.resolve()), status="fitted")
        record = {
            "run": str(run),
            "rounds": len(fitted.log),
            "stopped": fitted.reason,
            "skipped": dict(images.skipped),
        }
        took = duration(time.monotonic() - started)
        console.result(
            record, f"Noise found in {took}, {len(fitted.log)} rounds; {fitted.reason}.\nKeep private: {run}"
        )
        work.list_skipped(images.skipped)


def apply(
    run: Annotated[Path, typer.Argument(help="Run folder of `fit` or `protect`.")],
    photos: Annotated[
        Path, typer.Argument(help="Folder with one sub-folder of images per class; never touched.")
    ],
    protected: Annotated[Path, typer.Argument(help="Folder to publish: same tree, same names.")],
    missing: Annotated[
        str, typer.Option("--missing", help="Photos without noise: skip (and list) or extend (make some).")
    ] = "skip",
    labels: options.Labels = None,
    class_name: options.ClassName = None,
    folders_are_classes: options.FoldersAreClasses = False,
    max_pixels: options.MaxPixels = None,
    format: options.ImageFormat = "png",
    quality: options.Quality = 95,
    keep_metadata: options.KeepMetadata = False,
    workers: options.Workers = 0,
    device: Device = "auto",
    precision: Precision = "auto",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Add the noise of a run to photos: those it was made for, or (``--missing extend``) photos that came later."""
    console = Console(json, quiet)
    with console.errors(goes_on=True):
        import unlearnable.api as api
        from unlearnable.cli import work
        from unlearnable.data.encoding import Encoding
        from unlearnable.training.compute import Compute

        if missing not in ("skip", "extend"):
            raise UsageError(f"--missing {missing} is unknown.", "Choose skip or extend.")
        started = time.monotonic()
        encoding = Encoding(format, quality, keep_metadata)  # type: ignore[arg-type]  # checked there
        images = work.Place(photos, None, labels, class_name, folders_are_classes, max_pixels).open(
            console, alone=True
        )
        with console.progress() as on_progress:
            published = api.apply(
                run,
                photos,
                protected,
                images=images,
                extend=missing == "extend",
                encoding=encoding,
                workers=workers,
                compute=Compute.choose(device, precision),
                on_progress=on_progress,
            )
        work.report(console, published, time.monotonic() - started)
