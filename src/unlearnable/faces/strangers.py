"""People whom no network has trained on, as pairs of aligned photos, for verification of strangers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from unlearnable import hashing
from unlearnable.data.image_set import ImageSet
from unlearnable.errors import DataError
from unlearnable.events import OnProgress, silent
from unlearnable.faces.crops import crops
from unlearnable.faces.face_list import places_of
from unlearnable.faces.finding import FaceOptions, find
from unlearnable.faces.pairs_file import Listed, photos_of
from unlearnable.faces.same_person import PhotoPairs, all_pairs

# without a file of pairs: people, and photos of each
PEOPLE, PHOTOS = 200, 10
# with fewer people, figures on strangers are those of chance
FEWEST = 5
REMEDY = "Give --strangers FOLDER other people, one sub-folder each, with two photos and more of each."


@dataclass(frozen=True, eq=False)
class Strangers:
    """Pairs of photos of people whom no network has trained on.

    Args:
        crops: The aligned faces; pairs are positions in them.
        pairs: The pairs.
        left_out: Reason for each person who is left out, and for each photo without a face.
        missing: Number of pairs of a file that cannot be used.
    """

    crops: ImageSet
    pairs: PhotoPairs
    left_out: Mapping[str, str]
    missing: int = 0

    @property
    def people(self) -> int:
        """Number of people in the pairs."""
        shown = np.concatenate([self.pairs.first, self.pairs.second])
        return len(np.unique(self.crops.labels[shown]))


def open_strangers(
    photos: ImageSet,
    options: FaceOptions,
    known: Mapping[str, Collection[str]],
    listed: Sequence[Listed] | None = None,
    on_progress: OnProgress = silent,
) -> Strangers:
    """Find and align the faces of strangers, and pair their photos.

    Without listed pairs, the pairs are all pairs of up to 10 photos of each of up to 200 people who have at
    least two. Everybody is left out who has the name or a photo of a person that networks train on.

    Args:
        photos: Photos of strangers, one class per person.
        options: How faces are found; the most central one is the person's.
        known: The people that networks train on, with the content hashes of their photos.
        listed: Pairs of a file; see ``pairs_file.read``.
        on_progress: Called with an event for every photo.

    Raises:
        DataError: If too few people or pairs are left.
    """
    left_out = dict.fromkeys(set(photos.classes) & set(known), "the name of a person trained on")
    named = photos_of(listed or (), photos)
    wanted = _some(photos, left_out) if listed is None else set(named.values())
    wanted -= {id for id in wanted if photos.class_of[id] in left_out}
    if not wanted:
        raise DataError("There is no stranger with two photos, or none in the file of pairs.", REMEDY)
    found, records = find(
        photos.subset(wanted), replace(options, who="central", no_face="skip"), on_progress=on_progress
    )
    digests = {digest for own in known.values() for digest in own}
    left_out |= {
        photos.class_of[id]: "a photo of a person trained on"
        for id, record in records.items()
        if record.digest in digests
    }
    ids = [id for id in found.ids if found.class_of[id] not in left_out]
    left_out |= {id: found.skipped[id] for id in wanted & found.skipped.keys()}
    people = [found.class_of[id] for id in ids]
    pairs = all_pairs(people) if listed is None else _listed(listed, named, ids)
    aligned = found.subset(ids)
    _require(aligned, pairs)
    missing = 0 if listed is None else len(listed) - len(pairs.same)
    return Strangers(crops(aligned, places_of(records)), pairs, left_out, missing)


def _some(photos: ImageSet, left_out: Collection[str]) -> set[str]:
    """Return the photos of some people who have at least two."""
    counts = Counter(photos.class_of[id] for id in photos.ids)
    people = [name for name in photos.classes if counts[name] >= 2 and name not in left_out]
    # by a hash, so that they are not all at the beginning of the alphabet
    chosen = set(sorted(people, key=lambda name: hashing.draw(0, "strangers", name))[:PEOPLE])
    seen, ids = Counter[str](), set()
    for id in photos.ids:
        name = photos.class_of[id]
        seen[name] += 1
        if name in chosen and seen[name] <= PHOTOS:
            ids.add(id)
    return ids


def _listed(pairs: Sequence[Listed], named: Mapping[tuple[str, int], str], ids: list[str]) -> PhotoPairs:
    """Return the pairs of a file whose photos are both there."""
    row = {id: index for index, id in enumerate(ids)}
    rows = [
        (row[named[pair.first]], row[named[pair.second]], pair.same, pair.fold)
        for pair in pairs
        if named.get(pair.first) in row and named.get(pair.second) in row
    ]
    table = np.array(rows, dtype=np.int64).reshape(-1, 4)
    found = PhotoPairs(table[:, 0], table[:, 1], table[:, 2].astype(bool), table[:, 3])
    if any(len(np.unique(found.same[found.fold == fold])) < 2 for fold in {pair.fold for pair in pairs}):
        raise DataError(
            f"{len(rows)} of {len(pairs)} pairs are left, and a fold has none of one person or none of two.",
            "Give --strangers the folder that the file of pairs belongs to.",
        )
    return found


def _require(images: ImageSet, pairs: PhotoPairs) -> None:
    twice = len(np.unique(images.labels[pairs.first[pairs.same]]))
    if twice < FEWEST or pairs.same.all():
        raise DataError(f"Only {twice} strangers have two photos with a face; {FEWEST} are needed.", REMEDY)
