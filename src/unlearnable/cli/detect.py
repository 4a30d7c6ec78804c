"""``unlearnable detect FOLDER``: tells whether a data set looks protected, by any method."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unlearnable.cli import options
from unlearnable.cli.console import Console
from unlearnable.errors import DataError
from unlearnable.words import counted

if TYPE_CHECKING:
    from unlearnable.data.image_set import ImageSet
    from unlearnable.evaluation.answer import Detection
    from unlearnable.opening import PhotoOptions

SEEDS = 3


def detect(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Data set with one sub-folder of images per class.")
    ],
    labels: options.Labels = None,
    folders_are_classes: options.FoldersAreClasses = False,
    max_pixels: options.MaxPixels = None,
    time_limit: options.Ends = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Tell whether a data set looks protected, by this program or by any other method."""
    console = Console(json, quiet)
    with console.errors():
        from unlearnable import duration
        from unlearnable.cli.listing import list_skipped
        from unlearnable.cli.protection import photo_options
        from unlearnable.evaluation.detection import prepare
        from unlearnable.training.compute import Compute

        deadline = options.deadline(time_limit)
        images = opened(folder, photo_options(labels, None, folders_are_classes, max_pixels))
        first = seed or 0
        compute = Compute.choose(device, "float32")
        with console.progress(deadline) as on_progress:
            prepared = prepare(
                images, seeds=range(first, first + SEEDS), compute=compute, on_progress=on_progress
            )
        used = len(prepared.view.ids)
        rest = f", {counted(prepared.left_out, 'other', 'is')} left out" if prepared.left_out else ""
        # the estimate itself takes a second
        how_long = "" if quiet else f"; about {duration.words(prepared.estimate())}"
        what = f"{counted(used, 'image')} of {counted(len(prepared.view.classes), 'class')}"
        console.remark(f"{what}{rest}; {compute.device}{how_long}")
        with console.progress(deadline) as on_progress:
            found = prepared.measure(on_progress)
        console.result(found.to_json(), text(found))
        list_skipped(console, found.skipped)


def opened(folder: Path, reading: PhotoOptions) -> ImageSet:
    """Return the images of a folder.

    Raises:
        DataError: If it cannot be used. The remedy does not name ``--class``: ``detect`` needs two classes.
    """
    try:
        return reading.folder(folder)
    except DataError as error:
        if "--class" not in error.remedy:
            raise
        remedy = "Put the images of each class into a sub-folder, or give --labels FILE with their classes."
        raise DataError(error.problem, remedy) from error


def text(found: Detection) -> str:
    """Return the answer and its figures for people."""
    lines = [f"{found.answer[0].upper()}{found.answer[1:]}. {found.reason}"]
    for one in found.contrasts:
        lines.append(
            f"  {one.network} network: {_accuracy(one.fine)} from fine noise, {_accuracy(one.coarse)} from "
            f"content; lead {one.lead:+.2f} ({one.low:+.2f} to {one.high:+.2f})"
        )
    if found.contrasts:
        from unlearnable.evaluation.answer import MARGIN

        lines.append(
            f"  Accuracy on held-out images, smallest to largest of {len(found.seeds)} seeds. The lead is in "
            f"log-odds, with its 95% interval: an interval above {MARGIN} means probably protected."
        )
    if found.classes:
        lines.append(f"  Classes that look protected by themselves: {', '.join(found.classes)}")
    lines.append("  How often this is right: docs/detect.md. Weak and sample-wise noise can be missed.")
    return "\n".join(lines)


def _accuracy(seeds: tuple[float, ...]) -> str:
    low, high = f"{100 * min(seeds):.0f}", f"{100 * max(seeds):.0f}"
    return f"{low}%" if low == high else f"{low} to {high}%"
