"""JPEG: only the segments of the picture reach Pillow; of several pictures in a file, the first."""

from __future__ import annotations

import io
from collections.abc import Iterator

from PIL import Image, JpegImagePlugin

from unlearnable.data.containers.base import (
    BROKEN_PROFILE,
    MAX_JUNK,
    MAX_PARTS,
    MAX_PROFILE,
    ONLY_FIRST,
    Container,
    Data,
    Unsupported,
)
from unlearnable.data.containers.ifd import Directories, orientation_of

# frames that Pillow reads: baseline, extended and progressive, with Huffman or arithmetic coding
FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})
OTHER_FRAMES = {
    0xC3: "lossless",
    0xC5: "hierarchical",
    0xC6: "hierarchical",
    0xC7: "hierarchical lossless",
    0xCB: "lossless",
    0xCD: "hierarchical",
    0xCE: "hierarchical",
    0xCF: "hierarchical lossless",
    0xF7: "JPEG-LS",
}
START_OF_SCAN, END = 0xDA, 0xD9
APP0, APP1, APP2, APP14, COMMENT = 0xE0, 0xE1, 0xE2, 0xEE, 0xFE
EXIF, XMP, ICC, MPF = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0", b"MPF\0"
# segments that say how colours are stored, and their least lengths
COLOURS = {(APP0, b"JFIF\0"): 14, (APP14, b"Adobe"): 12}
NUMBER_OF_PICTURES = 0xB001


def read(data: Data) -> Container:
    """Return a JPEG file taken apart. Metadata segments never reach the decoder, damaged or not.

    Raises:
        Unsupported: If it is a kind of JPEG that is not read.
        ValueError: If the file has no picture.
    """
    picture: list[tuple[int, int]] = [(0, 2)]
    size: tuple[int, int] | None = None
    exif, xmp, profile = [], b"", []
    several = False
    scan = 0
    for marker, start, end in _segments(data):
        if marker == START_OF_SCAN:
            scan = start
            break
        body = data[start + 4 : end] if marker not in FRAMES else data[start + 4 : start + 10]
        if marker in OTHER_FRAMES:
            raise Unsupported(f"is a {OTHER_FRAMES[marker]} JPEG, which is not read")
        if marker in FRAMES and size is None:
            size = _frame(body)
        if APP0 <= marker <= 0xEF or marker == COMMENT:
            # these two say how colours are stored; libjpeg ignores them if they are shorter
            if len(body) >= COLOURS.get((marker, body[:5]), len(body) + 1):
                picture.append((start, end))
            elif marker == APP1 and body.startswith(EXIF):
                exif.append(body[len(EXIF) :])
            elif marker == APP1 and body.startswith(XMP):
                xmp = xmp or body[len(XMP) :]
            elif marker == APP2 and body.startswith(ICC):
                profile.append(body[len(ICC) :])
            elif marker == APP2 and body.startswith(MPF):
                several = _pictures(body[len(MPF) :]) > 1
            continue
        picture.append((start, end))
    if not scan or size is None:
        raise ValueError("it has no picture")
    orientation = orientation_of(b"".join(exif))
    # a gain map, which brightens the picture on some screens, is no other picture
    notes = [ONLY_FIRST] if several and b"hdrgm:Version" not in xmp else []
    if orientation is None:
        notes.append("its EXIF data cannot be read and was left out")

    def load() -> Image.Image:
        parts = [data[start:end] for start, end in picture]
        image = JpegImagePlugin.JpegImageFile(io.BytesIO(b"".join([*parts, data[scan : len(data)]])))
        image.load()
        return image

    return Container(
        "JPEG",
        size,
        load,
        orientation or 1,
        b"".join(exif) if orientation else b"",
        xmp,
        _joined(profile),
        tuple(notes),
    )


def _segments(data: Data) -> Iterator[tuple[int, int, int]]:
    """Yield (marker, start, end) of every segment up to the first scan."""
    at, junk, parts = 2, 0, 0
    while at + 4 <= len(data) and junk <= MAX_JUNK and parts <= MAX_PARTS:
        head = data[at : at + 4]
        if head[0] != 0xFF or head[1] in (0, 0xFF):
            # bytes between segments, and bytes that fill up
            at, junk = at + 1, junk + 1
        elif head[1] == 1 or 0xD0 <= head[1] <= 0xD8:
            at += 2
        elif head[1] == END:
            return
        else:
            end = at + 2 + int.from_bytes(head[2:])
            if end > len(data) or end < at + 4:
                raise ValueError("it is truncated")
            yield head[1], at, end
            at, parts = end, parts + 1


def _frame(body: bytes) -> tuple[int, int]:
    if len(body) < 6:
        raise ValueError("its header is damaged")
    bits, height, width, components = body[0], int.from_bytes(body[1:3]), int.from_bytes(body[3:5]), body[5]
    if bits != 8:
        raise Unsupported(f"is a JPEG of {bits} bits per channel, which is not read")
    if components not in (1, 3, 4):
        raise Unsupported(f"is a JPEG of {components} channels, which is not read")
    if not height or not width:
        raise Unsupported("is a JPEG that does not say its size, which is not read")
    return width, height


def _pictures(body: bytes) -> int:
    try:
        found = Directories.of(body)
        start = next(found.starts(), 0)
        return (found.integers(found.tags(start), NUMBER_OF_PICTURES) or (0,))[0]
    except ValueError:
        return 0


def _joined(parts: list[bytes]) -> bytes | None:
    # each part begins with its number and the number of parts
    if not parts:
        return None
    parts.sort(key=lambda part: part[:1])
    numbers = [part[0] for part in parts if len(part) > 2]
    if numbers != list(range(1, len(parts) + 1)) or sum(map(len, parts)) > MAX_PROFILE:
        return BROKEN_PROFILE
    return b"".join(part[2:] for part in parts)
