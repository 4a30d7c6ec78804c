"""A private page for each person: the photos before and after, the faces, and the answers of recognisers.

Pages link to the photos where they lie and copy none. Photos that a browser cannot open are embedded small.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np
from PIL import Image

from unlearnable.data.image_set import ImageSet
from unlearnable.errors import DataError
from unlearnable.evaluation.result import Verification
from unlearnable.faces.afresh import Pairs
from unlearnable.faces.crops import crop_id
from unlearnable.faces.face import Face
from unlearnable.faces.galleries import Recognised
from unlearnable.files import write
from unlearnable.report.html import environment
from unlearnable.report.parts import Model, PersonLink
from unlearnable.report.pictures import encoded
from unlearnable.report.text import percent

FOLDER = "people"
# kinds of files that every browser opens
SHOWN = frozenset((".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".avif"))
# pixels of the longer side of a picture that is embedded
SIDE = 640


class View(Model):
    """A picture: its address, its size in pixels, and boxes of faces (left, top, width, height)."""

    source: str
    width: int
    height: int
    boxes: list[tuple[float, float, float, float]]


class Row(Model):
    """A way of recognising people, with a figure or an answer for clean and for protected photos."""

    name: str
    clean: str
    protected: str


class Shot(Model):
    """A photo before and after, with the answers of recognisers; ``after`` is None if it cannot be read."""

    id: str
    before: View
    after: View | None
    note: str
    answers: list[Row]


class Person(Model):
    """The photos of one person, and how often each way of recognising people names the person."""

    name: str
    ways: list[Row]
    shots: list[Shot]


def page(person: Person) -> str:
    """Return the HTML page of a person."""
    text: str = environment().get_template("person.html").render(person=person)
    return text


def save(
    folder: Path, found: Pairs, measured: Verification, frozen: Mapping[str, Sequence[Recognised]]
) -> list[PersonLink]:
    """Write a page for each person into ``people`` in the run folder; pages of an earlier call are removed.

    Args:
        folder: The run folder, which the caller holds open.
        found: The photos and their faces.
        measured: The networks that trained from scratch.
        frozen: The rules of each frozen recogniser, by name.

    Returns:
        The people in the order of their classes, with links relative to the run folder.
    """
    pages = folder / FOLDER
    for old in pages.glob("*.html"):
        old.unlink()
    links = []
    for number, name in enumerate(found.clean.classes):
        person = Person(
            name=name,
            ways=_ways(name, found.clean, measured, frozen),
            shots=[_shot(id, found, frozen, pages) for id, seen in found.seen.items() if seen.person == name],
        )
        # not the name, which may be no name of a file
        file = f"{number + 1:03d}.html"
        write(pages / file, page(person).encode())
        links.append(PersonLink(name=name, page=f"{FOLDER}/{file}"))
    return links


def _ways(
    name: str, crops: ImageSet, measured: Verification, frozen: Mapping[str, Sequence[Recognised]]
) -> list[Row]:
    rows, label = [], crops.classes.index(name)
    for comparison, arm in measured.as_published:
        recalls = (one.recall[measured.classes.index(name)] for one in (comparison.arms[0], arm))
        clean, protected = ("not tested" if np.isnan(recall) else percent(recall) for recall in recalls)
        rows.append(Row(name=f"{comparison.trial.name}, from scratch", clean=clean, protected=protected))
    own = crops.labels == label
    for recogniser, rules in frozen.items():
        for one in rules:
            answers = (one.clean_answers, one.protected_answers)
            clean, protected = (percent(float((given[own] == label).mean())) for given in answers)
            rows.append(Row(name=f"{recogniser}, {one.rule}", clean=clean, protected=protected))
    return rows


def _shot(id: str, found: Pairs, frozen: Mapping[str, Sequence[Recognised]], pages: Path) -> Shot:
    seen = found.seen[id]
    after = None
    if seen.copy_size is not None:
        after = _view(found.copies, id, seen.copy_size, seen.after, pages)
    answers, row = [], {crop: number for number, crop in enumerate(found.clean.ids)}
    names = (*found.clean.classes, *(found.context.classes if found.context else ()))
    for number in range(len(seen.before)):
        at = row.get(crop_id(id, number))
        if at is None:
            continue
        face = f", face {number + 1}" if len(seen.before) > 1 else ""
        for recogniser, rules in frozen.items():
            for one in rules:
                clean, protected = (
                    names[given[at]] if given[at] >= 0 else "nobody"
                    for given in (one.clean_answers, one.protected_answers)
                )
                answers.append(Row(name=f"{recogniser}, {one.rule}{face}", clean=clean, protected=protected))
    return Shot(
        id=id,
        before=_view(found.photos, id, seen.size, seen.before, pages),
        after=after,
        note="" if seen.after else "Its face is not found in the published copy.",
        answers=answers,
    )


def _view(images: ImageSet, id: str, size: tuple[int, int], faces: Sequence[Face], pages: Path) -> View:
    # the middle of the first pixel is at 0, its edge half a pixel before
    boxes = [
        (round(left + 0.5, 1), round(top + 0.5, 1), round(width, 1), round(height, 1))
        for left, top, width, height in (face.box for face in faces)
    ]
    return View(source=_source(images, id, pages), width=size[1], height=size[0], boxes=boxes)


def _source(images: ImageSet, id: str, pages: Path) -> str:
    """Return the address of a photo: a relative one, an absolute one, or the picture itself, small."""
    origin = images.source.origin(id)
    if isinstance(origin, Path) and origin.suffix.lower() in SHOWN:
        path = origin.resolve()
        try:
            relative = os.path.relpath(path, pages.resolve())
        # on another drive
        except ValueError:
            return path.as_uri()
        return quote(os.fsencode(relative.replace(os.sep, "/")))
    try:
        picture = Image.fromarray(images.photo(id).rgb())
    except DataError:
        return ""
    picture.thumbnail((SIDE, SIDE))
    return encoded(np.asarray(picture), "JPEG", quality=88)
