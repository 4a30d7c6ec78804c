"""The photos whose published file is missing, damaged or out of date, and the reasons to leave others out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from unlearnable import hashing
from unlearnable.data.adding import Publishable
from unlearnable.data.encoding import Encoding
from unlearnable.data.image_set import ImageSet
from unlearnable.data.photo_cache import PhotoCache
from unlearnable.errors import DataError
from unlearnable.file_index import Records
from unlearnable.worker import REVISION, ZERO, without_noise

# photos whose published files are looked at together
TOGETHER = 1000


@dataclass
class Unfinished:
    """What is left to do.

    Args:
        ids: Ids of the photos whose files are to be written, in the order of the photos.
        skipped: Reason for each photo that is not published.
        changed: Ids of photos that changed since they were protected.
        relabelled: Ids of photos whose class is another than when they were protected.
        former: Remark on each photo whose file had another name.
    """

    ids: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    relabelled: list[str] = field(default_factory=list)
    former: dict[str, str] = field(default_factory=dict)


class Recipes:
    """Hashes of everything that a file depends on beside its photo: noise, encoding, version of the steps."""

    def __init__(self, noise: Publishable, encoding: Encoding) -> None:
        self._noise, self._encoding = noise, encoding.record
        self._known: dict[Any, str] = {}
        self._zero: dict[Any, bool] = {}

    def is_zero(self, slot: Any) -> bool:
        """Return whether a slot changes nothing."""
        if slot not in self._zero:
            self._zero[slot] = self._noise.is_zero(slot)
        return self._zero[slot]

    def of(self, slot: Any) -> str:
        """Return the hash for a slot."""
        if slot not in self._known:
            noise = self._noise.slot_hash(slot)
            self._known[slot] = hashing.digest(REVISION, noise, self._noise.budget.epsilon, self._encoding)
        return self._known[slot]


@dataclass(frozen=True)
class Sorting:
    """Sorts photos into finished ones, ones to write and ones to leave out. Decodes none.

    Args:
        images: The photos. The facts of some may be unknown; their worker reads them.
        noise: The noise.
        recipes: The hashes of the noise and the encoding.
        protected: Folder to publish, absolute.
        outputs: Path below it of every photo.
        before: Records of earlier commands.
        cache: Tells which files have not changed since they were read.
    """

    images: ImageSet
    noise: Publishable
    recipes: Recipes
    protected: Path
    outputs: Mapping[str, str]
    before: Records
    cache: PhotoCache

    def unfinished(self, retain: Callable[[str, Mapping[str, Any]], None]) -> Unfinished:
        """Return what is left to do.

        Args:
            retain: Called with the id and the record of every finished file.
        """
        found, rest = Unfinished(), iter(self.images.own)
        while ids := list(islice(rest, TOGETHER)):
            records = {id: record for id in ids if (record := self.before.get(id))}
            digests = self._digests(ids, records)
            good = [id for id in ids if self._gets_noise(id, digests.get(id), records.get(id, {}), found)]
            current = {id for id in good if self._is_current(id, digests.get(id), records.get(id, {}))}
            written = {self.outputs[id]: records[id]["output_digest"] for id in current}
            whole = self.cache.intact(self.protected, written)
            for id in good:
                if id in current and self.outputs[id] in whole:
                    retain(id, records[id])
                    continue
                before = records.get(id, {}).get("output", self.outputs[id])
                if before != self.outputs[id]:
                    found.former[id] = f"was published as {before} before; delete that file if you want"
                found.ids.append(id)
        return found

    def _digests(self, ids: Sequence[str], records: Mapping[str, Any]) -> dict[str, str]:
        """Return the content hashes of the photos that are known or listed. The others are new."""
        found = {id: facts.digest for id in ids if (facts := self.images.facts.get(id))}
        listed = [id for id in ids if id not in found and records.get(id, {}).get("digest")]
        found |= self.cache.digests(self.images.source, listed)
        for id in listed:
            # an image without a file, or a file that cannot be read any more
            if id not in found:
                with suppress(DataError):
                    found[id] = self.images.about(id).digest
        return found

    def _gets_noise(self, id: str, digest: str | None, record: Mapping[str, Any], found: Unfinished) -> bool:
        """Return whether a photo gets noise, and note why not, and how it differs from its record."""
        class_name = self.images.class_of[id]
        # The digest is absent after --refit, which discards all knowledge of earlier photos.
        if record.get("digest") and record["digest"] != digest:
            found.changed.append(id)
        elif record.get("digest") and record.get("class", class_name) != class_name:
            found.relabelled.append(id)
        slot = self.noise.slot(id, class_name, digest)
        if slot is not None and self.recipes.is_zero(slot):
            found.skipped[id] = ZERO
        elif slot is None and (digest is not None or not self._depends_on_content(id, class_name)):
            found.skipped[id] = without_noise(self.noise, id, class_name, digest or "")
        # the worker reads a new photo, and tells why there is no noise for it
        return id not in found.skipped

    def _depends_on_content(self, id: str, class_name: str) -> bool:
        """Return whether only the content of a photo tells why there is no noise for it."""
        return self.noise.form == "samplewise" and self.noise.assignment.covers(id, class_name)

    def _is_current(self, id: str, digest: str | None, record: Mapping[str, Any]) -> bool:
        """Return whether the listed file was made from this photo, for this class, with this recipe.

        Records of earlier versions have no recipe. Their noise is that of the run, and their encoding that of
        the folder, because the two could not change there.
        """
        if digest is None or record.get("digest") != digest or record.get("reason"):
            return False
        class_name = self.images.class_of[id]
        if record.get("class", class_name) != class_name:
            return False
        recipe = self.recipes.of(self.noise.slot(id, class_name, digest))
        return bool(record.get("made_with", recipe) == recipe)
