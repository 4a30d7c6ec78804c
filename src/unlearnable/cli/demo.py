"""``unlearnable demo``: noise, trainings and report on squares of photographs that come with dependencies."""

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
        typer.Option("--photos", help="Only write the demo's photos as PNG files, one folder per class."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for the report.")] = Path("unlearnable-demo"),
    seed: options.Seed = 0,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Protect squares of ten photographs and measure what networks learn from them; minutes on a CPU."""
    console = Console(json, quiet)
    with console.errors():
        if photos is not None:
            from unlearnable.data.demo_photos import write_demo_photos

            count = write_demo_photos(photos)
            console.result(
                {"photos": str(photos), "written": count},
                f"{count} photos written, one folder per class: {photos}",
            )
            return
        from unlearnable import demo as story
        from unlearnable import duration
        from unlearnable.report import save, table
        from unlearnable.training.compute import Compute

        compute = Compute.choose(device, precision)
        prepared = story.prepare(seed or 0, compute)
        console.remark(
            f"{len(prepared.train)} photos in {len(prepared.train.classes)} classes, clean and protected; "
            f"{compute.device}, {compute.precision}; about {duration.words(prepared.estimate())}"
        )
        with console.progress() as on_progress:
            record = prepared.run(on_progress, shlex.join(["unlearnable", *sys.argv[1:]]))
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
