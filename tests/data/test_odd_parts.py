"""Bytes beside the picture of a file, damaged or endless, never cost the photo; damage to the picture does.

Warnings are errors in the tests, so these also show that Pillow warns of nothing here.
"""

from __future__ import annotations

import io
import random
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from corpus import chunk, colours, oriented, png, saved, srgb, tiff
from unlearnable.data.decoding import decode
from unlearnable.errors import DataError

PIXELS = colours(24, 30)
PICTURE = Image.fromarray(PIXELS)
XMP = b"XML:com.adobe.xmp"
BOMB = zlib.compress(bytes(50_000_000))
NO_EXIF = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xff" * 40
EXIF_DAMAGE = {
    "no structure": b"Exif\0\0garbage!",
    "endless": NO_EXIF,
    "loop": b"Exif\0\0II*\0\x08\0\0\0\0\0\x08\0\0\0",
    "far": b"Exif\0\0II*\0\xff\xff\xff\x7f",
    "cut": oriented(1)[:-7],
    "one letter": b"Exif\0\0I",
}

PNG_PARTS: dict[str, list[tuple[bytes, bytes] | bytes]] = {
    "checksum of a text": [chunk(b"tEXt", b"Comment\0hello", wrong=1)],
    "checksum of a time": [chunk(b"tIME", bytes(7), wrong=1)],
    "checksum of a profile": [chunk(b"iCCP", b"x\0\0" + zlib.compress(srgb()), wrong=1)],
    "checksum of a gamma": [chunk(b"gAMA", struct.pack(">I", 45455), wrong=1)],
    "checksum of EXIF": [chunk(b"eXIf", oriented(6)[6:], wrong=1)],
    "text that expands": [(b"zTXt", b"Comment\0\0" + BOMB)],
    "XMP that expands": [(b"iTXt", XMP + b"\0\1\0\0\0" + BOMB)],
    "profile that expands": [(b"iCCP", b"x\0\0" + BOMB)],
    "profile that is no stream": [(b"iCCP", b"x\0\0garbage")],
    "profile without a name": [(b"iCCP", b"")],
    "text without an end": [(b"iTXt", XMP)],
    "many texts": [(b"tEXt", b"a\0" + bytes([65 + i % 20]) * 90_000) for i in range(800)],
    "short chunks": [(b"gAMA", b""), (b"cHRM", b"1"), (b"sRGB", b""), (b"pHYs", b"1"), (b"bKGD", b"")],
    "animation without frames": [(b"acTL", b"")],
    "animation of none": [(b"acTL", bytes(8)), (b"fcTL", b"")],
    "suggested palette of the wrong length": [(b"PLTE", b"12345")],
    "unknown": [(b"vpAg", b"x" * 9), (b"caBX", b"y" * 99)],
    "transparency of the wrong length": [(b"tRNS", b"123")],
}


@pytest.mark.parametrize("parts", PNG_PARTS)
@pytest.mark.parametrize("metadata", [False, True])
def test_odd_chunks_of_png_cost_nothing(parts: str, metadata: bool) -> None:
    photo = decode(png(PIXELS, 8, 2, PNG_PARTS[parts]), "x", metadata=metadata)
    assert np.array_equal(photo.pixels, PIXELS)


@pytest.mark.parametrize(
    "after", [b"", chunk(b"tEXt", b"x", wrong=1), b"\0\0\0\x09junk", chunk(b"tIME", b"")]
)
def test_odd_bytes_after_the_pixels_of_png_cost_nothing(after: bytes) -> None:
    whole = png(PIXELS, 8, 2, after=after)
    for data in (whole, whole[:-12], whole + b"a film" * 50):
        assert np.array_equal(decode(data, "x").pixels, PIXELS)


@pytest.mark.parametrize("kind", [b"IHDR", b"IDAT"])
def test_damage_to_the_picture_of_png_is_refused(kind: bytes) -> None:
    data = bytearray(png(PIXELS, 8, 2))
    data[data.index(kind) + 5] ^= 1
    with pytest.raises(DataError, match="cannot be read as an image"):
        decode(bytes(data), "x")
    with pytest.raises(DataError):
        decode(png(PIXELS, 8, 2)[:-40], "x")


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("damage", EXIF_DAMAGE)
@pytest.mark.parametrize("metadata", [False, True])
def test_damaged_exif_costs_nothing(format: str, damage: str, metadata: bool) -> None:
    plain = saved(PICTURE, format)
    if format == "AVIF":
        # Pillow's encoder reads what it writes, so the damage is put into the file afterwards
        exif = Image.Exif()
        exif[315] = "Ada" * 30
        block = exif.tobytes()[6:]
        data = saved(PICTURE, format, exif=exif.tobytes())
        damaged = EXIF_DAMAGE[damage][6:].ljust(len(block), b"\0")[: len(block)]
        assert block in data
        data = data.replace(block, damaged)
    else:
        data = saved(PICTURE, format, exif=EXIF_DAMAGE[damage])
    assert np.array_equal(decode(data, "x", metadata=metadata).pixels, decode(plain, "x").pixels)


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


JPEG_PARTS = {
    "profile in parts that are missing": segment(0xE2, b"ICC_PROFILE\0\2\3" + srgb()[:400]),
    "profile without a number": segment(0xE2, b"ICC_PROFILE\0"),
    "profile of other bytes": segment(0xE2, b"ICC_PROFILE\0\1\1garbage"),
    "Photoshop": segment(0xED, b"Photoshop 3.0\0" + b"8BIM\x03\xed\xff\xff\xff\xff"),
    "several pictures, damaged": segment(0xE2, b"MPF\0MM\0*\xff\xff\xff\xff"),
    "several pictures, none": segment(0xE2, b"MPF\0"),
    "FlashPix": segment(0xE2, b"FPXR\0"),
    "empty": segment(0xFE, b"") + segment(0xE5, b""),
    "JFIF, short": segment(0xE0, b"JFIF\0"),
    "Adobe, short": segment(0xEE, b"Adobe"),
    "filled up": b"\xff" * 9 + segment(0xFE, b"comment"),
    "junk between": segment(0xFE, b"") + b"junk" + segment(0xFE, b"comment"),
    "XMP, damaged": segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta"),
    "EXIF twice": segment(0xE1, oriented(1)) + segment(0xE1, NO_EXIF),
    "unknown": segment(0xEB, b"JP" + bytes(5000)) * 20,
}


@pytest.mark.parametrize("part", JPEG_PARTS)
@pytest.mark.parametrize("metadata", [False, True])
def test_odd_segments_of_jpeg_cost_nothing(part: str, metadata: bool) -> None:
    plain = saved(PICTURE, "JPEG", quality=90)
    data = plain[:2] + JPEG_PARTS[part] + plain[2:]
    assert np.array_equal(decode(data, "x", metadata=metadata).pixels, decode(plain, "x").pixels)


@pytest.mark.parametrize("tail", [b"", b"a film" * 400, bytes(3000), b"\xff\xd8\xff\xe0"])
def test_a_second_picture_of_jpeg_may_be_anything(tail: bytes) -> None:
    second = Image.fromarray(colours(12, 15, seed=5))
    whole = saved(PICTURE, "MPO", save_all=True, append_images=[second], quality=90)
    first = decode(saved(PICTURE, "JPEG", quality=90), "x").pixels
    for data in (whole, whole[: whole.rindex(b"\xff\xd8\xff")], whole[:-30]):
        photo = decode(data + tail, "x")
        assert np.array_equal(photo.pixels, first)
        assert photo.notes == ("only the first of several pictures in the file was read",)


@pytest.mark.parametrize("kind", [b"ICCP", b"EXIF", b"XMP "])
@pytest.mark.parametrize("body", [b"", b"\xff" * 7, bytes(100_000)])
def test_odd_chunks_of_webp_cost_nothing(kind: bytes, body: bytes) -> None:
    data = saved(PICTURE, "WEBP", lossless=True, icc_profile=srgb(), exif=oriented(1), xmp=b"<x/>")
    at = data.index(kind)
    end = at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")
    odd = (
        data[:at]
        + kind
        + len(body).to_bytes(4, "little")
        + body
        + bytes(len(body) % 2)
        + data[end + end % 2 :]
    )
    odd = odd[:4] + (len(odd) - 8).to_bytes(4, "little") + odd[8:]
    assert np.array_equal(decode(odd, "x", metadata=True).pixels, PIXELS)


def test_comments_and_later_pictures_of_gif_cost_nothing() -> None:
    table = PICTURE.quantize(50)
    plain = saved(table, "GIF")
    expected = np.asarray(table.convert("RGB"))
    at = plain.index(b",\0\0\0\0")
    comment = b"!\xfe" + b"\xff" + b"x" * 255 + b"\0"
    for data in (
        plain[:at] + comment * 30 + plain[at:],
        plain[:at] + b"!\xff\x0bNETSCAPE2.0\3\1\0\0\0" + plain[at:],
        plain[:-1] + b",garbage",
        plain[:-1] + b"!\xf9\4\0\0",
        plain[:-1],
    ):
        assert np.array_equal(decode(data, "x").pixels, expected)


TIFF_TAGS: dict[str, dict[int, int | tuple[int, ...]]] = {
    "description of other bytes": {270: 7},
    "resolution that is none": {282: 0, 283: (1, 2, 3), 296: 99},
    "directory of EXIF far away": {34665: 2**31},
    "directory of EXIF that is this one": {34665: 8},
    "directory of places far away": {34853: 2**32 - 1},
    "profile that is a number": {34675: 1},
    "XMP that is a number": {700: 77},
    "previews far away": {330: (2**31, 2**31 + 1)},
    "Photoshop": {34377: 5},
    "unknown": {65000: (1, 2, 3), 65001: 2**32 - 1},
}


@pytest.mark.parametrize("tags", TIFF_TAGS)
@pytest.mark.parametrize("metadata", [False, True])
def test_odd_tags_of_tiff_cost_nothing(tags: str, metadata: bool) -> None:
    needed: dict[int, int | tuple[int, ...]] = {256: 30, 257: 24, 258: (8, 8, 8), 262: 2, 277: 3}
    data = tiff((PIXELS.tobytes(), {**needed, **TIFF_TAGS[tags]}))
    assert np.array_equal(decode(data, "x", metadata=metadata).pixels, PIXELS)


def test_photos_are_never_lost_to_bytes_that_are_thrown_away() -> None:
    draw = random.Random(4)
    plain = saved(PICTURE, "JPEG", quality=90)
    for _ in range(200):
        part = b"".join(
            segment(draw.randrange(0xE0, 0xF0), draw.randbytes(draw.randrange(60))) for _ in range(3)
        )
        odd = draw.choice([b"Exif\0\0II*\0", b"ICC_PROFILE\0", b"MPF\0II*\0\x08\0\0\0", b"Photoshop 3.0\0"])
        part += segment(draw.choice([0xE1, 0xE2, 0xED]), odd + draw.randbytes(draw.randrange(60)))
        photo = decode(plain[:2] + part + plain[2:], "x", metadata=True)
        assert photo.size in ((24, 30), (30, 24))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (saved(PICTURE, "JPEG").replace(b"\xff\xc0\0\x11\x08", b"\xff\xc3\0\x11\x08"), "lossless JPEG"),
        (saved(PICTURE, "JPEG").replace(b"\xff\xc0\0\x11\x08", b"\xff\xf7\0\x11\x08"), "JPEG-LS"),
        (saved(PICTURE, "JPEG").replace(b"\xff\xc0\0\x11\x08", b"\xff\xc1\0\x11\x0c"), "12 bits"),
        (saved(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"), "floating-point"),
        (saved(Image.fromarray(np.ones((4, 4), np.int32)), "TIFF"), "signed"),
        (tiff((bytes(64), {256: 4, 257: 4, 258: 32})), "32-bit"),
        (tiff((bytes(64), {256: 4, 257: 4, 262: 32803})), "raw data of a camera"),
        (tiff((bytes(64), {256: 4, 257: 4, 259: 34712})), "compression 34712"),
        (tiff((bytes(64), {256: 4, 257: 4, 262: 8, 258: (8, 8, 8), 277: 3})), r"L\*a\*b\*"),
        (tiff((bytes(99), {256: 4, 257: 4, 262: 5, 258: (8,) * 5, 277: 5, 338: 1})), "CMYK and alpha"),
        (tiff((bytes(99), {256: 4, 257: 4, 262: 2, 258: (16,) * 3, 277: 3, 284: 2})), "separate planes"),
        (tiff((bytes(99), {256: 4, 257: 4, 262: 6, 258: (8,) * 3, 277: 3})), "reduced colour resolution"),
        (tiff((bytes(99), {256: 4, 257: 4, 262: 2, 258: (5, 6, 5), 277: 3})), "different depths"),
        (tiff((bytes(99), {256: 4, 257: 4, 254: 1}), (bytes(9), {256: 3, 257: 3, 254: 4})), "smaller copies"),
    ],
)
def test_kinds_that_are_not_read_are_named(data: bytes, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        decode(data, "photo.tif")
    assert caught.value.problem.startswith("photo.tif is a") or "contains" in caught.value.problem


def test_a_broken_stream_in_memory_is_one_line() -> None:
    for data in (saved(PICTURE, "JPEG")[:300], saved(PICTURE, "PNG")[:300], saved(PICTURE, "TIFF")[:200]):
        with pytest.raises(DataError) as caught:
            decode(io.BytesIO(data).getvalue(), "x.jpg")
        assert "\n" not in caught.value.problem
