"""ICC profiles: a test of those found in files, and small ones made from primaries and curves."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from PIL import ImageCms

Point = tuple[float, float]
D65: Point = (0.3127, 0.3290)
SRGB: tuple[Point, Point, Point] = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
# X, Y and Z of the white that every profile refers to
D50 = np.array([0.9642, 1.0, 0.8249])
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
HEADER = 128
GAMMAS = (0.1, 20.0)
TABLE = 1024


def accepted(profile: bytes, mode: str) -> bytes:
    """Return a profile up to its end, or nothing if a colour-management engine refuses it.

    Bytes behind the length in its header are padding, which readers ignore.

    Args:
        profile: The bytes found in a file.
        mode: Mode of the pixels that it describes: ``L`` or ``RGB``.
    """
    length = int.from_bytes(profile[:4])
    whole = profile[:length]
    sound = HEADER <= length <= len(profile) and profile[36:40] == b"acsp"
    return whole if sound and _builds(whole, mode) else b""


# Photos of one camera share their profile.
@lru_cache(maxsize=16)
def _builds(profile: bytes, mode: str) -> bool:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return False
    return True


def space(profile: bytes) -> str:
    """Return the colour space of a profile: ``RGB``, ``GRAY``, ``CMYK`` or another name."""
    return profile[16:20].decode("latin-1").strip()


def gamma(exponent: float) -> bytes:
    """Return the tone curve ``linear = level ** exponent``.

    Raises:
        ValueError: If no screen has such a curve.
    """
    if not GAMMAS[0] <= exponent <= GAMMAS[1]:
        raise ValueError(f"a gamma of {exponent:g} is out of range")
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(exponent * 256))


def sampled(function: Callable[[np.ndarray], np.ndarray]) -> bytes:
    """Return a tone curve as a table of a function from levels to light, both in [0, 1]."""
    values = np.rint(function(np.linspace(0, 1, TABLE)) * 65535).astype(">u2")
    return b"".join([b"curv", bytes(4), struct.pack(">I", TABLE), values.tobytes()])


def srgb_curve() -> bytes:
    """Return the tone curve of sRGB (IEC 61966-2-1)."""
    return sampled(lambda v: np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4))


def rgb(primaries: Sequence[Point], white: Point, curves: Sequence[bytes], version: int = 2) -> bytes:
    """Return an RGB profile (ICC.1:2001-04).

    Args:
        primaries: Chromaticities (x, y) of red, green and blue.
        white: Chromaticity of the white.
        curves: Tone curves of red, green and blue.
        version: Version of the format; curves of type ``para`` need 4.

    Raises:
        ValueError: If the primaries span no colour space.
    """
    columns = np.array([_xyz(point) for point in primaries]).T
    light = _xyz(white)
    try:
        matrix = columns * np.linalg.solve(columns, light)
    except np.linalg.LinAlgError as error:
        raise ValueError("the primaries span no colour space") from error
    # the von Kries adaptation of the white to D50 in Bradford's space
    adapted = np.linalg.inv(BRADFORD) @ np.diag((BRADFORD @ D50) / (BRADFORD @ light)) @ BRADFORD @ matrix
    tags = [(f"{name}XYZ".encode(), _place(column)) for name, column in zip("rgb", adapted.T, strict=True)]
    tags += [(f"{name}TRC".encode(), curve) for name, curve in zip("rgb", curves, strict=True)]
    return _profile(b"RGB ", tags, version)


def grey(curve: bytes) -> bytes:
    """Return a profile for pictures of one channel."""
    return _profile(b"GRAY", [(b"kTRC", curve)], 2)


def grey_as_rgb(profile: bytes) -> bytes:
    """Return an RGB profile that shows three equal channels as a grey profile shows one.

    Returns:
        The profile; nothing if the grey profile has no tone curve.
    """
    for index in range(int.from_bytes(profile[HEADER : HEADER + 4])):
        name, offset, length = struct.unpack_from(">4sII", profile, HEADER + 4 + 12 * index)
        if name == b"kTRC":
            return rgb(SRGB, D65, [profile[offset : offset + length]] * 3, version=profile[8])
    return b""


def _xyz(point: Point) -> np.ndarray:
    x, y = point
    if y <= 0:
        raise ValueError("a chromaticity has no light")
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _place(xyz: np.ndarray) -> bytes:
    return b"XYZ " + bytes(4) + _numbers(xyz)


def _numbers(xyz: np.ndarray) -> bytes:
    return struct.pack(">3i", *(round(float(value) * 65536) for value in xyz))


def _text(words: str, version: int, old: bytes) -> bytes:
    if version >= 4:
        encoded = words.encode("utf-16-be")
        return b"mluc" + bytes(4) + struct.pack(">II4sII", 1, 12, b"enUS", len(encoded), 28) + encoded
    if old == b"text":
        return b"text" + bytes(4) + words.encode() + b"\0"
    return b"desc" + bytes(4) + struct.pack(">I", len(words) + 1) + words.encode() + bytes(79)


def _profile(kind: bytes, tags: Sequence[tuple[bytes, bytes]], version: int) -> bytes:
    head = [(b"desc", _text("The colours of the photo", version, b"desc"))]
    head += [(b"cprt", _text("No copyright", version, b"text")), (b"wtpt", _place(D50))]
    tags = [*head, *tags]
    table, body = struct.pack(">I", len(tags)), b""
    start = HEADER + 4 + 12 * len(tags)
    places: dict[bytes, int] = {}
    for name, data in tags:
        if data not in places:
            # equal curves are stored once
            places[data] = start + len(body)
            body += data + bytes(-len(data) % 4)
        table += struct.pack(">4sII", name, places[data], len(data))
    header = struct.pack(
        ">I4xBB2x4s4s4s6H4s28x",
        start + len(body),
        version,
        0x40,
        b"mntr",
        kind,
        b"XYZ ",
        2000,
        1,
        1,
        0,
        0,
        0,
        b"acsp",
    )
    return (header + _numbers(D50)).ljust(HEADER, b"\0") + table + body
