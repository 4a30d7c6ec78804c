"""Detection and alignment on the published files, compared with the originals, as a trainer does them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from unlearnable.data.image_set import ImageSet
from unlearnable.errors import DataError
from unlearnable.evaluation.gathering import open_images, open_published
from unlearnable.evaluation.pairing import aligned, match
from unlearnable.evaluation.visibility import Visibility, overall, visibility
from unlearnable.events import OnProgress, silent
from unlearnable.faces.crops import crops
from unlearnable.faces.detector import create, detect, overlap
from unlearnable.faces.face import CROP, Alignment, Face
from unlearnable.faces.face_list import Record, places_of
from unlearnable.faces.finding import FaceOptions, find

# faces that share less than this of their union are not the same one
SAME = 0.3
# pairs on which the correlation is measured
SAMPLED = 64
# photos on which the visibility of the noise is measured
SEEN = 16


@dataclass(frozen=True)
class Arrival:
    """The result of a trainer's own detection on the published photos.

    Args:
        faces: Number of faces that the options choose in the photos.
        lost: Ids of the photos in which it does not find the face again.
        shift: Median distance of the landmarks from where they were, in pixels of a crop of 112.
        correlation: Median correlation of the changes in the trainer's crops with those in crops at the
            places where the noise was added: 1 if the pattern arrives unchanged, at any strength. NaN if
            nothing changed.
    """

    faces: int
    lost: tuple[str, ...]
    shift: float
    correlation: float


@dataclass(frozen=True)
class Seen:
    """The faces of a photo and of its published copy, as a trainer sees them.

    Args:
        person: The person of the photo.
        size: (height, width) of the photo.
        before: The chosen faces, in pixels of the photo.
        copy_size: (height, width) of the copy; None if it cannot be read.
        after: The same faces in pixels of the copy; empty if one of them is lost.
    """

    person: str
    size: tuple[int, int]
    before: tuple[Face, ...]
    copy_size: tuple[int, int] | None = None
    after: tuple[Face, ...] = ()


@dataclass(frozen=True)
class Pairs:
    """Aligned crops of photos and of their published copies, each detected and aligned by itself.

    Args:
        clean: Crops of the photos.
        protected: Crops of the published copies, under the same ids.
        arrival: What arrives of faces and noise.
        context: Crops of other people, or None.
        left_out: Reason for each photo that is in no pair.
        visibility: Visibility of the noise in some of the full photos; None if they cannot be compared.
        photos: The photos in which a face was chosen.
        copies: Their published copies, under the same ids.
        seen: The faces of each of these photos.
        known: The people of photos and context, with the content hashes of their photos.
    """

    clean: ImageSet
    protected: ImageSet
    arrival: Arrival
    context: ImageSet | None
    left_out: Mapping[str, str]
    visibility: Visibility | None
    photos: ImageSet
    copies: ImageSet
    seen: Mapping[str, Seen]
    known: Mapping[str, frozenset[str]]


def pairs(
    photos: str | Path | ImageSet,
    protected: str | Path,
    options: FaceOptions,
    run: Path | None = None,
    *,
    context: str | Path | None = None,
    on_progress: OnProgress = silent,
) -> Pairs:
    """Detect and align the faces of photos and of their published copies.

    The face of a copy is the one that overlaps the face of the photo: a trainer knows whose photo it is.

    Args:
        photos: The photos: a folder with one sub-folder per person, or an ImageSet.
        protected: The published folder.
        options: How faces are found and chosen.
        run: The run folder, whose list says which copy belongs to which photo; None to go by name.
        context: Folder of photos of other people, one sub-folder each; their most central faces are used.
        on_progress: Called with an event for every photo.

    Raises:
        DataError: If no copy belongs to a photo, or no face is found.
    """
    place = Path(protected)
    opened, published = open_images(photos), open_published(protected)
    matching = match(opened, published, run, place)
    if not matching.partner:
        raise DataError(
            "No published file belongs to any of the photos.", "Give the folder that `faces protect` wrote."
        )
    opened, published = aligned(opened, published, matching)
    clean, records = find(opened, replace(options, no_face="skip"), on_progress=on_progress)
    detector = create(options.detector)
    places, again = dict[str, tuple[Alignment, ...]](), dict[str, tuple[Alignment, ...]]()
    lost, shifts, seen = dict[str, str](), list[float](), dict[str, Seen]()
    for id in clean.ids:
        before = [records[id].found.faces[index] for index in records[id].found.chosen]
        seen[id] = Seen(clean.class_of[id], records[id].size, tuple(before))
        try:
            copy = published.photo(id)
            after = detect(copy.rgb(), detector)
        except DataError as error:
            lost[id] = error.problem
            continue
        seen[id] = replace(seen[id], copy_size=copy.size)
        # copies may be smaller than their photos: faces are compared in pixels of the photo
        scale = records[id].size[1] / copy.size[1]
        enlarged = [face.moved(scale) for face in after]
        same = [_same(face, enlarged) for face in before]
        found = [index for index in same if index is not None]
        if len(found) < len(before):
            lost[id] = "its face is not found in the published copy"
            continue
        places[id] = tuple(Alignment.of(face.landmarks) for face in before)
        again[id] = tuple(Alignment.of(after[index].landmarks) for index in found)
        seen[id] = replace(seen[id], after=tuple(after[index] for index in found))
        shifts += [_shift(one, enlarged[index]) for one, index in zip(before, found, strict=True)]
    if not places:
        raise DataError(
            f"No face is found again in the published copies ({len(lost)} photos).", "Try another --detector."
        )
    kept = clean.subset(places)
    copies = published.subset(places)
    arrival = Arrival(
        sum(len(records[id].found.chosen) for id in clean.ids),
        tuple(lost),
        float(np.median(shifts)),
        _correlation(kept, copies, places, again),
    )
    left_out = {**matching.left_out, **{id: clean.skipped[id] for id in clean.skipped}, **lost}
    known, others = _known(clean, records), None
    if context is not None:
        people, there = find(open_images(context), FaceOptions(options.detector), on_progress=on_progress)
        others = crops(people, places_of(there))
        known |= _known(people, there)
    return Pairs(
        crops(kept, places),
        crops(copies, again),
        arrival,
        others,
        left_out,
        _visibility(kept, copies),
        clean,
        published.subset(clean.ids),
        seen,
        known,
    )


def _known(images: ImageSet, records: Mapping[str, Record]) -> dict[str, frozenset[str]]:
    """Return the content hashes of each person's photos."""
    found = {name: set[str]() for name in images.classes}
    for id in images.ids:
        found[images.class_of[id]].add(records[id].digest)
    return {name: frozenset(digests) for name, digests in found.items()}


def _visibility(clean: ImageSet, copies: ImageSet) -> Visibility | None:
    seen = []
    for id in clean.ids[:: max(1, len(clean.ids) // SEEN)][:SEEN]:
        before, after = clean.photo(id), copies.photo(id)
        if before.size == after.size:
            seen.append(visibility(before, after))
    return overall(seen) if seen else None


def _same(face: Face, others: Sequence[Face]) -> int | None:
    """Return the position of the face that overlaps a face most, or None if none is the same."""
    best = max(range(len(others)), key=lambda index: overlap(face, others[index]), default=None)
    return best if best is not None and overlap(face, others[best]) > SAME else None


def _shift(before: Face, after: Face) -> float:
    """Return the mean distance of the landmarks, in pixels of a crop."""
    moved = np.asarray(before.landmarks) - np.asarray(after.landmarks)
    return float(np.hypot(*moved.T).mean() * Alignment.of(before.landmarks).scale * CROP)


def _correlation(
    clean: ImageSet,
    copies: ImageSet,
    places: Mapping[str, tuple[Alignment, ...]],
    again: Mapping[str, tuple[Alignment, ...]],
) -> float:
    """Return the median correlation of the changes in the trainer's crops with those that were meant."""
    found = []
    for id in clean.ids[:: max(1, len(clean.ids) // SAMPLED)][:SAMPLED]:
        photo, copy = clean.photo(id), copies.photo(id)
        # as it was resized before the noise was added
        before, after = photo.resized(copy.size).rgb(), copy.rgb()
        meant_places = (place.resized(photo.size, copy.size) for place in places[id])
        for old, new in zip(meant_places, again[id], strict=True):
            meant, arrived = (
                (place.crop(after, CROP).astype(np.float32) - place.crop(before, CROP)).ravel()
                for place in (old, new)
            )
            size = float(np.linalg.norm(meant) * np.linalg.norm(arrived))
            if size > 0:
                # the noise keeps its place in the crop of the trainer, who does not know where it was added
                found.append(float(meant @ arrived) / size)
    return float(np.median(found)) if found else float("nan")
