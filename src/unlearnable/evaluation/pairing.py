"""Matching of photos and their protected images."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from unlearnable.data.image_set import ImageSet
from unlearnable.data.reading import Squares
from unlearnable.data.source import renamed
from unlearnable.errors import DataError
from unlearnable.evaluation.by_picture import OTHER, SAME, Cells, apart, search
from unlearnable.events import OnProgress, silent
from unlearnable.runs import RunFolder

# side of the squares that pictures are compared by, in pixels
SIDE = 32


@dataclass(frozen=True)
class Matching:
    """Pairs of a photo and its protected image.

    Args:
        partner: Id of the protected image by the photo's id, sorted.
        left_out: Reason for each id, on either side, that is in no pair.
        digests: SHA-256 of each photo when it was protected, if known.
        pictured: Ids of the photos whose protected image was found by its picture.
    """

    partner: Mapping[str, str]
    left_out: Mapping[str, str]
    digests: Mapping[str, str] = field(default_factory=dict)
    pictured: frozenset[str] = frozenset()


def pair(
    photos: ImageSet,
    protected: ImageSet,
    run: Path | None = None,
    on_progress: OnProgress = silent,
    side: int = SIDE,
    folder: Path | None = None,
) -> tuple[ImageSet, ImageSet, Matching]:
    """Pair photos and protected images, by name where possible and else by picture. Reads each image once.

    Args:
        photos: The photos.
        protected: The protected images.
        run: The run folder of ``protect``, or None.
        on_progress: Called after each image.
        side: Side of the squares that are made on the way, in pixels.
        folder: The folder of the protected images, for the run's list of its files; None if unknown.

    Returns:
        The photos and the protected images of all pairs, read, both under the photos' ids and classes, and
        the pairs.

    Raises:
        DataError: If there is no pair, or no image can be read.
    """
    named = match(photos, protected, run, folder)
    alone = len(named.partner) < len(photos) and len(named.partner) < len(protected)
    if not alone:
        # nothing is left to be found by picture
        photos = photos.subset(named.partner)
        protected = protected.subset(set(named.partner.values()))
    given = set(protected.ids)
    photos, protected = (images.readable(on_progress, side) for images in (photos, protected))
    matching = _readable(named, photos, protected, given)
    matching = _by_picture(matching, photos, protected, side)
    if not matching.partner:
        reasons = "; ".join(f"{id}: {reason}" for id, reason in list(matching.left_out.items())[:3])
        raise DataError(
            f"No protected image belongs to any of the photos ({reasons}).",
            "Give the folder of photos that the protected images were made from.",
        )
    return *aligned(photos, protected, matching), matching


def match(
    clean: ImageSet, protected: ImageSet, run: Path | None = None, folder: Path | None = None
) -> Matching:
    """Return the pairs of photos and protected images that their names tell, without reading an image.

    Pairs come from the list of files in the run folder, if there is one. Otherwise images pair by id if both
    sides have the same ids, or else by path without the extension. Files whose paths differ only in the
    extension are ambiguous and are left out. What remains pairs without regard to upper and lower case, and
    then by the file's name alone, because sites and downloads lose folders.

    Args:
        clean: The photos.
        protected: The protected images.
        run: The run folder of ``protect``, or None.
        folder: The folder of the protected images, because a run may have published several; None if unknown.
    """
    files = {} if run is None else RunFolder(run).files(folder)
    # published files may have other names than their photos, and only this list has all of them
    if files:
        pairs = _listed(clean, protected, files)
    elif set(clean.ids) == set(protected.ids):
        pairs = Matching({id: id for id in clean.ids}, {})
    else:
        pairs = _by_path(clean.ids, protected.ids)
    return pairs


def _listed(clean: ImageSet, protected: ImageSet, files: Mapping[str, Mapping[str, Any]]) -> Matching:
    clean_ids, protected_ids = set(clean.ids), set(protected.ids)
    partner: dict[str, str] = {}
    digests: dict[str, str] = {}
    left_out: dict[str, str] = {}
    outputs = {entry["output"] for entry in files.values() if entry.get("output")}
    # a site may have changed the extension
    other = _by_path(outputs - protected_ids, protected_ids - outputs).partner
    for id, entry in sorted(files.items()):
        output, digest = entry.get("output"), entry.get("digest")
        if not output:
            left_out[id] = "was skipped when the others were protected"
        elif id not in clean_ids:
            left_out[id] = "is in the list, but no longer among the photos"
        elif output not in protected_ids and output not in other:
            left_out[id] = f"its protected file {output} is missing"
        else:
            partner[id] = output if output in protected_ids else other[output]
            if digest:
                digests[id] = digest
    left_out |= {
        id: "is not in the list of protected files"
        for id in clean.ids
        if id not in partner and id not in left_out
    }
    listed = set(partner.values())
    left_out |= {
        id: "is not in the list of protected files"
        for id in protected.ids
        if id not in listed and id not in left_out
    }
    return Matching(dict(sorted(partner.items())), left_out, digests)


def _by_path(clean: Iterable[str], protected: Iterable[str]) -> Matching:
    photos, files = set(clean), set(protected)
    partner: dict[str, str] = {}
    reasons: dict[str, str] = {}
    for key in (_stem, _caseless, _bare):
        ours, theirs = _grouped(photos, key), _grouped(files, key)
        for name in sorted(ours.keys() & theirs.keys()):
            if len(ours[name]) == 1 and len(theirs[name]) == 1:
                partner[ours[name][0]] = theirs[name][0]
            elif key is _stem:
                both = ours[name] + theirs[name]
                names = " and ".join(dict.fromkeys(both))
                reasons |= dict.fromkeys(both, f"ambiguous: {names} differ only in their extension")
        photos -= partner.keys() | reasons.keys()
        files -= set(partner.values()) | reasons.keys()
    left_out = dict.fromkeys(sorted(photos), "has no protected image")
    left_out |= dict.fromkeys(sorted(files), "has no photo")
    return Matching(dict(sorted(partner.items())), reasons | left_out)


def _stem(id: str) -> str:
    return unicodedata.normalize("NFC", str(PurePosixPath(id).with_suffix("")))


def _caseless(id: str) -> str:
    return unicodedata.normalize("NFC", _stem(id).casefold())


def _bare(id: str) -> str:
    return _caseless(PurePosixPath(id).name)


def _grouped(ids: Iterable[str], key: Callable[[str], str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for id in sorted(ids):
        found.setdefault(key(id), []).append(id)
    return found


def _readable(named: Matching, photos: ImageSet, protected: ImageSet, given: Collection[str]) -> Matching:
    """Return the pairs of which both images could be read, with the reason for every other image."""
    # what else lies in PROTECTED is no protected image, so it is not missed
    unread = {id: reason for id, reason in protected.skipped.items() if id in given}
    left_out = {**photos.skipped, **named.left_out}
    partner: dict[str, str] = {}
    for id, file in named.partner.items():
        if file in unread:
            left_out[id] = unread.pop(file)
        elif id in photos.facts:
            partner[id] = file
    return replace(named, partner=partner, left_out=left_out | unread)


def _by_picture(named: Matching, photos: ImageSet, protected: ImageSet, side: int) -> Matching:
    """Return the pairs by name, without those that their pictures contradict, and the pairs by picture."""
    ours, theirs = Cells.of(photos, side), Cells.of(protected, side)
    ids = list(named.partner)
    far = dict(zip(ids, apart(ours.rows(ids), theirs.rows([*named.partner.values()])), strict=True))
    partner = {id: file for id, file in named.partner.items() if far[id] <= SAME}
    taken = set(partner.values())
    found = search(
        ours.rows([id for id in ours.ids if id not in partner]),
        theirs.rows([id for id in theirs.ids if id not in taken]),
    )
    partner |= found.partner
    taken |= set(found.partner.values())
    left_out = dict(named.left_out)
    for id, reason in (found.files | found.photos).items():
        # the reason of the name comes first, and none is there if the picture contradicts the name
        left_out[id] = f"{left_out[id]}, and {reason}" if id in left_out else reason
    for id, file in named.partner.items():
        # strong noise may look like another picture, so the name decides where nothing speaks against it
        if id not in partner and file not in taken and far[id] <= OTHER:
            partner[id] = file
            taken.add(file)
        elif id not in partner:
            left_out[id] = f"its protected image by name, {file}, shows another picture"
    pictured = frozenset(id for id, file in found.partner.items() if named.partner.get(id) != file)
    return replace(
        named,
        partner=dict(sorted(partner.items())),
        left_out={
            id: reason
            for id, reason in left_out.items()
            if id not in (partner if id in photos.class_of else taken)
        },
        pictured=pictured,
    )


def aligned(clean: ImageSet, protected: ImageSet, matching: Matching) -> tuple[ImageSet, ImageSet]:
    """Return both sides of the pairs, the protected images under the ids and classes of their photos."""
    photos = clean.subset(matching.partner)
    source = renamed(protected.source, matching.partner.__getitem__)
    files = [matching.partner[id] for id in photos.ids]
    facts = {id: protected.facts[file] for id, file in matching.partner.items() if file in protected.facts}
    squares = protected.squares
    if squares is not None:
        made = squares.of(protected.source, files, squares.side, None)
        squares = None if made is None else Squares(source, photos.ids, made)
    return photos, replace(photos, source=source, skipped={}, facts=facts, squares=squares)
