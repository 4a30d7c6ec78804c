"""``unlearnable import`` and ``unlearnable export``: noise of other projects in, protected sets out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unlearnable.cli.console import Console, Json
from unlearnable.errors import UsageError

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Folder of a benchmark's files; by default ~/.cache/unlearnable."),
]
Download = Annotated[
    bool, typer.Option("--download", help="Fetch the files of a benchmark if they are not there.")
]
IMAGES = "a folder with one sub-folder per class, digits, or a benchmark: cifar10, cifar100, svhn, fashion-mnist (:test)"


def import_(
    file: Annotated[Path, typer.Argument(help="Noise of another project: .npy, .npz or .pt.")],
    run: Annotated[Path, typer.Argument(help="Run folder to keep it in, for `apply` and `export`.")],
    images: Annotated[
        str | None, typer.Option("--for", help=f"The images it was made for: {IMAGES}.")
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option("--classes", help="Class names in the order of the rows, with commas between."),
    ] = None,
    form: Annotated[str, typer.Option("--form", help="auto, samplewise or classwise.")] = "auto",
    unit: Annotated[
        str, typer.Option("--unit", help="levels (1 is 1/255), unit (1 is the whole range) or auto.")
    ] = "auto",
    epsilon: Annotated[
        int | None,
        typer.Option("--epsilon", help="Budget in levels of 1/255; by default the smallest that holds it."),
    ] = None,
    array: Annotated[
        str | None, typer.Option("--array", help="Which array, if the file has several.")
    ] = None,
    data_dir: DataDir = None,
    download: Download = False,
    json: Json = False,
) -> None:
    """Turn noise of another project, indexed by position, into noise keyed by image or by class."""
    console = Console(json)
    with console.errors():
        if form not in ("auto", "samplewise", "classwise") or unit not in ("auto", "levels", "unit"):
            raise UsageError(
                f"--form {form} --unit {unit} is unknown.",
                "Choose auto, samplewise or classwise; auto, levels or unit.",
            )
        from unlearnable.data import load
        from unlearnable.data.benchmarks import BenchmarkSource
        from unlearnable.exchange import import_noise
        from unlearnable.methods import Fitted
        from unlearnable.runs import RunFolder
        from unlearnable.version import __version__

        if (run / "run.json").exists():
            raise UsageError(f"{run} holds a run already.", "Name a new folder.")
        made_for = None if images is None else load(images, data_dir=data_dir, download=download)
        names = [name.strip() for name in classes.split(",")] if classes else ()
        noise = import_noise(
            file,
            made_for,
            classes=names,
            epsilon=epsilon,
            array=array,
            form=form,  # type: ignore[arg-type]  # checked above
            unit=unit,  # type: ignore[arg-type]  # checked above
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
        console.result(
            record,
            f"{len(noise.keys)} {noise.form} patterns of {noise.bank.shape[3]} x {noise.bank.shape[2]} px, budget {noise.budget}; "
            f"read in {'levels of 1/255' if noise.provenance['unit'] == 'levels' else 'shares of the whole range'}, "
            f"rounded by at most {noise.provenance['largest_rounding']:.2g} levels.\nKeep private: {run}",
        )


def export(
    images: Annotated[str, typer.Argument(help=f"The clean images: {IMAGES}.")],
    noise: Annotated[Path, typer.Argument(help="A run folder, or a noise file.")],
    target: Annotated[Path, typer.Argument(help="File or folder to write; must not exist.")],
    layout: Annotated[
        str, typer.Option("--format", help="npz (images of one size) or imagefolder (PNG files).")
    ] = "npz",
    data_dir: DataDir = None,
    download: Download = False,
    json: Json = False,
) -> None:
    """Write a protected set for other tools, as one npz file or as a folder of images."""
    console = Console(json)
    with console.errors():
        from unlearnable.cli.work import list_skipped
        from unlearnable.data import load
        from unlearnable.exchange import export_set
        from unlearnable.noise import Noise

        place = noise / "noise.safetensors" if noise.is_dir() else noise
        if not place.is_file():
            raise UsageError(
                f"There is no noise at {place}.",
                "Give a run folder of `protect`, `fit` or `import`, or a noise file.",
            )
        clean = load(images, data_dir=data_dir, download=download).readable()
        found = Noise.load(place)
        done = export_set(clean, found, target, layout)  # type: ignore[arg-type]  # checked there
        record = {
            "target": str(target),
            "format": layout,
            "written": done.written,
            "largest_change": done.largest,
        }
        console.result(
            {**record, "skipped": dict(done.skipped)},
            f"{done.written} protected images written; no pixel moved by more than {done.largest}/255.\nPublish: {target}",
        )
        list_skipped(done.skipped)
