"""The colours that the numbers of a file stand for, as one ICC profile, wherever the file says so.

A published file has other chunks, boxes and headers than its source, but it can hold an ICC profile. None
stands for sRGB, which programs assume for pictures without colour information.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator

from PIL import Image

from unlearnable.data import icc
from unlearnable.data.containers import Unsupported
from unlearnable.data.containers.ifd import Directories
from unlearnable.data.icc import D65, SRGB, Point

MISFIT = "its ICC profile is damaged or for another colour space and was left out"
ADOBE = "its EXIF data says Adobe RGB, without an ICC profile; programs that heed it now show duller colours"
ONE_CHANNEL = frozenset({"1", "L", "LA", "La"})
# Formats whose one channel browsers show through an RGB profile; libpng and others ignore one.
RGB_FOR_GREY = frozenset({"JPEG", "MPO", "AVIF", "HEIF"})
# ITU-T H.273, table 2: chromaticities of red, green, blue and white
ILLUMINANT_C: Point = (0.310, 0.316)
P3: tuple[Point, Point, Point] = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
NTSC: tuple[Point, Point, Point] = ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070))
PRIMARIES: dict[int, tuple[tuple[Point, Point, Point], Point]] = {
    1: (SRGB, D65),
    2: (SRGB, D65),
    4: (((0.67, 0.33), (0.21, 0.71), (0.14, 0.08)), ILLUMINANT_C),
    5: (((0.64, 0.33), (0.29, 0.60), (0.15, 0.06)), D65),
    6: (NTSC, D65),
    7: (NTSC, D65),
    8: (((0.681, 0.319), (0.243, 0.692), (0.145, 0.049)), ILLUMINANT_C),
    9: (((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)), D65),
    11: (P3, (0.314, 0.351)),
    12: (P3, D65),
    22: (((0.630, 0.340), (0.295, 0.605), (0.155, 0.077)), D65),
}
# Table 3: sRGB, unspecified, and the camera curves of television, which Chromium shows as sRGB too.
LIKE_SRGB = frozenset({1, 2, 6, 13, 14, 15})
POWERS = {4: 2.2, 5: 2.8, 8: 1.0}
HDR = {16: "PQ", 18: "HLG"}
# chromaticities closer than this are the same
SAME = 0.004
EXIF_IFD, INTEROPERABILITY, COLOUR_SPACE = 0x8769, 0xA005, 0xA001
WHITE_POINT, TIFF_PRIMARIES = 318, 319


def profile_of(image: Image.Image, data: bytes) -> tuple[bytes | None, str]:
    """Return the ICC profile of the pixels of an image file, and a remark.

    Args:
        image: The opened image, in the mode that the file has. CMYK and L*a*b* have no profile here, because
            their pixels are converted.
        data: Bytes of the file.

    Returns:
        A profile that fits the channels of the file, or None for sRGB; a remark if colours may be shown
        differently from now on, else an empty text.

    Raises:
        Unsupported: If the file says that its colours are HDR.
    """
    if image.mode in ("CMYK", "LAB"):
        return None, ""
    one = image.mode in ONE_CHANNEL or image.mode.startswith("I")
    try:
        # the order of PNG's third edition; the boxes of AVIF and HEIC are asked after the profile
        found = _of_code_points(_chunks(data).get(b"cICP", b""), one) if image.format == "PNG" else None
        found = found or _of_icc(image.info.get("icc_profile"), image.format, one)
        found = found or SAID.get(image.format or "", _nothing)(image, data, one)
        return found or _of_exif(image)
    except Unsupported:
        raise
    except Exception:
        # what cannot be read says nothing to other programs either
        return None, "what it says about its colours cannot be read and was left out"


# a profile, None for sRGB, and a remark; nothing at all if the file does not say
Found = tuple[bytes | None, str] | None


def _nothing(image: Image.Image, data: bytes, one: bool) -> Found:
    return None


def _of_icc(profile: bytes | None, format: str | None, one: bool) -> Found:
    if not profile:
        return None
    kind = icc.space(profile)
    fits = kind == ("GRAY" if one else "RGB") or (one and kind == "RGB" and format in RGB_FOR_GREY)
    whole = icc.accepted(profile, "L" if kind == "GRAY" else "RGB") if fits else b""
    return (whole, "") if whole else (None, MISFIT)


def _of_code_points(points: bytes, one: bool, remark: str = "") -> Found:
    """Return the colours of code points of H.273: primaries, curve, matrix and range."""
    if len(points) != 4:
        return None
    primaries, curve, _, full = points
    if curve in HDR:
        raise Unsupported(f"has HDR colours ({HDR[curve]}), which 8-bit files cannot show")
    if primaries not in PRIMARIES or (curve not in LIKE_SRGB and curve not in POWERS) or not full:
        return None, f"its colours (code points {primaries}/{curve}) were left out and may look different"
    if curve in LIKE_SRGB and PRIMARIES[primaries] == (SRGB, D65):
        return None, remark
    return _made(*PRIMARIES[primaries], [_curve(curve)] * 3, one)


def _curve(code: int) -> bytes:
    return icc.srgb_curve() if code in LIKE_SRGB else icc.gamma(POWERS[code])


def _made(primaries: tuple[Point, Point, Point], white: Point, curves: list[bytes], one: bool) -> Found:
    return (icc.grey(curves[1]) if one else icc.rgb(primaries, white, curves)), ""


def _of_png(image: Image.Image, data: bytes, one: bool) -> Found:
    chunks = _chunks(data)
    if b"sRGB" in chunks or not chunks.keys() & {b"gAMA", b"cHRM"}:
        return (None, "") if b"sRGB" in chunks else None
    curve, primaries, white = icc.srgb_curve(), SRGB, D65
    if len(chunks.get(b"gAMA", b"")) == 4:
        curve = icc.gamma(100_000 / max(1, int.from_bytes(chunks[b"gAMA"])))
    if len(chunks.get(b"cHRM", b"")) == 32:
        numbers = [value / 100_000 for value in struct.unpack(">8I", chunks[b"cHRM"])]
        white, *rest = zip(numbers[::2], numbers[1::2], strict=True)
        primaries = (rest[0], rest[1], rest[2])
    return _made(primaries, white, [curve] * 3, one)


def _chunks(data: bytes) -> dict[bytes, bytes]:
    """Return the intact chunks of a PNG file before its pixels, the first of each kind."""
    chunks: dict[bytes, bytes] = {}
    at = 8
    while at + 12 <= len(data) and (kind := data[at + 4 : at + 8]) != b"IDAT":
        end = at + 8 + int.from_bytes(data[at : at + 4])
        body = data[at + 8 : end]
        if zlib.crc32(kind + body).to_bytes(4) == data[end : end + 4]:
            chunks.setdefault(kind, body)
        at = end + 4
    return chunks


def _of_boxes(image: Image.Image, data: bytes, one: bool) -> Found:
    """Return what the property ``nclx`` of the primary picture says (ISO/IEC 23008-12)."""
    meta = dict(_boxes(dict(_boxes(data)).get(b"meta", b"")[4:]))
    properties = dict(_boxes(meta.get(b"iprp", b"")))
    listed = list(_boxes(properties.get(b"ipco", b"")))
    primary = int.from_bytes(meta.get(b"pitm", b"")[4:])
    mine = [listed[index - 1] for index in _indices(properties.get(b"ipma", b""), primary) if index > 0]
    # a picture made of tiles may leave it to them
    for kind, body in mine + listed:
        if kind == b"colr" and body[:4] == b"nclx":
            primaries, curve = struct.unpack_from(">HH", body, 4)
            # the decoder has undone matrix and range
            return _of_code_points(bytes([min(primaries, 255), min(curve, 255), 0, 1]), one)
    return None


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if length == 1:
            length, start = int.from_bytes(data[at + 8 : at + 16]), at + 16
        end = at + length if length else len(data)
        if end < start:
            return
        yield kind, data[start:end]
        at = end


def _indices(associations: bytes, item: int) -> list[int]:
    """Return the numbers of an item's properties, from 1, out of the box ``ipma``."""
    if len(associations) < 8:
        return []
    wide, long = associations[0] > 0, associations[3] & 1
    at = 8
    for _ in range(int.from_bytes(associations[4:8])):
        id, count = struct.unpack_from(">IB" if wide else ">HB", associations, at)
        at += 5 if wide else 3
        numbers = struct.unpack_from(f">{count}{'H' if long else 'B'}", associations, at)
        at += count * (2 if long else 1)
        if id == item:
            return [number & (0x7FFF if long else 0x7F) for number in numbers]
    return []


def _of_bmp(image: Image.Image, data: bytes, one: bool) -> Found:
    """Return what the header of version 4 or 5 says."""
    if int.from_bytes(data[14:18], "little") < 108:
        return None
    kind = data[70:74][::-1]
    if kind == b"MBED":
        offset, length = struct.unpack_from("<II", data, 126)
        return _of_icc(data[14 + offset : 14 + offset + length], "BMP", False)
    if kind == b"LINK":
        return None, "its ICC profile is in another file and was left out, so colours may look different"
    numbers = struct.unpack_from("<12I", data, 74)
    if kind != bytes(4) or not all(numbers[9:]) or not any(numbers[:9]):
        return None
    points = [numbers[index : index + 3] for index in (0, 3, 6)]
    white = tuple(sum(values) for values in zip(*points, strict=True))
    red, green, blue, white_point = ((x / (x + y + z), y / (x + y + z)) for x, y, z in (*points, white))
    return _made(
        (red, green, blue), white_point, [icc.gamma(number / 65536) for number in numbers[9:]], False
    )


def _of_tiff(image: Image.Image, data: bytes, one: bool) -> Found:
    tags = image.getexif()
    said = [float(value) for tag in (WHITE_POINT, TIFF_PRIMARIES) for value in tags.get(tag, ())]
    usual = [value for point in (D65, *SRGB) for value in point][: len(said)]
    if one or len(said) not in (2, 8) or all(abs(a - b) < SAME for a, b in zip(said, usual, strict=True)):
        return None
    return (
        None,
        "its TIFF tags say other primaries than sRGB; they were left out, and colours may look different",
    )


def _of_exif(image: Image.Image) -> tuple[bytes | None, str]:
    """Return a remark where EXIF says Adobe RGB (DCF 2.0), which some programs heed and browsers do not."""
    try:
        # not through Pillow, which prints warnings about damaged fields
        found = Directories.of((image.info.get("exif") or b"").removeprefix(b"Exif\0\0"))
        main = found.tags(next(found.starts(), 0))
        photo = found.tags(found.integers(main, EXIF_IFD)[0])
        if found.integers(photo, COLOUR_SPACE) == (2,):
            return None, ADOBE
        index = found.raw(found.tags(found.integers(photo, INTEROPERABILITY)[0]), 1)
    except (ValueError, IndexError):
        return None, ""
    return None, ADOBE if index.startswith(b"R03") else ""


SAID: dict[str, Callable[[Image.Image, bytes, bool], Found]] = {
    "PNG": _of_png,
    "AVIF": _of_boxes,
    "HEIF": _of_boxes,
    "BMP": _of_bmp,
    "TIFF": _of_tiff,
}
