"""GIF: only the first picture of the file reaches Pillow."""

from __future__ import annotations

import io

import numpy as np
from PIL import GifImagePlugin, Image

from unlearnable.data.containers.base import MAX_JUNK, MAX_PARTS, ONLY_FIRST, Container, Data

EXTENSION, PICTURE, TRAILER = 0x21, 0x2C, b";"
GRAPHIC_CONTROL = 0xF9
# bits of a graphic control block that say what becomes of the picture afterwards
DISPOSAL = 0x1C


def read(data: Data) -> Container:
    """Return a GIF file taken apart. Comments and later pictures are passed over.

    Raises:
        ValueError: If the file has no picture.
    """
    head = data[0:13]
    if len(head) < 13:
        raise ValueError("it is truncated")
    width, height = int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")
    at = 13 + (3 << (head[10] & 7) + 1 if head[10] & 0x80 else 0)
    table, control = data[13:at], b""
    for _ in range(MAX_JUNK):
        kind = data[at : at + 2]
        if kind[:1] == b"\x2c":
            break
        if kind[:1] == TRAILER or len(kind) < 2:
            raise ValueError("it has no picture")
        if kind[0] != EXTENSION:
            # bytes between blocks, which readers pass over
            at += 1
            continue
        after = _after_blocks(data, at + 2)
        if kind[1] == GRAPHIC_CONTROL and after - at == 8:
            control = data[at:after]
        at = after
    else:
        raise ValueError("it has no picture")
    place = data[at : at + 10]
    if len(place) < 10:
        raise ValueError("it is truncated")
    left, top, wide, high = (int.from_bytes(place[i : i + 2], "little") for i in (1, 3, 5, 7))
    size = max(width, left + wide), max(height, top + high)
    # after the head and the colours of the picture comes a byte, the width of its codes
    end = _after_blocks(data, at + 11 + (3 << (place[9] & 7) + 1 if place[9] & 0x80 else 0))
    notes = (ONLY_FIRST,) if _another(data, end) else ()

    def load() -> Image.Image:
        if control:
            flags = control[:3] + bytes([control[3] & ~DISPOSAL]) + control[4:]
        canvas = head[:6] + b"".join(side.to_bytes(2, "little") for side in size) + head[10:]
        stream = canvas + table + (flags if control else b"") + data[at:end] + TRAILER
        image = GifImagePlugin.GifImageFile(io.BytesIO(stream))
        image.load()
        if (left, top, wide, high) == (0, 0, *size):
            return image
        # whatever the first picture does not cover is transparent
        shown = np.zeros((size[1], size[0], 4), np.uint8)
        inside = slice(top, top + high), slice(left, left + wide)
        shown[inside] = np.asarray(image.convert("RGBA"))[inside]
        return Image.fromarray(shown)

    return Container("GIF", size, load, notes=notes)


def _after_blocks(data: Data, at: int) -> int:
    """Return the place after a chain of blocks, each a length and as many bytes, that a length of 0 ends."""
    for _ in range(MAX_PARTS):
        if at >= len(data):
            break
        length = data[at : at + 1][0]
        at += 1 + length
        if length == 0:
            return at
    return len(data)


def _another(data: Data, at: int) -> bool:
    while at + 2 <= len(data):
        kind = data[at : at + 2]
        if kind[0] != EXTENSION:
            return kind[0] == PICTURE
        at = _after_blocks(data, at + 2)
    return False
