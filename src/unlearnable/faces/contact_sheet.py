"""A picture of photos with numbered boxes around their faces, for a person to look at. Private."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from unlearnable.data.image_set import ImageSet
from unlearnable.faces.face_list import Record
from unlearnable.files import write

SIDE, ACROSS, MOST = 240, 5, 200
TEXT = 30
CHOSEN, OTHER, PAPER, INK = (0, 160, 60), (200, 40, 40), (255, 255, 255), (0, 0, 0)


def save(file: Path, images: ImageSet, records: Mapping[str, Record], ids: Sequence[str]) -> None:
    """Write a contact sheet as PNG: protected faces in green, others in red, with the number for ``--who``.

    Args:
        file: The file to write.
        images: The photos.
        records: What was found in them.
        ids: The photos to show; at most the first 200.
    """
    shown = list(ids)[:MOST]
    down = -(-len(shown) // ACROSS)
    sheet = Image.new("RGB", (ACROSS * SIDE, max(1, down) * (SIDE + TEXT)), PAPER)
    for number, id in enumerate(shown):
        left, top = number % ACROSS * SIDE, number // ACROSS * (SIDE + TEXT)
        sheet.paste(_picture(images, records[id]), (left, top))
        ImageDraw.Draw(sheet).text((left + 4, top + SIDE + 4), _short(id), fill=INK)
    data = io.BytesIO()
    sheet.save(data, "PNG")
    write(file, data.getvalue())


def _picture(images: ImageSet, record: Record) -> Image.Image:
    photo = Image.fromarray(images.source.load(record.id)[0].rgb())
    scale = SIDE / max(photo.size)
    photo = photo.resize((max(1, round(photo.width * scale)), max(1, round(photo.height * scale))))
    draw = ImageDraw.Draw(photo)
    for number, face in enumerate(record.found.faces):
        left, top, width, height = (scale * edge for edge in face.box)
        colour = CHOSEN if number in record.found.chosen else OTHER
        draw.rectangle((left, top, left + width, top + height), outline=colour, width=2)
        draw.text((left + 3, top + 1), str(number + 1), fill=colour)
    return photo


def _short(id: str) -> str:
    # the font has Latin letters only
    plain = id.encode("latin-1", "replace").decode("latin-1")
    return plain if len(plain) <= 36 else f"...{plain[-33:]}"
