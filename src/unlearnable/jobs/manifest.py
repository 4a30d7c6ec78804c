"""The manifest of a shard, written after all of its files: a shard with one is not made again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from unlearnable.errors import DataError
from unlearnable.jobs.places import Place

ENDING = ".json"
FORMAT = 1


@dataclass(frozen=True)
class Manifest:
    """The outcome of every photo of one shard.

    Args:
        shard: Name of the shard.
        made_with: Hash of everything that the shard was made from: photos, classes, noise, encoding.
        photos: Record of every published photo by id: file, class, hashes, largest change.
        skipped: Reason for every photo that was not published, by id.
        others: Number of the files that are no photos and were left out, by kind.
        vanished: Records of published photos whose source is gone; their files stay.
        file: Name, bytes and SHA-256 of a shard that is one file; empty for a shard of a folder.
    """

    shard: str
    made_with: str
    photos: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)
    others: Mapping[str, int] = field(default_factory=dict)
    vanished: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    file: Mapping[str, Any] = field(default_factory=dict)

    def save(self, place: Place) -> None:
        """Write the manifest, whole or not at all."""
        counts = {"written": len(self.photos), "left_out": len(self.skipped)}
        record = {"format": FORMAT, **counts, **asdict(self)}
        # ASCII, because a name may hold bytes that are not UTF-8
        data = json.dumps(record, separators=(",", ":")).encode("ascii")
        place.write(f"{self.shard}{ENDING}", lambda file: file.write(data))

    @classmethod
    def load(cls, place: Place, shard: str) -> Manifest | None:
        """Return the manifest of a shard; None if it has none, or a damaged one, so that it is made again.

        Raises:
            DataError: If a later version wrote it.
        """
        name = f"{shard}{ENDING}"
        try:
            with place.reading(name) as file:
                record = json.loads(file.read())
            written_by = record.pop("format")
            if written_by != FORMAT:
                raise DataError(
                    f"{place.name}/{name} was written by a later version.", "Update this package."
                )
            if "file" not in record:
                # as earlier versions called it, when such a shard was always a tar file
                record["file"] = record["tar"]
            known = {key: record[key] for key in cls.__dataclass_fields__}
        except FileNotFoundError:
            return None
        except (ValueError, LookupError, TypeError, AttributeError):
            return None
        return cls(**known)

    @property
    def largest(self) -> int:
        """Largest change of a pixel, in levels."""
        return max((int(record["largest"]) for record in self.photos.values()), default=0)


def add_by_id(known: dict[str, Any], shard: str, values: Mapping[str, Any]) -> None:
    """Add values of a shard to those of other shards, whose photos may have the same ids.

    Args:
        known: Values of other shards by id.
        shard: Name of the shard; an id that another shard has already becomes ``SHARD/id``.
        values: Its values by id.
    """
    known |= {f"{shard}/{id}" if id in known else id: value for id, value in values.items()}


def shards_in(place: Place) -> list[str]:
    """Return the names of all shards that have a manifest."""
    names = (name for name in place.names() if name.endswith(ENDING))
    return [name.removesuffix(ENDING) for name in names if name != f"job{ENDING}"]
