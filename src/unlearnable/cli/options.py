"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

MethodName = Annotated[
    str, typer.Option("--method", help="error_minimizing, error_maximizing, random, or one of a plugin.")
]
Plugin = Annotated[Path | None, typer.Option("--plugin", help="A Python file that registers a method.")]
Preset = Annotated[
    str,
    typer.Option(
        "--preset", help="auto, laptop, gpu, small or paper: complete settings of error_minimizing."
    ),
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="A TOML file of settings, over the preset.")
]
Context = Annotated[
    Path | None,
    typer.Option("--context", help="Folder of other classes to stand against; trained on, never written."),
]
Run = Annotated[Path | None, typer.Option("--run", help="Run folder [PHOTOS.unlearnable/NAME-OF-PROTECTED].")]
ImageFormat = Annotated[
    str, typer.Option("--format", help="png or webp, both lossless; or jpeg, which costs some of the noise.")
]
Quality = Annotated[int, typer.Option("--quality", help="Of JPEG, 1 to 100.")]
KeepMetadata = Annotated[
    bool, typer.Option("--keep-metadata", help="Keep EXIF (GPS too!) and rights; no thumbnail, no history.")
]
Labels = Annotated[
    Path | None, typer.Option("--labels", help="CSV or JSONL file with the columns file and class.")
]
ClassName = Annotated[
    str | None, typer.Option("--class", help="All photos are of this one class, wherever they lie.")
]
FoldersAreClasses = Annotated[
    bool, typer.Option("--folders-are-classes", help="Folders called train and val are classes, not splits.")
]
MaxPixels = Annotated[
    int | None,
    typer.Option("--max-pixels", help="Photos that claim more pixels are skipped [250 million].", min=1),
]
Refit = Annotated[
    bool, typer.Option("--refit", help="Forget the earlier run of these folders and find the noise anew.")
]
Workers = Annotated[
    int, typer.Option("--workers", help="Processes that write files; 0 for one per core.", min=0)
]
Form = Annotated[
    str | None,
    typer.Option("--form", help="auto, samplewise (a noise per image) or classwise (one per class)."),
]
Epsilon = Annotated[
    int | None, typer.Option("--epsilon", help="Largest change of a pixel, in levels of 1/255 [8].")
]
SurrogateSpec = Annotated[
    str | None,
    typer.Option("--surrogate", help="Network the noise is found against, e.g. resnet18:width=16."),
]
Resolution = Annotated[
    int | None, typer.Option("--resolution", help="Side in pixels at which the search works.")
]
Transforms = Annotated[str | None, typer.Option("--transforms", help="none (the paper), flip-crop or photo.")]
StopError = Annotated[
    float | None, typer.Option("--stop-error", help="Training error at which the search stops, 0 to 1.")
]
Rounds = Annotated[int | None, typer.Option("--rounds", help="Rounds after which the search stops.")]
Steps = Annotated[int | None, typer.Option("--steps", help="T, sign steps per batch.")]
StepSize = Annotated[float | None, typer.Option("--step-size", help="Length of a sign step, in levels.")]
Search = Annotated[
    str | None,
    typer.Option("--search", help="exact, or fast: less time, by what the preset's table [fast] changes."),
]
