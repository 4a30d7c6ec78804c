"""``unlearnable faces verify PHOTOS PROTECTED``: faces found afresh, and networks that tell people apart."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unlearnable.cli import options
from unlearnable.cli.console import Console
from unlearnable.cli.faces import options as shared
from unlearnable.errors import DataError
from unlearnable.words import counted

if TYPE_CHECKING:
    from unlearnable.faces.afresh import Arrival


def verify(
    photos: shared.People,
    protected: Annotated[Path, typer.Argument(metavar="PROTECTED", help="The published folder.")],
    class_name: shared.Person = None,
    max_pixels: options.MaxPixels = None,
    context: shared.Others = None,
    detector: shared.DetectorName = "retinaface",
    who: shared.WhoOption = "central",
    seeds: Annotated[
        int,
        options.option(options.MEASURE, "--seeds", "Trainings per network and folder.", "N", min=1),
    ] = 3,
    require: Annotated[
        str | None,
        options.option(
            options.MEASURE,
            "--require",
            "Exit with code 5 unless the goal is met: 25% (retained) or chance+5 (points).",
            "GOAL",
        ),
    ] = None,
    target: Annotated[
        list[str] | None,
        options.option(
            options.MEASURE, "--target", "Network to train, such as cnn:width=16. Repeatable.", "NETWORK"
        ),
    ] = None,
    countermeasure: Annotated[
        list[str] | None,
        options.option(
            options.MEASURE,
            "--countermeasure",
            "Train under countermeasures, such as grey+jpeg:30. Repeatable.",
            "CHAIN",
            show_default="grey, jpeg:30, project, shrink:2",
        ),
    ] = None,
    recogniser: Annotated[
        list[str] | None,
        options.option(
            options.MEASURE,
            "--recogniser",
            "A recogniser that exists already: FILE.onnx, or FILE.onnx,MEAN,SCALE. Repeatable.",
            "FILE",
        ),
    ] = None,
    time_limit: Annotated[
        str,
        options.option(
            options.MEASURE,
            "--time-limit",
            "Train what fits into this time; finding faces comes on top.",
            "TIME",
        ),
    ] = "15m",
    run: options.RunFolder = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Detect and align the faces in both folders afresh, and train networks to tell the people apart."""
    console = Console(json, quiet)
    with console.errors():
        from unlearnable import duration
        from unlearnable.cli import protection, verification
        from unlearnable.evaluation.schedule import check
        from unlearnable.evaluation.verdict import Goal
        from unlearnable.evaluation.verification import prepare
        from unlearnable.faces.afresh import pairs
        from unlearnable.faces.galleries import recognised
        from unlearnable.faces.recogniser import Recogniser
        from unlearnable.runs import RunFolder, find_run, keep_apart
        from unlearnable.training.compute import Compute

        limit = duration.parse(time_limit)
        check(target or (), countermeasure or (), limit)
        networks = [Recogniser.parse(text) for text in recogniser or ()]
        goal = None if require is None else Goal.parse(require)
        folder = run or find_run(photos, protected)
        keep_apart(photos, protected, folder)
        reading = protection.photo_options(None, class_name, False, max_pixels)
        compute = Compute.choose(device, precision)
        people = reading.folder(photos)
        if len(people.classes) < 2 and context is None:
            raise DataError(
                "The photos show one person, so a network has nobody to tell the person apart from.",
                "Give photos of other people with --context FOLDER, one sub-folder for each.",
            )
        with console.progress() as on_progress:
            found = pairs(
                people,
                protected,
                shared.chosen(detector, who),
                folder,
                context=context,
                on_progress=on_progress,
            )
            first = seed or 0
            prepared = prepare(
                found.clean,
                found.protected,
                context=found.context,
                seeds=range(first, first + seeds),
                targets=target or (),
                countermeasures=countermeasure,
                time_limit=limit,
                compute=compute,
                on_progress=on_progress,
            )
        with RunFolder(folder).open():
            pass
        arrival = found.arrival
        lines = _arrival(arrival)
        existing = {}
        with console.progress() as on_progress:
            for network in networks:
                both = [network.embed(crops, on_progress) for crops in (found.clean, found.protected)]
                name = network.file.stem
                existing[name] = recognised(both[0], both[1], found.clean, range(first, first + seeds))
                lines += [
                    f"{name}, {one.rule}: balanced accuracy {one.clean:.1%} with a clean gallery, "
                    f"{one.protected:.1%} with a protected gallery."
                    for one in existing[name]
                ]
        if not console.quiet:
            console.listing("Not measured", found.left_out)
        verification.announce(console, prepared)
        with console.progress() as on_progress:
            # the crops of the two folders differ by more than the noise, because each is aligned by itself
            measured = replace(prepared.measure(on_progress), visibility=found.visibility)
        entries = {
            "faces": arrival.faces,
            "lost": list(arrival.lost),
            "landmark_shift": arrival.shift,
            "noise_correlation": None if math.isnan(arrival.correlation) else arrival.correlation,
            "unpaired": dict(found.left_out),
            "recognisers": {name: [asdict(one) for one in rows] for name, rows in existing.items()},
        }
        text = "".join(f"{line}\n" for line in lines) + "\n"
        verification.report(console, prepared, measured, photos, protected, folder, goal, entries, text)


def _arrival(arrival: Arrival) -> list[str]:
    """Return what detection on the published copies finds, in lines for people."""
    found = f"{counted(arrival.faces, 'face')} in the photos. Detection on the published copies "
    found += f"misses {counted(len(arrival.lost), 'photo')}." if arrival.lost else "finds them all again."
    moved = f"Landmarks move by a median of {arrival.shift:.1f} pixels (crop of 112)."
    if math.isnan(arrival.correlation):
        return [found, f"{moved} The copies equal the photos, so there is no noise to follow."]
    return [
        found,
        f"{moved} In the trainer's crops, the change has a median correlation of {arrival.correlation:.2f} "
        "with the noise that was added.",
    ]
