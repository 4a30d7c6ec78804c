"""``unlearnable faces find|protect|verify|align``: the faces of people in their photos."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unlearnable.cli import options
from unlearnable.cli.console import Console
from unlearnable.cli.verb import Verb
from unlearnable.errors import UsageError
from unlearnable.words import counted

if TYPE_CHECKING:
    from unlearnable.faces.finding import FaceOptions
    from unlearnable.faces.protection import Faces

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
        "Which face of a photo is the person's: central, largest, all, or a CSV file with photo and face.",
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


def find(
    photos: People,
    class_name: Person = None,
    max_pixels: options.MaxPixels = None,
    detector: DetectorName = "retinaface",
    who: WhoOption = "central",
    sheet: Annotated[
        Path | None,
        options.option(options.FILES, "--sheet", "PNG file for a contact sheet of all photos.", "FILE"),
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Show which faces are found in photos, and which photos a person should look at."""
    console = Console(json, quiet)
    with console.errors():
        from unlearnable.cli import protection
        from unlearnable.faces import contact_sheet
        from unlearnable.faces.finding import find as find_faces

        reading = protection.photo_options(None, class_name, False, max_pixels)
        with console.progress() as on_progress:
            images, records = find_faces(
                reading.folder(photos), _options(detector, who, "skip"), on_progress=on_progress
            )
        if sheet is not None:
            contact_sheet.save(sheet, images, records, list(records))
        doubtful = {id: record.found.doubt for id, record in records.items() if record.found.doubt}
        faces = sum(len(record.found.faces) for record in records.values())
        record = {
            "photos": len(records),
            "faces": faces,
            "doubtful": doubtful,
            "skipped": dict(images.skipped),
            "found": {
                id: [
                    {"number": number + 1, "box": [round(edge, 1) for edge in face.box], "score": face.score}
                    for number, face in enumerate(one.found.faces)
                ]
                for id, one in records.items()
            },
        }
        where = f"\nContact sheet (private): {sheet}" if sheet else ""
        text = f"{counted(faces, 'face')} in {counted(len(records), 'photo')}; {len(doubtful)} to look at."
        console.result(record, f"{text}{where}")
        _look_at(console, doubtful)
        protection.sum_up_others(console, images.others)
        # a photo without a face is listed above, and its reason is no failure of reading
        protection.list_skipped({id: why for id, why in images.skipped.items() if id not in records})


def protect(
    photos: People,
    protected: options.Target,
    class_name: Person = None,
    max_pixels: options.MaxPixels = None,
    context: Others = None,
    detector: DetectorName = "retinaface",
    who: WhoOption = "central",
    no_face: NoFaceOption = "skip",
    form: options.Form = None,
    epsilon: options.Epsilon = None,
    method: options.MethodName = "error_minimizing",
    preset: options.Preset = "auto",
    visibility: options.Visibility = None,
    search: options.Search = None,
    config: options.ConfigFile = None,
    set_: options.Settings = None,
    purpose: options.Purpose = None,
    format: options.ImageFormat = None,
    quality: options.Quality = None,
    max_side: options.MaxSide = None,
    keep_metadata: options.KeepMetadata = False,
    workers: options.Workers = 0,
    run: options.RunFolder = None,
    refit: options.Refit = False,
    plugin: options.Plugin = None,
    time_limit: options.TimeLimit = None,
    seed: options.Seed = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Protect the people in photos: find their faces, find noise for them, and write checked copies."""
    console = Console(json, quiet)
    with console.errors(resumes=True):
        from unlearnable import duration
        from unlearnable.cli import protection
        from unlearnable.data.encoding import Encoding
        from unlearnable.destination import require_usable
        from unlearnable.faces import contact_sheet
        from unlearnable.faces import protection as faces_of
        from unlearnable.preparation import Request
        from unlearnable.runs import RunFolder, find_run, keep_apart
        from unlearnable.training.compute import Compute

        started = time.monotonic()
        deadline = math.inf if time_limit is None else started + duration.parse(time_limit)
        options.load_plugins(plugin)
        folder = run or find_run(photos, protected)
        keep_apart(photos, protected, folder)
        given = options.settings({"form": form, "epsilon": epsilon, "search": search}, set_)
        encoding = Encoding.chosen(purpose, format, quality, max_side, keep_metadata)
        compute = Compute.choose(device, precision)
        request = Request(method, preset, config, given, visibility)
        chosen = _options(detector, who, no_face)
        with RunFolder(folder).open(protection.remarks(console), repair=refit) as opened:
            if not refit:
                opened.require_kind(faces_of.KIND)
            require_usable(protected, opened, encoding, refit)
            with console.progress() as on_progress:
                found = faces_of.open_faces(
                    photos,
                    chosen,
                    opened,
                    context=context,
                    reading=protection.photo_options(None, class_name, False, max_pixels),
                    on_progress=on_progress,
                )
                prepared = faces_of.prepare_faces(
                    found,
                    request,
                    run=None if refit else opened,
                    seed=seed,
                    compute=compute,
                    on_progress=on_progress,
                )
            _say(console, found, chosen)
            if found.doubtful:
                sheet = opened.path / "doubtful.png"
                contact_sheet.save(sheet, found.photos, found.records, list(found.doubtful))
                console.remark(f"Look at {sheet}, and name the right faces with --who FILE.csv.")
            protection.announce(console, prepared)
            with console.progress() as on_progress:
                published = faces_of.protect(
                    found,
                    prepared,
                    photos,
                    protected,
                    opened,
                    encoding=encoding,
                    refit=refit,
                    workers=workers,
                    seed=seed,
                    deadline=deadline,
                    on_progress=on_progress,
                )
        protection.report(console, published, time.monotonic() - started)


def verify(
    photos: People,
    protected: Annotated[Path, typer.Argument(metavar="PROTECTED", help="The published folder.")],
    class_name: Person = None,
    max_pixels: options.MaxPixels = None,
    detector: DetectorName = "retinaface",
    who: WhoOption = "central",
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
        options.option(options.MEASURE, "--time-limit", "Measure what fits into this time.", "TIME"),
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
        from unlearnable.evaluation.verdict import Goal
        from unlearnable.evaluation.verification import prepare
        from unlearnable.faces.afresh import pairs
        from unlearnable.faces.galleries import recognised
        from unlearnable.faces.recogniser import Recogniser
        from unlearnable.runs import RunFolder, find_run, keep_apart
        from unlearnable.training.compute import Compute

        limit = duration.parse(time_limit)
        networks = [Recogniser.parse(text) for text in recogniser or ()]
        goal = None if require is None else Goal.parse(require)
        folder = run or find_run(photos, protected)
        keep_apart(photos, protected, folder)
        reading = protection.photo_options(None, class_name, False, max_pixels)
        compute = Compute.choose(device, precision)
        with console.progress() as on_progress:
            found = pairs(
                reading.folder(photos), protected, _options(detector, who, "skip"), folder, on_progress
            )
            first = seed or 0
            prepared = prepare(
                found.clean,
                found.protected,
                seeds=range(first, first + seeds),
                time_limit=limit,
                compute=compute,
                on_progress=on_progress,
            )
        with RunFolder(folder).open():
            pass
        arrival = found.arrival
        lost = counted(len(arrival.lost), "photo")
        lines = [
            f"{counted(arrival.faces, 'face')}; in {lost}, a trainer's own detection does not find it again.",
            f"Landmarks move by {arrival.shift:.1f} of 112 pixels; the noise in a trainer's crops correlates "
            f"by {arrival.correlation:.2f} with the noise that was added.",
        ]
        existing = {}
        with console.progress() as on_progress:
            for network in networks:
                both = [network.embed(crops, on_progress) for crops in (found.clean, found.protected)]
                name = network.file.stem
                existing[name] = recognised(both[0], both[1], found.clean, range(first, first + seeds))
                lines += [
                    f"{name}, {one.rule}: {one.clean:.1%} of new photos with a gallery of the photos, "
                    f"{one.protected:.1%} with one of the published copies."
                    for one in existing[name]
                ]
        for line in lines:
            console.remark(line)
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
        verification.report(console, prepared, measured, photos, protected, folder, goal, entries)


def align(
    photos: People,
    out: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder for the crops: train and val, by person.")
    ],
    class_name: Person = None,
    max_pixels: options.MaxPixels = None,
    detector: DetectorName = "retinaface",
    who: WhoOption = "central",
    side: Annotated[int, options.option(FACES, "--side", "Side of a crop in pixels.", "N", min=16)] = 112,
    at_least: Annotated[
        int, options.option(FACES, "--at-least", "Leave out people with fewer photos.", "N", min=2)
    ] = 5,
    at_most: Annotated[
        int, options.option(FACES, "--at-most", "Use the first photos of each person; 0 for all.", "N", min=0)
    ] = 0,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Write the aligned crop of every photo's face, a fifth of each person's for testing."""
    console = Console(json, quiet)
    with console.errors():
        from unlearnable.cli import protection
        from unlearnable.faces.aligned_folder import write_aligned

        if who == "all":
            raise UsageError("`faces align` writes one face of each photo.", "Give another --who.")
        reading = protection.photo_options(None, class_name, False, max_pixels)
        with console.progress() as on_progress:
            counts = write_aligned(
                reading.folder(photos),
                out,
                _options(detector, who, "skip"),
                side=side,
                at_least=at_least,
                at_most=at_most,
                on_progress=on_progress,
            )
        console.result(
            {**counts, "folder": str(out)},
            f"{counts['train']} crops to train on, {counts['val']} to test on: {out}",
        )


def _options(detector: str, who: str, no_face: str) -> FaceOptions:
    from unlearnable.faces.finding import FaceOptions

    if no_face not in NO_FACE:
        raise UsageError(f"--no-face is {no_face!r}, which does not exist.", f"Choose {', '.join(NO_FACE)}.")
    return FaceOptions(detector, who, no_face)  # type: ignore[arg-type]


def _say(console: Console, found: Faces, chosen: FaceOptions) -> None:
    protected = sum(len(places) for places in found.places.values())
    console.remark(f"{counted(protected, 'face')} to protect in {counted(len(found.photos), 'photo')}.")
    _look_at(console, found.doubtful)


def _look_at(console: Console, doubtful: dict[str, str]) -> None:
    if doubtful and not console.quiet:
        console.listing("Look at these photos", doubtful)


app = typer.Typer(no_args_is_help=True, help="Protect the faces of people in their photos.")
for verb in (find, protect, verify, align):
    app.command(cls=Verb)(verb)
