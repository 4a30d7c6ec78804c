"""Choosing the protected faces of a photo, and naming the photos to check by eye."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from unlearnable.errors import DataError, UsageError
from unlearnable.faces.face import Face

Who = Literal["central", "largest", "all"]
RULES: tuple[Who, ...] = ("central", "largest", "all")
# a second face is a rival if its area is at least this share of the chosen one's
RIVAL = 0.5
# below these, a detection may be no face, and landmarks say little
UNSURE, SMALL = 0.8, 12.0


@dataclass(frozen=True)
class Found:
    """The faces of one photo.

    Args:
        faces: All of them, the largest first.
        chosen: Positions in ``faces`` of those that are protected, the main one first.
        doubt: The reason to check the photo by eye; empty if there is none.
    """

    faces: tuple[Face, ...]
    chosen: tuple[int, ...]
    doubt: str = ""


def choose(faces: Sequence[Face], size: tuple[int, int], who: Who = "central") -> Found:
    """Choose the faces to protect.

    Args:
        faces: The faces of a photo, the largest first.
        size: (height, width) of the photo.
        who: ``central`` for the face nearest to the middle, measured in its own size, ``largest``, or
            ``all``.
    """
    if not faces:
        return Found((), (), "no face was found")
    ranked = sorted(range(len(faces)), key=lambda index: _off_centre(faces[index], size))
    first = 0 if who == "largest" else ranked[0]
    others = tuple(index for index in range(len(faces)) if index != first)
    chosen = (first, *others) if who == "all" else (first,)
    main, doubts = faces[first], []
    rivals = [face for index, face in enumerate(faces) if index != first and face.area >= RIVAL * main.area]
    if rivals and who != "all":
        doubts.append(f"{len(faces)} faces, and another one is about as large")
    elif who != "all" and main.area < faces[0].area:
        doubts.append(f"{len(faces)} faces, and the chosen one is not the largest")
    if any(faces[index].score < UNSURE for index in chosen):
        doubts.append(f"low detection score ({min(faces[index].score for index in chosen):.0%})")
    if any(faces[index].eye_distance < SMALL for index in chosen):
        doubts.append("a face is very small")
    return Found(tuple(faces), chosen, "; ".join(doubts))


def _off_centre(face: Face, size: tuple[int, int]) -> float:
    """Return the distance from the middle of the photo, in sides of the face."""
    x, y = face.centre
    return float(np.hypot(x - (size[1] - 1) / 2, y - (size[0] - 1) / 2) / np.sqrt(face.area))


def read_choices(file: Path) -> Mapping[str, tuple[int, ...]]:
    """Read which faces of which photos are protected.

    Args:
        file: A CSV file with the columns ``photo`` (its path within the folder) and ``face``: the number on
            the contact sheet, several with spaces between them, or 0 for none.

    Returns:
        Positions of the chosen faces, from 0, by photo.

    Raises:
        UsageError: If there is no such file.
        DataError: If it cannot be read.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            rows = list(csv.DictReader(lines))
    except FileNotFoundError as error:
        raise UsageError(
            f"--who is {str(file)!r}, which is neither a rule nor a file.",
            f"Choose {', '.join(RULES)}, or give a CSV file.",
        ) from error
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{file} cannot be read ({error}).", "Give a CSV file in UTF-8.") from error
    chosen: dict[str, tuple[int, ...]] = {}
    for number, row in enumerate(rows, 2):
        photo, faces = row.get("photo"), row.get("face")
        try:
            numbers = [int(word) for word in (faces or "").split()]
            # a face named twice would get its noise twice
            twice = len(set(numbers)) < len(numbers)
            if not photo or not numbers or min(numbers) < 0 or twice or photo in chosen:
                raise ValueError
        except ValueError as error:
            problem = (
                "names a photo again" if photo in chosen else "needs a photo and face numbers, each once"
            )
            raise DataError(
                f"Line {number} of {file} {problem}.",
                "Give the columns photo and face, such as anna/1.jpg,2. "
                "`unlearnable faces find --sheet FILE.png` shows the numbers.",
            ) from error
        chosen[photo] = tuple(one - 1 for one in numbers if one)
    return chosen


def as_chosen(found: Found, id: str, chosen: tuple[int, ...]) -> Found:
    """Return a photo's faces with those chosen that a person has named.

    Raises:
        DataError: If the photo has fewer faces.
    """
    if any(index >= len(found.faces) for index in chosen):
        raise DataError(
            f"{id} has no face number {max(chosen) + 1}: {len(found.faces)} were found.",
            "Look at the contact sheet, or name the face 0 to protect none.",
        )
    return Found(found.faces, chosen, "")
