"""``unlearnable faces protect PHOTOS PROTECTED``: noise on the faces of the people in photos."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from unlearnable.cli import options
from unlearnable.cli.console import Console
from unlearnable.cli.faces import options as shared
from unlearnable.words import counted

if TYPE_CHECKING:
    from unlearnable.faces.protection import Faces


def protect(
    photos: shared.People,
    protected: options.Target,
    class_name: shared.Person = None,
    max_pixels: options.MaxPixels = None,
    context: shared.Others = None,
    detector: shared.DetectorName = "retinaface",
    who: shared.WhoOption = "central",
    no_face: shared.NoFaceOption = "skip",
    recogniser: shared.Recognisers = None,
    form: options.Form = None,
    epsilon: options.Epsilon = None,
    method: shared.MethodName = None,
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
        from unlearnable.faces.against import against
        from unlearnable.preparation import DEFAULT_METHOD, Request
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
        request = Request(method or DEFAULT_METHOD, preset, config, given, visibility)
        request = against(recogniser or (), request, chosen=method is not None)
        given_faces = shared.chosen(detector, who, no_face)
        with RunFolder(folder).open(protection.remarks(console), repair=refit) as opened:
            if not refit:
                opened.require_kind(faces_of.KIND)
            require_usable(protected, opened, encoding, refit)
            with console.progress() as on_progress:
                found = faces_of.open_faces(
                    photos,
                    given_faces,
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
            _say(console, found)
            if recogniser and len(found.crops.classes) == 1:
                console.remark(
                    "There is no other person to move the faces towards, so fewer recognisers are misled. "
                    "Photos of others with --context FOLDER help."
                )
            if found.doubtful:
                sheet = opened.path / "doubtful.png"
                contact_sheet.save(sheet, found.photos, found.records, list(found.doubtful))
                console.remark(f"Contact sheet: {sheet}. Name other faces with --who FILE.csv.")
            protection.announce(console, prepared, "face", "person", judge=False)
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


def _say(console: Console, found: Faces) -> None:
    """Print how many faces are protected, and the photos to check by eye."""
    aligned = [[place for place in places if place is not None] for places in found.places.values()]
    whole = sum(not places for places in aligned)
    more = f"; {counted(whole, 'photo')} without a face get noise over the whole photo" if whole else ""
    faces = counted(sum(map(len, aligned)), "face")
    console.remark(f"{faces} to protect in {counted(len(aligned) - whole, 'photo')}{more}.")
    shared.list_doubtful(console, found.doubtful)
