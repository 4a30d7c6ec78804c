"""Options and texts that the verbs of ``unlearnable faces`` share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unlearnable.cli import options
from unlearnable.cli.console import Console
from unlearnable.errors import UsageError

if TYPE_CHECKING:
    from unlearnable.faces.finding import FaceOptions

FACES = "Faces"
NO_FACE = ("skip", "whole", "error")

People = Annotated[
    Path, typer.Argument(metavar="PHOTOS", help="Folder with one sub-folder per person; never changed.")
]
Person = Annotated[
    str | None,
    options.option(
        options.PHOTOS, "--class", "All photos are of this person, whatever their folder.", "NAME"
    ),
]
Others = Annotated[
    Path | None,
    options.option(
        options.PHOTOS,
        "--context",
        "Photos of other people to tell yours apart from, one sub-folder each; never published.",
        "FOLDER",
    ),
]
DetectorName = Annotated[
    str,
    options.option(FACES, "--detector", "retinaface, or yunet=FILE with a file of weights.", "NAME"),
]
WhoOption = Annotated[
    str,
    options.option(
        FACES,
        "--who",
        "Which face is the person's: central, largest, all, or a CSV file (docs/faces.md).",
        "RULE",
    ),
]
NoFaceOption = Annotated[
    str,
    options.option(
        FACES,
        "--no-face",
        "Photos without a face: skip leaves them out, whole covers the whole photo, error stops.",
        "RULE",
    ),
]
MethodName = Annotated[
    str | None,
    options.option(
        options.NOISE,
        "--method",
        "Method that makes the noise; see `unlearnable methods`.",
        "NAME",
        show_default="error_minimizing; with --recogniser, feature_shift",
    ),
]
Recognisers = Annotated[
    list[str] | None,
    options.option(
        FACES,
        "--recogniser",
        "ONNX file of a recogniser that the noise is to mislead: FILE.onnx, or FILE.onnx,MEAN,SCALE "
        "(docs/faces.md). Repeatable.",
        "FILE",
    ),
]


def chosen(detector: str, who: str, no_face: str = "skip") -> FaceOptions:
    """Return the options of finding and choosing.

    Raises:
        UsageError: If there is no such rule for photos without a face.
    """
    from unlearnable.faces.finding import FaceOptions

    if no_face not in NO_FACE:
        raise UsageError(f"--no-face is {no_face!r}, which does not exist.", f"Choose {', '.join(NO_FACE)}.")
    return FaceOptions(detector, who, no_face)  # type: ignore[arg-type]


def list_doubtful(console: Console, doubtful: Mapping[str, str]) -> None:
    """Print the photos that are to be checked by eye, with the reason of each."""
    if not console.quiet:
        console.listing("Check these photos", doubtful)
