"""``unlearnable protect PHOTOS PROTECTED``: a folder of photos in, a folder of protected photos out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from unlearnable.cli import options
from unlearnable.cli.console import Console, Device, Json, Quiet, Seed


def protect(
    photos: Annotated[Path, typer.Argument(help="Folder with one sub-folder of images per class; never touched.")],
    protected: Annotated[Path, typer.Argument(help="Folder to publish: same tree, same names.")],
    form: options.Form = None,
    epsilon: options.Epsilon = None,
    context: options.Context = None,
    preset: options.Preset = "auto",
    config: options.ConfigFile = None,
    surrogate: options.SurrogateSpec = None,
    resolution: options.Resolution = None,
    transforms: options.Transforms = None,
    stop_error: options.StopError = None,
    rounds: options.Rounds = None,
    steps: options.Steps = None,
    step_size: options.StepSize = None,
    method: options.MethodName = "error_minimizing",
    plugin: options.Plugin = None,
    format: options.ImageFormat = "png",
    run: options.Run = None,
    workers: options.Workers = 0,
    seed: Seed = None,
    device: Device = "auto",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Protect a folder of photos: find the noise, add it, write the copies, check every file."""
    console = Console(json, quiet)
    with console.errors(goes_on=True):
        import unlearnable.api as api
        from unlearnable.cli import work
        from unlearnable.runs import default_run, keep_apart

        started = time.monotonic()
        keep_apart(photos, protected, run or default_run(photos, protected))
        given = {
            "form": form, "epsilon": epsilon, "surrogate": surrogate, "resolution": resolution, "transforms": transforms,
            "stop_error": stop_error, "max_rounds": rounds, "steps": steps, "step_size": step_size,
        }  # fmt: skip
        image_format = work.image_format(format)
        chosen, compute = work.prepare(console, work.Request(method, preset, config, given, plugin, device), photos, context)
        with console.progress() as listen:
            published = api.protect(
                photos, protected, chosen, context=context, run=run, format=image_format, workers=workers, seed=seed,
                compute=compute, listen=listen,
            )  # fmt: skip
        work.report(console, published, time.monotonic() - started)
