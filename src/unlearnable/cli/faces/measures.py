"""The options of ``unlearnable faces verify`` that say what is measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unlearnable.cli import options

Published = Annotated[Path, typer.Argument(metavar="PROTECTED", help="The published folder.")]
Seeds = Annotated[
    int,
    options.option(options.MEASURE, "--seeds", "Trainings per network and folder.", "N", min=1),
]
Require = Annotated[
    str | None,
    options.option(
        options.MEASURE,
        "--require",
        "Exit with code 5 unless the goal is met: 25% (retained) or chance+5 (points).",
        "GOAL",
    ),
]
Targets = Annotated[
    list[str] | None,
    options.option(
        options.MEASURE, "--target", "Network to train, such as cnn:width=16. Repeatable.", "NETWORK"
    ),
]
Countermeasures = Annotated[
    list[str] | None,
    options.option(
        options.MEASURE,
        "--countermeasure",
        "Train under countermeasures, such as grey+jpeg:30. Repeatable.",
        "CHAIN",
        show_default="grey, jpeg:30, project, shrink:2",
    ),
]
Recognisers = Annotated[
    list[str] | None,
    options.option(
        options.MEASURE,
        "--recogniser",
        "A recogniser that exists already: FILE.onnx, or FILE.onnx,MEAN,SCALE. Repeatable.",
        "FILE",
    ),
]
FineTune = Annotated[
    bool,
    options.option(
        options.MEASURE, "--fine-tune", "Also fine-tune each recogniser on the photos; takes minutes."
    ),
]
CosFace = Annotated[
    bool,
    options.option(options.MEASURE, "--cosface", "Also train the first network with a CosFace head."),
]
Strangers = Annotated[
    Path | None,
    options.option(
        options.MEASURE,
        "--strangers",
        "Photos of people nobody trains on, one sub-folder each, to tell apart.",
        "FOLDER",
    ),
]
PairsFile = Annotated[
    Path | None,
    options.option(
        options.MEASURE,
        "--pairs",
        "Pairs of strangers to compare, in the form of LFW's pairs.txt.",
        "FILE",
    ),
]
TimeLimit = Annotated[
    str,
    options.option(
        options.MEASURE,
        "--time-limit",
        "Train what fits into this time; finding faces comes on top.",
        "TIME",
    ),
]
