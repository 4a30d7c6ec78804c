"""``unlearnable faces find PHOTOS``: which faces are found, and which photos to check by eye."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from unlearnable.cli import listing, options
from unlearnable.cli.console import Console
from unlearnable.cli.faces import options as shared
from unlearnable.words import counted


def find(
    photos: shared.People,
    class_name: shared.Person = None,
    max_pixels: options.MaxPixels = None,
    detector: shared.DetectorName = "retinaface",
    who: shared.WhoOption = "central",
    sheet: Annotated[
        Path | None,
        options.option(
            options.FILES, "--sheet", "PNG file for a contact sheet of the first 200 photos.", "FILE"
        ),
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Find the faces in photos, and list the photos to check by eye."""
    console = Console(json, quiet)
    with console.errors():
        from unlearnable.cli import protection
        from unlearnable.faces import contact_sheet
        from unlearnable.faces.finding import find as find_faces

        reading = protection.photo_options(None, class_name, False, max_pixels)
        with console.progress() as on_progress:
            images, records = find_faces(
                reading.folder(photos), shared.chosen(detector, who, "skip"), on_progress=on_progress
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
        check = f"; check {counted(len(doubtful), 'photo')} by eye" if doubtful else ""
        text = f"{counted(faces, 'face')} in {counted(len(records), 'photo')}{check}."
        console.result(record, f"{text}{where}")
        shared.list_doubtful(console, doubtful)
        listing.sum_up_others(console, images.others)
        # a photo without a face is listed above, and its reason is no failure of reading
        listing.list_skipped(console, {id: why for id, why in images.skipped.items() if id not in records})
