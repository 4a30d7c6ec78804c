"""PNG: only the chunks of the picture reach Pillow, and transparency is exact at every depth."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from unlearnable.data.containers.base import (
    BROKEN_PROFILE,
    MAX_PARTS,
    MAX_PROFILE,
    ONLY_FIRST,
    Container,
    Data,
)
from unlearnable.data.containers.ifd import orientation_of

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, COLOUR, PALETTE = 0, 2, 3
KEYWORD_OF_XMP = b"XML:com.adobe.xmp"
MAX_XMP = 1_000_000


def read(data: Data) -> Container:
    """Return a PNG file taken apart. Chunks that do not matter are passed over, damaged or not.

    Raises:
        ValueError: If the file has no picture.
    """
    chunks = list(_chunks(data))
    if not chunks or chunks[0][0] != b"IHDR" or not any(kind == b"IDAT" for kind, _, _ in chunks):
        raise ValueError("it has no picture")
    header = _body(data, *chunks[0])
    if header is None or len(header) != 13:
        raise ValueError("its header is damaged")
    width, height, depth, colour = struct.unpack(">IIBB", header[:10])
    picture: list[tuple[int, int]] = []
    colours = 0
    transparent, profile, exif, xmp = b"", None, b"", b""
    notes = []
    for kind, start, length in chunks:
        whole = (start - 8, start + length + 4)
        if kind in (b"IHDR", b"IDAT", b"IEND") or (kind == b"PLTE" and colour == PALETTE):
            picture.append(whole)
            colours = length // 3 if kind == b"PLTE" else colours
        elif kind == b"tRNS" and colour in (GREY, COLOUR, PALETTE):
            body = _body(data, kind, start, length)
            if body is None or not (
                1 <= length <= colours if colour == PALETTE else length == 2 + 2 * colour
            ):
                notes.append("its transparency is damaged and was left out")
            elif colour == PALETTE:
                picture.append(whole)
            else:
                transparent = body
        elif kind == b"iCCP":
            profile = _profile(_body(data, kind, start, length))
        elif kind == b"eXIf":
            exif = _body(data, kind, start, length) or b"damaged"
        elif kind == b"iTXt" and length <= MAX_XMP and data[start : start + 17] == KEYWORD_OF_XMP:
            xmp = _xmp(_body(data, kind, start, length))
        elif kind == b"acTL" and data[start : start + 4] > b"\0\0\0\1":
            notes.append(ONLY_FIRST)
    orientation = orientation_of(exif)
    if orientation is None:
        notes.append("its EXIF data cannot be read and was left out")

    def load() -> Image.Image:
        return _decoded(data, picture, depth, colour, transparent)

    if depth == 16 and colour != GREY:
        notes.append("16 bits per channel, read as 8")
    return Container(
        "PNG",
        (width, height),
        load,
        orientation or 1,
        exif if orientation else b"",
        xmp,
        profile,
        tuple(notes),
    )


def _chunks(data: Data) -> Iterator[tuple[bytes, int, int]]:
    at, parts = len(SIGNATURE), 0
    while at + 12 <= len(data) and parts < MAX_PARTS:
        head = data[at : at + 8]
        length, kind = int.from_bytes(head[:4]), head[4:]
        if not kind.isalpha() or at + 12 + length > len(data):
            return
        yield kind, at + 8, length
        if kind == b"IEND":
            return
        at, parts = at + 12 + length, parts + 1


def _body(data: Data, kind: bytes, start: int, length: int) -> bytes | None:
    """Return the content of a chunk; None if its checksum is wrong."""
    body = data[start : start + length]
    checksum = int.from_bytes(data[start + length : start + length + 4])
    return body if zlib.crc32(kind + body) == checksum else None


def _profile(body: bytes | None) -> bytes:
    _, found, packed = (body or b"").partition(b"\0")
    try:
        unpacker = zlib.decompressobj()
        profile = unpacker.decompress(packed[1:], MAX_PROFILE)
    except zlib.error:
        return BROKEN_PROFILE
    return profile if found and unpacker.eof else BROKEN_PROFILE


def _xmp(body: bytes | None) -> bytes:
    # after the keyword: a zero, whether it is compressed, how, the language and the keyword in that language
    packed, rest = (body or b"")[18:19], (body or b"")[20:].split(b"\0", 2)
    if len(rest) < 3:
        return b""
    try:
        return zlib.decompressobj().decompress(rest[2], MAX_XMP) if packed == b"\1" else rest[2]
    except zlib.error:
        return b""


def _decoded(
    data: Data, picture: list[tuple[int, int]], depth: int, colour: int, transparent: bytes
) -> Image.Image:
    for start, end in picture:
        kind = data[start + 4 : start + 8]
        # the fifth bit of the first letter says that a chunk may be left out
        if not kind[0] & 32 and _body(data, kind, start + 8, end - start - 12) is None:
            raise ValueError(f"the checksum of its chunk {kind.decode()} is wrong")
    stream = SIGNATURE + b"".join(data[start:end] for start, end in picture)
    image: Image.Image = PngImagePlugin.PngImageFile(io.BytesIO(stream))
    image.load()
    if not transparent:
        return image
    key = np.frombuffer(transparent, ">u2").astype(int) & (2**depth - 1)
    levels: np.ndarray[Any, Any] = np.asarray(image)
    if depth == 16 and colour == COLOUR:
        levels = levels.astype(np.uint16) << 8 | _low_bytes(stream)
    if depth < 8:
        # Pillow has spread the levels over 0 to 255; 1 bit gives False and True
        key = key if depth == 1 else key * 255 // (2**depth - 1)
    opaque = levels != key[0] if colour == GREY else (levels != key).any(-1)
    if depth == 16 and colour == GREY:
        image = Image.fromarray(_rounded(levels))
    shown = image.convert("L" if colour == GREY else "RGB")
    shown.putalpha(Image.fromarray(opaque.astype(np.uint8) * np.uint8(255)))
    return shown


def _low_bytes(stream: bytes) -> np.ndarray[Any, Any]:
    # Pillow reads the higher byte of each value; read as if the other byte order were used, that is the lower
    image = PngImagePlugin.PngImageFile(io.BytesIO(stream))
    image.tile = [tile._replace(args="RGB;16L") for tile in image.tile]
    return np.asarray(image)


def _rounded(levels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    table = np.rint(np.arange(65536) / 257).astype(np.uint8)
    return np.asarray(table[levels])
