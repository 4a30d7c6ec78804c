"""``unlearnable protect PHOTOS PROTECTED``: a folder of photos in, a folder of protected photos out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from unlearnable.cli import options
from unlearnable.cli.console import Console, Device, Json, Precision, Quiet, Seed


def protect(
    photos: Annotated[
        Path, typer.Argument(help="Folder with one sub-folder of images per class; never touched.")
    ],
    protected: Annotated[Path, typer.Argument(help="Folder to publish: same tree, same names.")],
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
    format: options.ImageFormat = "png",
    quality: options.Quality = 95,
    keep_metadata: options.KeepMetadata = False,
    refit: options.Refit = False,
    run: options.Run = None,
    workers: options.Workers = 0,
    seed: Seed = None,
    device: Device = "auto",
    precision: Precision = "auto",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Protect a folder of photos: find the noise, add it, write the copies, check every file."""
    console = Console(json, quiet)
    with console.errors(goes_on=True):
        import unlearnable.api as api
        from unlearnable.cli import work
        from unlearnable.data.encoding import Encoding
        from unlearnable.runs import RunFolder, default_run, keep_apart

        started = time.monotonic()
        kept = run or default_run(photos, protected)
        keep_apart(photos, protected, kept)
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
        encoding = Encoding(format, quality, keep_metadata)  # type: ignore[arg-type]  # checked there
        place = work.Place(photos, context, labels, class_name, folders_are_classes, max_pixels)
        request = work.Request(method, preset, config, given, plugin, device, precision)
        images, chosen, compute = work.prepare(console, request, place, None if refit else RunFolder(kept))
        with console.progress() as on_progress:
            published = api.protect(
                photos,
                protected,
                chosen,
                images=images,
                run=run,
                encoding=encoding,
                refit=refit,
                workers=workers,
                seed=seed,
                compute=compute,
                on_progress=on_progress,
            )
        work.report(console, published, time.monotonic() - started)
