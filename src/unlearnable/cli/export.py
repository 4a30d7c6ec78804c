"""``unlearnable import`` and ``unlearnable export``: read noise of other projects, write protected sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, overload

import typer

from unlearnable.cli import options
from unlearnable.cli.console import Console
from unlearnable.errors import UsageError

if TYPE_CHECKING:
    from unlearnable.data.image_set import ImageSet
    from unlearnable.opening import PhotoOptions

IMAGES = (
    "a folder with one sub-folder per class, digits, or a benchmark: "
    "cifar10, cifar100, svhn, fashion-mnist (:test)"
)


def import_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Noise of another project: .npy, .npz or .pt.")
    ],
    run: Annotated[
        Path,
        typer.Argument(metavar="RUN", help="Run folder for the noise, to be used by `apply` and `export`."),
    ],
    images: Annotated[
        str | None, typer.Option("--for", help=f"The images it was made for: {IMAGES}.")
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option("--classes", help="Class names in the order of the rows, separated by commas."),
    ] = None,
    form: Annotated[str, typer.Option("--form", help="auto, samplewise or classwise.")] = "auto",
    unit: Annotated[
        str, typer.Option("--unit", help="levels (1 is 1/255), unit (1 is the whole range) or auto.")
    ] = "auto",
    epsilon: Annotated[
        int | None,
        typer.Option(
            "--epsilon", help="Budget in levels of 1/255; by default the smallest that the noise fits into."
        ),
    ] = None,
    array: Annotated[
        str | None, typer.Option("--array", help="Name of the array, if the file has several.")
    ] = None,
    labels: options.Labels = None,
    class_name: options.ClassName = None,
    folders_are_classes: options.FoldersAreClasses = False,
    max_pixels: options.MaxPixels = None,
    data_dir: options.DataDir = None,
    download: options.Download = False,
    time_limit: options.Ends = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Read noise of another project, where each row belongs to a position, and key it by image or class."""
    console = Console(json, quiet)
    with console.errors():
        if form not in ("auto", "samplewise", "classwise") or unit not in ("auto", "levels", "unit"):
            raise UsageError(
                f"--form {form} --unit {unit} is unknown.",
                "Choose auto, samplewise or classwise; auto, levels or unit.",
            )
        from unlearnable.cli.protection import photo_options
        from unlearnable.data.benchmarks import BenchmarkSource
        from unlearnable.exchange import import_noise
        from unlearnable.methods import Fitted
        from unlearnable.runs import RunFolder
        from unlearnable.version import __version__

        if (run / "run.json").exists():
            raise UsageError(f"{run} holds a run already.", "Name a new folder for RUN.")
        deadline = options.deadline(time_limit)
        reading = photo_options(labels, class_name, folders_are_classes, max_pixels)
        made_for = _open(images, reading, data_dir, download)
        names = [name.strip() for name in classes.split(",")] if classes else ()
        with console.progress(deadline) as on_progress:
            noise = import_noise(
                file,
                made_for,
                classes=names,
                epsilon=epsilon,
                array=array,
                form=form,  # type: ignore[arg-type]  # checked above
                unit=unit,  # type: ignore[arg-type]  # checked above
                on_progress=on_progress,
            )
        sources = (
            dict(made_for.source.files) if made_for and isinstance(made_for.source, BenchmarkSource) else {}
        )
        with RunFolder(run).open() as opened:
            Fitted(noise, {}, (), (), "imported").save(opened.path)
            opened.update(
                method="imported",
                settings={},
                made_for=images,
                sources=sources,
                provenance=dict(noise.provenance),
                version=__version__,
                status="imported",
            )
        record = {
            "run": str(run),
            "form": noise.form,
            "patterns": len(noise.keys),
            "shape": list(noise.bank.shape[1:]),
            "epsilon": noise.budget.epsilon,
            **noise.provenance,
        }
        size = f"{noise.bank.shape[3]} x {noise.bank.shape[2]} px"
        levels = noise.provenance["unit"] == "levels"
        lines = [
            f"{len(noise.keys)} {noise.form} patterns of {size}, budget {noise.budget}",
            f"Read in {'levels of 1/255' if levels else 'shares of the whole range'}.",
            f"Rounded by at most {noise.provenance['largest_rounding']:.2g} levels.",
            f"Keep private: {run}",
        ]
        console.result(record, "\n".join(lines))


def export(
    images: Annotated[str, typer.Argument(metavar="IMAGES", help=f"The clean images: {IMAGES}.")],
    noise: Annotated[Path, typer.Argument(metavar="NOISE", help="A run folder, or a noise file.")],
    target: Annotated[
        Path, typer.Argument(metavar="TARGET", help="File or folder to write; must not exist.")
    ],
    layout: Annotated[
        str, typer.Option("--format", help="npz (images of one size) or imagefolder (PNG files).")
    ] = "npz",
    labels: options.Labels = None,
    class_name: options.ClassName = None,
    folders_are_classes: options.FoldersAreClasses = False,
    max_pixels: options.MaxPixels = None,
    data_dir: options.DataDir = None,
    download: options.Download = False,
    time_limit: options.Ends = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Write a protected set for other tools, as one npz file or as a folder of images."""
    console = Console(json, quiet)
    with console.errors():
        from unlearnable.cli.listing import list_skipped, sum_up_others
        from unlearnable.cli.protection import photo_options
        from unlearnable.exchange import export_set
        from unlearnable.noise import Noise

        file = noise / "noise.safetensors" if noise.is_dir() else noise
        if not file.is_file():
            raise UsageError(
                f"There is no noise at {file}.",
                "Give a run folder of `protect`, `fit` or `import`, or a noise file.",
            )
        deadline = options.deadline(time_limit)
        reading = photo_options(labels, class_name, folders_are_classes, max_pixels)
        opened = _open(images, reading, data_dir, download)
        found = Noise.load(file)
        with console.progress(deadline) as on_progress:
            clean = opened.readable(on_progress)
            # export_set checks the layout
            done = export_set(clean, found, target, layout, on_progress)  # type: ignore[arg-type]
        record = {
            "target": str(target),
            "format": layout,
            "written": done.written,
            "largest_change": done.largest,
        }
        console.result(
            {**record, "skipped": dict(done.skipped), "others": dict(clean.others)},
            f"{done.written} protected images written.\n"
            f"No pixel changed by more than {done.largest}/255.\n"
            f"Publish: {target}",
        )
        sum_up_others(console, clean.others)
        list_skipped(console, done.skipped)


@overload
def _open(images: str, reading: PhotoOptions, data_dir: Path | None, download: bool) -> ImageSet: ...
@overload
def _open(
    images: str | None, reading: PhotoOptions, data_dir: Path | None, download: bool
) -> ImageSet | None: ...
def _open(
    images: str | None, reading: PhotoOptions, data_dir: Path | None, download: bool
) -> ImageSet | None:
    """Return the images of a folder, or those that a name stands for; None without a name.

    Raises:
        UsageError: If an option would be ignored, because it is for a folder or for a benchmark only.
    """
    from unlearnable.data import load
    from unlearnable.data.benchmark_table import BENCHMARKS
    from unlearnable.opening import PhotoOptions

    is_benchmark = images is not None and (images == "digits" or images.partition(":")[0] in BENCHMARKS)
    if reading != PhotoOptions() and (images is None or is_benchmark):
        raise UsageError(
            "--labels, --class, --folders-are-classes and --max-pixels are for a folder of photos.",
            "Leave them out, or give a folder.",
        )
    if (data_dir is not None or download) and not is_benchmark:
        raise UsageError("--data-dir and --download are for a benchmark.", "Leave them out, or name one.")
    if images is None:
        return None
    if reading != PhotoOptions():
        return reading.folder(images)
    return load(images, data_dir=data_dir, download=download)
