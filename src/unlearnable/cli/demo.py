"""``unlearnable demo``: noise, trainings and report on scikit-learn's digits."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from unlearnable.cli import options
from unlearnable.cli.console import Console


def demo(
    photos: Annotated[
        Path | None,
        typer.Option("--photos", help="Only write the digits as PNG files, one folder per class."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for the report.")] = Path("unlearnable-demo"),
    ink: Annotated[
        int,
        typer.Option(
            "--ink",
            help="Levels between paper and ink; noise of 8 levels does not hide strong ink.",
            min=1,
            max=255,
        ),
    ] = 32,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Protect scikit-learn's digits and measure what networks learn from them; 2 to 3 minutes on a CPU."""
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
        from unlearnable import duration
        from unlearnable.report import save, table
        from unlearnable.training.compute import Compute

        compute = Compute.choose(device, precision)
        console.remark(
            f"Digits, clean and protected; {compute.device}, {compute.precision}; "
            "about 2 to 3 min on two cores of a CPU."
        )
        with console.progress() as on_progress:
            command = shlex.join(["unlearnable", *sys.argv[1:]])
            record = story.demo(seed or 0, compute, on_progress, command, ink)
        report = save(record, out).resolve()
        lines = [
            table(record),
            "",
            f"Took {duration.words(record.seconds)}. An illustration, not a benchmark.",
            f"Report: {report}",
        ]
        console.result(
            {**record.model_dump(mode="json", exclude={"pictures"}), "report": str(report)}, "\n".join(lines)
        )
