"""Which protected image belongs to which photo."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from unlearnable.data.image_set import ImageSet
from unlearnable.data.source import renamed
from unlearnable.errors import DataError
from unlearnable.runs import RunFolder

LIST = "files.jsonl"


@dataclass(frozen=True)
class Matching:
    """Which protected image belongs to which photo.

    Args:
        partner: Id among the protected images of every photo's id, sorted by the photo's id.
        left_out: Ids on either side that take no part, with the reason.
        digests: SHA-256 that a photo had when it was protected, where that is known.
    """

    partner: Mapping[str, str]
    left_out: Mapping[str, str]
    digests: Mapping[str, str] = field(default_factory=dict)


def match(clean: ImageSet, protected: ImageSet, run: Path | None = None) -> Matching:
    """Pair photos with protected images.

    The list that ``protect`` left in the run folder decides. Without one: the same id where both sides have
    the same ids, else the same path without its extension; where that fits several files, none of them is
    taken.

    Args:
        clean: The photos.
        protected: The protected images.
        run: The run folder, if there is one.

    Raises:
        DataError: If nothing pairs.
    """
    if run is not None and (run / LIST).is_file():
        pairs = _listed(clean, protected, run)
    elif set(clean.ids) == set(protected.ids):
        pairs = Matching({id: id for id in clean.ids}, {})
    else:
        pairs = _by_path(clean.ids, protected.ids)
    if not pairs.partner:
        why = "; ".join(f"{id}: {reason}" for id, reason in list(pairs.left_out.items())[:3])
        raise DataError(
            f"No protected image belongs to any of the photos ({why}).",
            "Give the folder of photos that it was made from.",
        )
    return pairs


def _listed(clean: ImageSet, protected: ImageSet, run: Path) -> Matching:
    mine, theirs = set(clean.ids), set(protected.ids)
    partner: dict[str, str] = {}
    digests: dict[str, str] = {}
    left_out: dict[str, str] = {}
    for id, entry in sorted(RunFolder(run).files().items()):
        output, digest = entry.get("output"), entry.get("digest")
        if not output:
            left_out[id] = "was skipped when the others were protected"
        elif id not in mine:
            left_out[id] = "is in the list, but no longer among the photos"
        elif output not in theirs:
            left_out[id] = f"its protected file {output} is missing"
        else:
            partner[id] = output
            if digest:
                digests[id] = digest
    left_out |= {
        id: "is not in the list of what was protected"
        for id in clean.ids
        if id not in partner and id not in left_out
    }
    listed = set(partner.values())
    left_out |= {
        id: "is not in the list of what was protected"
        for id in protected.ids
        if id not in listed and id not in left_out
    }
    return Matching(dict(sorted(partner.items())), left_out, digests)


def _by_path(clean: Iterable[str], protected: Iterable[str]) -> Matching:
    sides = (_stems(clean), _stems(protected))
    partner: dict[str, str] = {}
    left_out: dict[str, str] = {}
    for stem in sorted({*sides[0], *sides[1]}):
        mine, theirs = sides[0].get(stem, []), sides[1].get(stem, [])
        if len(mine) == 1 and len(theirs) == 1:
            partner[mine[0]] = theirs[0]
        elif len(mine) > 1 or len(theirs) > 1:
            reason = f"ambiguous: {' and '.join(dict.fromkeys(mine + theirs))} differ in their extension only"
            left_out |= dict.fromkeys(mine + theirs, reason)
        else:
            left_out |= dict.fromkeys(mine, "has no protected image") | dict.fromkeys(theirs, "has no photo")
    return Matching(dict(sorted(partner.items())), left_out)


def _stems(ids: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for id in ids:
        found.setdefault(unicodedata.normalize("NFC", str(PurePosixPath(id).with_suffix(""))), []).append(id)
    return found


def aligned(clean: ImageSet, protected: ImageSet, matching: Matching) -> tuple[ImageSet, ImageSet]:
    """Return both sides with the photos' ids and classes, so that one id means one pair."""
    mine = clean.subset(matching.partner)
    source = renamed(protected.source, matching.partner.__getitem__)
    return mine, replace(mine, source=source, skipped={}, facts={}, squares=None)
