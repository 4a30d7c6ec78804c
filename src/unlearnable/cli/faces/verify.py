"""``unlearnable faces verify PHOTOS PROTECTED``: faces found afresh, and networks that tell people apart."""

from __future__ import annotations

from dataclasses import replace

from unlearnable.cli import options
from unlearnable.cli.console import Console
from unlearnable.cli.faces import measures
from unlearnable.cli.faces import options as shared
from unlearnable.errors import DataError, UsageError


def verify(
    photos: shared.People,
    protected: measures.Published,
    class_name: shared.Person = None,
    max_pixels: options.MaxPixels = None,
    context: shared.Others = None,
    detector: shared.DetectorName = "retinaface",
    who: shared.WhoOption = "central",
    seeds: measures.Seeds = 3,
    require: measures.Require = None,
    target: measures.Targets = None,
    countermeasure: measures.Countermeasures = None,
    recogniser: measures.Recognisers = None,
    fine_tune: measures.FineTune = False,
    cosface: measures.CosFace = False,
    strangers: measures.Strangers = None,
    pairs_file: measures.PairsFile = None,
    time_limit: measures.TimeLimit = "15m",
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
        from unlearnable.cli.faces import recognition
        from unlearnable.evaluation.comparison import ignored
        from unlearnable.evaluation.gathering import open_images
        from unlearnable.evaluation.schedule import check
        from unlearnable.evaluation.verdict import Goal
        from unlearnable.evaluation.verification import prepare
        from unlearnable.faces import pairs_file as pairs_of
        from unlearnable.faces.afresh import pairs
        from unlearnable.faces.existing import names_of, try_recognisers
        from unlearnable.faces.recogniser import Recogniser
        from unlearnable.faces.strangers import open_strangers
        from unlearnable.faces.telling_apart import Examiner
        from unlearnable.report import people as pages
        from unlearnable.runs import RunFolder, find_run, keep_apart
        from unlearnable.training.compute import Compute

        # everything that can be refused is refused before a face is looked for
        limit = duration.parse(time_limit)
        check(target or (), countermeasure or (), limit)
        networks = [Recogniser.parse(text) for text in recogniser or ()]
        _require("--fine-tune", fine_tune, "--recogniser FILE.onnx", networks)
        _require("--pairs", pairs_file, "--strangers FOLDER", strangers)
        names_of(networks)
        for network in networks:
            network.check()
            if fine_tune:
                network.network()
        goal = None if require is None else Goal.parse(require)
        folder = run or find_run(photos, protected)
        keep_apart(photos, protected, folder)
        reading = protection.photo_options(None, class_name, False, max_pixels)
        compute = Compute.choose(device, precision)
        people = reading.folder(photos)
        unknown = None if strangers is None else open_images(strangers)
        listed = None if pairs_file is None else pairs_of.read(pairs_file)
        if len(people.classes) < 2 and context is None:
            raise DataError(
                "The photos show one person, so a network has nobody to tell the person apart from.",
                "Give photos of other people with --context FOLDER, one sub-folder for each.",
            )
        given, examiner = shared.chosen(detector, who), None
        own = range(seed or 0, (seed or 0) + seeds)
        with console.progress() as on_progress:
            found = pairs(people, protected, given, folder, context=context, on_progress=on_progress)
            prepared = prepare(
                found.clean,
                found.protected,
                context=found.context,
                seeds=own,
                targets=target or (),
                countermeasures=countermeasure,
                cosface=cosface,
                time_limit=limit,
                compute=compute,
                on_progress=on_progress,
            )
            if unknown is not None:
                others = open_strangers(unknown, given, found.known, listed, on_progress)
                examiner = Examiner(others, prepared.pairs.settings.side, compute)
        with RunFolder(folder).open():
            pass
        if not console.quiet:
            console.listing("Not measured", found.left_out)
        with console.progress() as on_progress:
            weights = str(RunFolder(folder).read().get("settings", {}).get("weights", ""))
            tried = try_recognisers(found, networks, own, fine_tune, weights, compute, on_progress)
        verification.announce(console, prepared)
        with console.progress() as on_progress:
            measured = prepared.measure(on_progress, examiner or ignored)
        # the crops of the two folders differ by more than the noise, because each is aligned by itself
        measured = replace(measured, visibility=found.visibility)
        told = recognition.Told(found, measured, tried, examiner)
        verification.report(
            console,
            prepared,
            measured,
            photos,
            protected,
            folder,
            goal,
            told.entries,
            "".join(f"{line}\n" for line in told.lines) + "\n",
            told.record,
            lambda folder: pages.save(folder, found, measured, tried.frozen),
        )


def _require(option: str, given: object, needed: str, there: object) -> None:
    if given and not there:
        raise UsageError(f"{option} needs {needed}.", f"Add {needed}, or leave {option} out.")
