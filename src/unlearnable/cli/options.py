"""Options that several verbs share, and how their values are read."""

from __future__ import annotations

import math
import time
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from unlearnable import duration
from unlearnable.errors import UsageError

PHOTOS, NOISE, FILES, MEASURE, RUN = "Photos", "Noise", "Files", "Measurement", "Run"
# The largest whole number that every reader of JSON reads exactly.
LARGEST_SEED = 2**53


def option(panel: str, name: str, help: str, metavar: str | None = None, **more: Any) -> Any:
    """Return an option in a group of the help.

    Args:
        panel: Title of the group in the help.
        name: The option, ``--name``; ``more`` may have ``short``.
        help: One sentence.
        metavar: The word for its value; None for a switch.
        more: Other arguments of ``typer.Option``.
    """
    names = [name, more.pop("short")] if "short" in more else [name]
    return typer.Option(*names, help=help, metavar=metavar, rich_help_panel=panel, **more)


def _seed(value: int | None) -> int | None:
    if value is not None and not 0 <= value <= LARGEST_SEED:
        raise typer.BadParameter(f"{value} is not between 0 and {LARGEST_SEED}.")
    return value


# Photos: which images, and how they are read.
Source = Annotated[
    Path,
    typer.Argument(metavar="PHOTOS", help="Folder with one sub-folder of images per class; never changed."),
]
Target = Annotated[
    Path, typer.Argument(metavar="PROTECTED", help="Folder to publish: same tree, same names.")
]
Labels = Annotated[
    Path | None, option(PHOTOS, "--labels", "CSV or JSONL file with the columns file and class.", "FILE")
]
ClassName = Annotated[
    str | None, option(PHOTOS, "--class", "All photos are of this class, whatever their folder.", "NAME")
]
FoldersAreClasses = Annotated[
    bool,
    option(PHOTOS, "--folders-are-classes", "Folders called train and val are classes, not splits."),
]
MaxPixels = Annotated[
    int | None,
    option(
        PHOTOS,
        "--max-pixels",
        "Skip photos whose header claims more pixels.",
        "N",
        min=1,
        show_default="250 million",
    ),
]
Context = Annotated[
    Path | None,
    option(
        PHOTOS,
        "--context",
        "Folder of other classes for the surrogate to tell yours apart from; never published.",
        "FOLDER",
    ),
]

# Noise: the method and its settings.
MethodName = Annotated[
    str, option(NOISE, "--method", "Method that makes the noise; see `unlearnable methods`.", "NAME")
]
Preset = Annotated[
    str,
    option(
        NOISE,
        "--preset",
        "Complete settings of error_minimizing: auto, laptop, gpu, small, lasting, faces or paper.",
        "NAME",
    ),
]
Form = Annotated[
    str | None,
    option(NOISE, "--form", "auto, samplewise (one noise per image) or classwise (one per class).", "NAME"),
]
Epsilon = Annotated[
    int | None,
    option(NOISE, "--epsilon", "Largest change of a pixel, in levels of 1/255.", "N", show_default="8"),
]
Visibility = Annotated[
    str | None,
    option(
        NOISE,
        "--visibility",
        "How visible the noise may be: high, medium or low; limits on tint and shading over the preset.",
        "NAME",
        show_default="that of the preset",
    ),
]
Search = Annotated[
    str | None,
    option(
        NOISE,
        "--search",
        "exact, or fast: with changes in the preset's table fast that save time.",
        "NAME",
        show_default="exact",
    ),
]
ConfigFile = Annotated[
    Path | None, option(NOISE, "--config", "TOML file of settings; overrides the preset.", "FILE")
]
Settings = Annotated[
    list[str] | None,
    option(
        NOISE,
        "--set",
        "One setting, such as max_rounds=30; overrides preset and file. Repeatable.",
        "KEY=VALUE",
    ),
]

# Files: how published files are written.
Purpose = Annotated[
    str | None,
    option(
        FILES,
        "--for",
        "web: JPEG of quality 90, at most 2048 pixels a side, for sites that shrink and compress uploads.",
        "NAME",
    ),
]
ImageFormat = Annotated[
    str | None,
    option(
        FILES,
        "--format",
        "png or webp, both lossless; or jpeg, which weakens the noise.",
        "NAME",
        show_default="png",
    ),
]
Quality = Annotated[
    int | None,
    option(FILES, "--quality", "JPEG quality, 1 to 100.", "N", min=1, max=100, show_default="95"),
]
MaxSide = Annotated[
    int | None,
    option(
        FILES,
        "--max-side",
        "Longest side of a published photo in pixels; larger photos are resized before the noise is added. 0 "
        "for no limit.",
        "N",
        min=0,
        show_default="0",
    ),
]
KeepMetadata = Annotated[
    bool,
    option(FILES, "--keep-metadata", "Copy EXIF (with GPS!) and rights; never thumbnails or edit history."),
]
Workers = Annotated[
    int, option(FILES, "--workers", "Processes that write files; 0 for one per core.", "N", min=0)
]
DataDir = Annotated[
    Path | None,
    option(
        FILES,
        "--data-dir",
        "Folder of the benchmarks' files.",
        "FOLDER",
        show_default="~/.cache/unlearnable",
    ),
]
Download = Annotated[
    bool, option(FILES, "--download", "Download the files of a benchmark if they are missing.")
]

# Measurement: the networks and rows of `verify`.
Weights = Annotated[
    str | None,
    option(
        MEASURE,
        "--weights",
        "Weights that the network of --target starts from: pretrained (published ones), or a file.",
        "FILE",
    ),
]
ReportCard = Annotated[
    bool,
    option(
        MEASURE,
        "--report-card",
        "Measure about 25 ways to train on the published files; the same command resumes.",
    ),
]

# Run: where, how long, and the output.
RunFolder = Annotated[
    Path | None,
    option(RUN, "--run", "Run folder, to keep private; by default PHOTOS.unlearnable/PROTECTED.", "FOLDER"),
]
Refit = Annotated[
    bool, option(RUN, "--refit", "Discard the earlier run of these folders and find new noise.")
]
Plugin = Annotated[
    list[Path] | None,
    option(
        RUN,
        "--plugin",
        "Python file that registers a method, countermeasure, model or experiment. Repeatable.",
        "FILE",
    ),
]
TimeLimit = Annotated[
    str | None,
    option(
        RUN,
        "--time-limit",
        "Stop after this time, such as 90s, 15m or 2h; the same command resumes.",
        "TIME",
    ),
]
Ends = Annotated[
    str | None,
    option(
        RUN,
        "--time-limit",
        "Stop after this time, such as 90s, 15m or 2h; nothing is written then.",
        "TIME",
    ),
]
Seed = Annotated[
    int | None,
    option(RUN, "--seed", "Same seed, data and settings give the same result.", "N", callback=_seed),
]
Device = Annotated[str, option(RUN, "--device", "auto, cpu, cuda or mps.", "NAME")]
Precision = Annotated[
    str,
    option(RUN, "--precision", "auto (the faster one, measured and recorded), float32 or bfloat16.", "NAME"),
]
Log = Annotated[
    str,
    option(
        RUN,
        "--log",
        "How stderr is written: text, or json (one object a line; progress every 30 s).",
        "FORMAT",
    ),
]
Metrics = Annotated[
    Path | None,
    option(
        RUN,
        "--metrics",
        "File for the state of the work, in the text format of Prometheus; replaced every 5 s.",
        "FILE",
    ),
]
Json = Annotated[
    bool, option(RUN, "--json", "Print one JSON object on stdout; everything else goes to stderr.")
]
Quiet = Annotated[bool, option(RUN, "--quiet", "Print no progress and no remarks.", short="-q")]


def settings(flags: Mapping[str, Any], items: Iterable[str] | None) -> dict[str, Any]:
    """Merge settings that have an option of their own with those of ``--set``.

    Args:
        flags: Settings by name; None where an option is not given.
        items: ``KEY=VALUE`` pairs. A value is TOML; anything that is not TOML is text, so that
            ``surrogate=cnn:width=8`` needs no quotes.

    Raises:
        UsageError: If an item is not ``KEY=VALUE``, or a setting is given twice.
    """
    merged = {key: value for key, value in flags.items() if value is not None}
    for item in items or ():
        key, equals, text = item.partition("=")
        key = key.strip()
        if not (equals and key and text.strip()):
            raise UsageError(f"--set {item!r} is not KEY=VALUE.", "Write it like --set max_rounds=30.")
        if key in merged:
            raise UsageError(f"{key} is given twice.", "Give each setting once.")
        merged[key] = _value(text)
    return merged


def deadline(time_limit: str | None) -> float:
    """Return the time of ``time.monotonic()`` at which the time is up; infinity without a limit."""
    return math.inf if time_limit is None else time.monotonic() + duration.parse(time_limit)


def refuse(ctx: typer.Context, names: Iterable[str], reason: str) -> None:
    """Refuse options that would be ignored.

    Args:
        ctx: The context of the verb.
        names: Names of the parameters that are not used.
        reason: Why, as the end of a sentence.

    Raises:
        UsageError: If one of them is on the command line.
    """
    unused = set(names)
    given = [
        parameter.opts[0]
        for parameter in ctx.command.params
        if parameter.name in unused
        and (source := ctx.get_parameter_source(parameter.name)) is not None
        and source.name == "COMMANDLINE"
    ]
    if given:
        raise UsageError(f"{', '.join(given)} would be ignored {reason}.", "Leave it out.")


def load_plugins(files: Iterable[Path] | None) -> None:
    """Load the files of ``--plugin``."""
    from unlearnable.plugins import load_plugin

    for file in files or ():
        load_plugin(file)


def _value(text: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text.strip()
    # A line break could smuggle in a second key.
    return parsed["value"] if len(parsed) == 1 else text
