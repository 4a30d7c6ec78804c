"""The faces found in photos, one line of JSON a photo, in the run folder: it is private, like the photos."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from unlearnable.faces.choosing import Found
from unlearnable.faces.face import Alignment, Face
from unlearnable.files import write

FACES = "faces.jsonl"


@dataclass(frozen=True)
class Record:
    """The faces of one photo, as they were found.

    Args:
        id: Id of the photo.
        digest: Its content hash.
        detector: ``revision`` of the detector.
        size: (height, width) of the photo in pixels.
        found: The faces, and those that are protected.
        whole: Whether the photo has no protected face and gets its noise over the whole frame.
    """

    id: str
    digest: str
    detector: str
    size: tuple[int, int]
    found: Found
    whole: bool = False

    @property
    def places(self) -> tuple[Alignment | None, ...]:
        """The places of the photo's noises: an alignment for each face, or None for the whole frame."""
        if self.whole:
            return (None,)
        return tuple(Alignment.of(self.found.faces[index].landmarks) for index in self.found.chosen)

    @property
    def line(self) -> str:
        """The record as a line of JSON, ASCII only."""
        faces = [asdict(face) for face in self.found.faces]
        record = {
            "id": self.id,
            "digest": self.digest,
            "detector": self.detector,
            "size": list(self.size),
            "faces": faces,
            "chosen": list(self.found.chosen),
            "doubt": self.found.doubt,
            "whole": self.whole,
        }
        return json.dumps(record) + "\n"

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Record:
        """Return the record of a line.

        Raises:
            KeyError, TypeError or ValueError: If it is none.
        """
        faces = tuple(
            Face(
                tuple(map(float, one["box"])),  # type: ignore[arg-type]
                tuple((float(x), float(y)) for x, y in one["landmarks"]),
                float(one["score"]),
            )
            for one in record["faces"]
        )
        height, width = record["size"]
        chosen = tuple(map(int, record["chosen"]))
        if any(not 0 <= index < len(faces) for index in chosen):
            raise ValueError("a chosen face is missing")
        return cls(
            str(record["id"]),
            str(record["digest"]),
            str(record["detector"]),
            (int(height), int(width)),
            Found(faces, chosen, str(record["doubt"])),
            bool(record["whole"]),
        )


def read(file: Path) -> dict[str, Record]:
    """Return the records of a file by id; nothing if there is no file. Damaged lines are left out."""
    records = {}
    for line in file.read_bytes().split(b"\n") if file.exists() else ():
        try:
            record = Record.of(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        records[record.id] = record
    return records


def save(file: Path, records: Iterable[Record]) -> None:
    """Write the file, whole or not at all."""
    write(file, "".join(record.line for record in records).encode("ascii"))


def places_of(records: Mapping[str, Record]) -> dict[str, tuple[Alignment | None, ...]]:
    """Return the places of all photos that get noise, by id."""
    return {id: record.places for id, record in records.items() if record.places}


def sizes_of(records: Mapping[str, Record]) -> dict[str, tuple[int, int]]:
    """Return (height, width) of all photos, by id."""
    return {id: record.size for id, record in records.items()}
