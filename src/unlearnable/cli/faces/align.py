"""``unlearnable faces align PHOTOS OUT``: aligned faces as a folder, for training a recogniser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unlearnable.cli import listing, options
from unlearnable.cli.console import Console
from unlearnable.cli.faces import options as shared
from unlearnable.errors import UsageError


def align(
    photos: shared.People,
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="New folder for the crops: train and val, by person.")
    ],
    class_name: shared.Person = None,
    max_pixels: options.MaxPixels = None,
    detector: shared.DetectorName = "retinaface",
    who: shared.WhoOption = "central",
    side: Annotated[
        int, options.option(shared.FACES, "--side", "Side of a crop in pixels.", "N", min=16)
    ] = 112,
    at_least: Annotated[
        int,
        options.option(
            shared.FACES,
            "--at-least",
            "Leave out people with fewer photos in which a face is found.",
            "N",
            min=2,
        ),
    ] = 5,
    at_most: Annotated[
        int,
        options.option(
            shared.FACES, "--at-most", "Use the first photos of each person; 0 for all.", "N", min=0
        ),
    ] = 0,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Write one aligned face per photo: a fifth of each person's to val, the rest to train."""
    console = Console(json, quiet)
    with console.errors():
        from unlearnable.cli import protection
        from unlearnable.faces.aligned_folder import write_aligned

        if who == "all":
            raise UsageError("`faces align` writes one face of each photo.", "Give another --who.")
        reading = protection.photo_options(None, class_name, False, max_pixels)
        with console.progress() as on_progress:
            written = write_aligned(
                reading.folder(photos),
                out,
                shared.chosen(detector, who, "skip"),
                side=side,
                at_least=at_least,
                at_most=at_most,
                on_progress=on_progress,
            )
        record = {"train": written.train, "val": written.val, "skipped": dict(written.skipped)}
        text = f"{written.train} crops to train on, {written.val} to test on: {out}"
        console.result({**record, "folder": str(out)}, text)
        listing.list_skipped(console, written.skipped)
