"""Matching of photos and their protected images."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from unlearnable.data.image_set import ImageSet
from unlearnable.data.source import renamed
from unlearnable.errors import DataError
from unlearnable.runs import RunFolder


@dataclass(frozen=True)
class Matching:
    """Pairs of a photo and its protected image.

    Args:
        partner: Id of the protected image by the photo's id, sorted.
        left_out: Reason for each id, on either side, that is in no pair.
        digests: SHA-256 of each photo when it was protected, if known.
    """

    partner: Mapping[str, str]
    left_out: Mapping[str, str]
    digests: Mapping[str, str] = field(default_factory=dict)


def match(
    clean: ImageSet, protected: ImageSet, run: Path | None = None, folder: Path | None = None
) -> Matching:
    """Return the pairs of photos and protected images.

    Pairs come from the list of files in the run folder, if there is one. Otherwise images pair by id if both
    sides have the same ids, or else by path without the extension. Files whose paths differ only in the
    extension are ambiguous and are left out.

    Args:
        clean: The photos.
        protected: The protected images.
        run: The run folder of ``protect``, or None.
        folder: The folder of the protected images, because a run may have published several; None if unknown.

    Raises:
        DataError: If there is no pair.
    """
    files = {} if run is None else RunFolder(run).files(folder)
    # published files may have other names than their photos, and only this list has all of them
    if files:
        pairs = _listed(clean, protected, files)
    elif set(clean.ids) == set(protected.ids):
        pairs = Matching({id: id for id in clean.ids}, {})
    else:
        pairs = _by_path(clean.ids, protected.ids)
    if not pairs.partner:
        reasons = "; ".join(f"{id}: {reason}" for id, reason in list(pairs.left_out.items())[:3])
        raise DataError(
            f"No protected image belongs to any of the photos ({reasons}).",
            "Give the folder of photos that the protected images were made from.",
        )
    return pairs


def _listed(clean: ImageSet, protected: ImageSet, files: Mapping[str, Mapping[str, Any]]) -> Matching:
    clean_ids, protected_ids = set(clean.ids), set(protected.ids)
    partner: dict[str, str] = {}
    digests: dict[str, str] = {}
    left_out: dict[str, str] = {}
    for id, entry in sorted(files.items()):
        output, digest = entry.get("output"), entry.get("digest")
        if not output:
            left_out[id] = "was skipped when the others were protected"
        elif id not in clean_ids:
            left_out[id] = "is in the list, but no longer among the photos"
        elif output not in protected_ids:
            left_out[id] = f"its protected file {output} is missing"
        else:
            partner[id] = output
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
    photos, files = _by_stem(clean), _by_stem(protected)
    partner: dict[str, str] = {}
    left_out: dict[str, str] = {}
    for stem in sorted({*photos, *files}):
        ours, theirs = photos.get(stem, []), files.get(stem, [])
        if len(ours) == 1 and len(theirs) == 1:
            partner[ours[0]] = theirs[0]
        elif len(ours) > 1 or len(theirs) > 1:
            names = " and ".join(dict.fromkeys(ours + theirs))
            reason = f"ambiguous: {names} differ only in their extension"
            left_out |= dict.fromkeys(ours + theirs, reason)
        else:
            left_out |= dict.fromkeys(ours, "has no protected image") | dict.fromkeys(theirs, "has no photo")
    return Matching(dict(sorted(partner.items())), left_out)


def _by_stem(ids: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for id in ids:
        found.setdefault(unicodedata.normalize("NFC", str(PurePosixPath(id).with_suffix(""))), []).append(id)
    return found


def aligned(clean: ImageSet, protected: ImageSet, matching: Matching) -> tuple[ImageSet, ImageSet]:
    """Return both sides of the pairs, the protected images under the ids and classes of their photos."""
    photos = clean.subset(matching.partner)
    source = renamed(protected.source, matching.partner.__getitem__)
    return photos, replace(photos, source=source, skipped={}, facts={}, squares=None)
