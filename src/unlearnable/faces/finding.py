"""Finding and choosing the faces of a set of photos. Photos that have not changed are not looked at again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from unlearnable.data.image_set import ImageSet
from unlearnable.errors import DataError
from unlearnable.events import Event, OnProgress, silent
from unlearnable.faces.choosing import RULES, Who, as_chosen, choose, read_choices
from unlearnable.faces.detector import DEFAULT, Detector, create, detect
from unlearnable.faces.face_list import Record

NoFace = Literal["whole", "skip", "error"]
NO_FACE = "no face was found in it"


@dataclass(frozen=True)
class FaceOptions:
    """How faces are found and chosen.

    Args:
        detector: Name of the detector, or ``NAME=FILE``.
        who: Which faces of a photo are protected: ``central``, ``largest``, ``all``, or a CSV file.
        no_face: What happens to a photo without a face: ``skip`` leaves it out and lists it, ``whole`` gives
            it noise over the whole frame, and ``error`` stops before the search.
    """

    detector: str = DEFAULT
    who: str = "central"
    no_face: NoFace = "skip"

    @property
    def rule(self) -> Who:
        """The rule for photos that the file of choices does not name."""
        return next((rule for rule in RULES if rule == self.who), "central")

    def choices(self) -> Mapping[str, tuple[int, ...]]:
        """Return the choices of the file, or nothing for a rule."""
        return {} if self.who in RULES else read_choices(Path(self.who))


def find(
    images: ImageSet,
    options: FaceOptions,
    known: Mapping[str, Record] | None = None,
    on_progress: OnProgress = silent,
) -> tuple[ImageSet, dict[str, Record]]:
    """Find the faces of photos, and choose those that are protected.

    Args:
        images: The photos.
        options: How faces are found and chosen.
        known: Records of an earlier call. Faces of a photo with the same content are not looked for again.
        on_progress: Called with an event after every photo.

    Returns:
        The photos that can be read and get noise, with a reason in ``skipped`` for the others, and the record
        of every photo that can be read.

    Raises:
        UsageError: If there is no such detector or file of choices.
        DataError: If no photo has a face, or one has none and ``no_face`` is ``error``.
    """
    choices = options.choices()
    detector = create(options.detector)
    records: dict[str, Record] = {}
    skipped = dict(images.skipped)
    for number, id in enumerate(images.ids, 1):
        try:
            record = _record(images, id, detector, (known or {}).get(id), options.rule)
        except DataError as error:
            skipped[id] = error.problem
        else:
            if id in choices:
                record = replace(record, found=as_chosen(record.found, id, choices[id]))
            elif not record.found.chosen and options.no_face == "whole":
                record = replace(record, whole=True)
            records[id] = record
        on_progress(Event("finding faces", number, len(images.ids)))
    _refuse_unknown(choices, images)
    faceless = [id for id, record in records.items() if not record.places]
    missing = [id for id in faceless if id not in choices]
    if missing and options.no_face == "error":
        raise DataError(
            f"No face was found in {missing[0]} ({len(missing)} of {len(images.ids)} photos have none).",
            "Remove it, or give --no-face skip or --no-face whole.",
        )
    skipped |= {id: NO_FACE if id in missing else "none of its faces is to be protected" for id in faceless}
    found = [id for id, record in records.items() if record.places]
    if not found:
        raise DataError(
            f"No face was chosen in any of the {len(images.ids)} photos.",
            "Give photos of people, or another --detector; `unlearnable protect` protects whole photos.",
        )
    return replace(images.subset(found), skipped=skipped), records


def _record(images: ImageSet, id: str, detector: Detector, known: Record | None, rule: Who) -> Record:
    if known is not None and known.detector == detector.revision:
        digest = images.about(id).digest if id in images.facts else images.source.load(id)[1]
        if known.digest == digest:
            return replace(known, found=choose(known.found.faces, known.size, rule), whole=False)
    photo, digest = images.source.load(id)
    faces = detect(photo.rgb(), detector)
    return Record(id, digest, detector.revision, photo.size, choose(faces, photo.size, rule))


def _refuse_unknown(choices: Mapping[str, tuple[int, ...]], images: ImageSet) -> None:
    unknown = sorted(set(choices) - set(images.ids) - set(images.skipped))
    if unknown:
        raise DataError(
            f"--who names {unknown[0]!r}, which is not among the photos.",
            f"Names are paths within PHOTOS, such as {images.ids[0]}.",
        )
