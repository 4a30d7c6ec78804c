"""``unlearnable demo``: the whole story on data that comes with a dependency."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from unlearnable.cli.console import Console, Device, Json, Precision, Quiet, duration


def demo(
    photos: Annotated[
        Path | None, typer.Option("--photos", help="Only write the digits as a class folder of PNG files.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for the report.")] = Path("unlearnable-demo"),
    seed: Annotated[
        int, typer.Option("--seed", help="Of the split, the noise and the trainings.", min=0)
    ] = 0,
    ink: Annotated[
        int,
        typer.Option(
            "--ink",
            help="Levels between paper and ink; noise of 8 levels does not hide strong ink.",
            min=1,
            max=255,
        ),
    ] = 32,
    device: Device = "auto",
    precision: Precision = "auto",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Protect scikit-learn's digits and show that networks learn nothing from them; about two minutes on a CPU."""
    console = Console(json, quiet)
    with console.errors():
        if photos is not None:
            from unlearnable.data.digits import write_digits

            count = write_digits(photos, ink)
            console.result(
                {"photos": str(photos), "written": count},
                f"{count} digits written, one folder per class: {photos}",
            )
            return
        from unlearnable import demo as story
        from unlearnable.report import table
        from unlearnable.training.compute import Compute

        compute = Compute.choose(device, precision)
        console.say(
            f"Digits, clean and protected; {compute.device}, {compute.precision}; about 2 to 3 min on two cores of a CPU."
        )
        with console.progress() as on_progress:
            record = story.demo(seed, compute, on_progress, shlex.join(["unlearnable", *sys.argv[1:]]), ink)
        report = story.save(record, out)
        text = f"{table(record)}\n\nTook {duration(record.seconds)}. An illustration, not a benchmark.\nReport: {report.resolve()}"
        console.result(
            {**record.model_dump(mode="json", exclude={"pictures"}), "report": str(report.resolve())}, text
        )
