"""Photos as people have them: every kind of file of docs/photos.md in several sizes, with what each must
become.

The expected pixels are computed from the arrays the files are made of, by NumPy alone, so that nothing here
trusts the code it tests.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageCms

SIZES = ((1, 1), (3, 17), (64, 48), (121, 200))


@dataclass(frozen=True)
class Case:
    """A file and what it must be read as: ``expected`` has the shape (H, W), (H, W, 2), (H, W, 3) or (H, W,
    4).
    """

    name: str
    data: bytes
    expected: np.ndarray
    note: str = ""
    tolerance: int = 0
    profile: bytes | None = None


def colours(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth colours with both ends of the range in them: uint8 (H, W, 3), never grey."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / (5 + c) + seed) * np.cos(y / (7 - c)) for c in range(3)]
    image = np.clip(np.rint(np.stack(waves, -1) * 150 + 128 + np.array([0, 40, -40])), 0, 255).astype(
        np.uint8
    )
    image[0, 0] = (255, 0, 9)
    return image


def saved(image: Image.Image, format: str, **more: object) -> bytes:
    """The bytes of an image file."""
    buffer = io.BytesIO()
    image.save(buffer, format, **more)
    return buffer.getvalue()


def decoded(data: bytes) -> np.ndarray:
    """What a lossy file holds, for files whose pixels only their decoder knows."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def chunk(kind: bytes, body: bytes, wrong: int = 0) -> bytes:
    """A chunk of a PNG file; with a wrong checksum if asked."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body) ^ wrong)


def packed(levels: np.ndarray, bits: int) -> bytes:
    """Levels (H, W) or (H, W, C) of fewer than 16 bits, in rows of whole bytes, as PNG and TIFF have them."""
    rows = levels.reshape(len(levels), -1)
    ones = (rows[..., None] >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(ones.reshape(len(rows), -1).astype(np.uint8), axis=1).tobytes()


def png(
    levels: np.ndarray,
    depth: int,
    colour: int,
    chunks: Sequence[tuple[bytes, bytes] | bytes] = (),
    after: bytes = b"",
) -> bytes:
    """A PNG file by hand.

    Args:
        levels: (H, W) or (H, W, C) integers below 2 ** depth.
        depth: Bits per channel.
        colour: PNG's colour type.
        chunks: Chunks before the pixels: kind and content, or all bytes of the chunk.
        after: Bytes between the pixels and the end.
    """
    height, width = levels.shape[:2]
    body = levels.astype(">u2").tobytes() if depth == 16 else packed(levels, depth)
    row = len(body) // height
    rows = b"".join(b"\0" + body[at : at + row] for at in range(0, len(body), row))
    before = b"".join(one if isinstance(one, bytes) else chunk(*one) for one in chunks)
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + before
        + chunk(b"IDAT", zlib.compress(rows))
        + after
        + chunk(b"IEND", b"")
    )


def png16(pixels: np.ndarray) -> bytes:
    """A 16-bit colour PNG, which Pillow cannot write: uint16 (H, W, 3)."""
    return png(pixels, 16, 2)


def tiff(*pages: tuple[bytes, dict[int, int | tuple[int, ...]]], order: str = "<") -> bytes:
    """A TIFF file by hand: for each page the bytes of its pixels, and its tags, all integers.

    Width and height must be among the tags. Pages are stored in one strip, without compression.
    """
    out = bytearray((b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8))
    for number, (body, given) in enumerate(pages):
        tags = {258: 8, 259: 1, 262: 1, 273: 0, 277: 1, 278: given[257], 279: len(body), **given}
        start = len(out) + 2 + 12 * len(tags) + 4
        beside, entries = b"", b""
        for tag, value in sorted(tags.items()):
            values = value if isinstance(value, tuple) else (value,)
            if tag == 273:
                lists = [len(v) for v in tags.values() if isinstance(v, tuple) and len(v) > 1]
                values = (start + 4 * sum(lists),)
            numbers = struct.pack(f"{order}{len(values)}I", *values)
            if len(values) > 1:
                numbers, beside = struct.pack(order + "I", start + len(beside)), beside + numbers
            entries += struct.pack(order + "HHI", tag, 4, len(values)) + numbers
        rest = beside + body + bytes(len(body) % 2)
        following = start + len(rest) if number + 1 < len(pages) else 0
        out += struct.pack(order + "H", len(tags)) + entries + struct.pack(order + "I", following) + rest
    return bytes(out)


def srgb() -> bytes:
    """An RGB profile."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def oriented(value: int) -> bytes:
    """EXIF data with an orientation and a place."""
    exif = Image.Exif()
    exif[274] = value
    exif.get_ifd(0x8825)[1] = "N"
    return exif.tobytes()


def cases(size: tuple[int, int]) -> Iterator[Case]:
    """Every kind of file for one (height, width)."""
    rgb = colours(*size)
    grey = rgb[..., 0].copy()
    alpha = colours(*size, seed=3)[..., 1].copy()
    see_through = np.dstack([rgb, alpha])
    grey_alpha = np.dstack([grey, alpha])
    picture = Image.fromarray(rgb)
    lossless = {
        "png": ("PNG", {}),
        "tif": ("TIFF", {}),
        "bmp": ("BMP", {}),
        "webp": ("WEBP", {"lossless": True}),
    }
    for extension, (format, more) in lossless.items():
        yield Case(f"colour.{extension}", saved(picture, format, **more), rgb)
    for extension, format in (("jpg", "JPEG"), ("avif", "AVIF")):
        data = saved(picture, format, quality=95)
        yield Case(f"lossy.{extension}", data, decoded(data))
    yield Case("profile.png", saved(picture, "PNG", icc_profile=srgb()), rgb, profile=srgb())
    yield Case("grey.png", saved(Image.fromarray(grey), "PNG"), grey)
    yield Case("grey-as-colour.png", saved(Image.fromarray(np.repeat(grey[..., None], 3, 2)), "PNG"), grey)
    yield Case(
        "bilevel.png",
        saved(Image.fromarray(grey).convert("1"), "PNG"),
        np.asarray(Image.fromarray(grey).convert("1")) * np.uint8(255),
    )
    yield Case("alpha.png", saved(Image.fromarray(see_through), "PNG"), see_through)
    yield Case(
        "alpha.webp", saved(Image.fromarray(see_through), "WEBP", lossless=True, exact=True), see_through
    )
    yield Case("grey-alpha.png", saved(Image.fromarray(grey_alpha), "PNG"), grey_alpha)
    table = np.random.default_rng(1).integers(0, 256, (256, 3), dtype=np.uint8)
    palette = Image.fromarray(grey, "P")
    palette.putpalette(table.tobytes())
    yield Case("palette.png", saved(palette, "PNG"), table[grey])
    holes = np.dstack([table[grey], np.where(grey == grey[0, 0], 0, 255).astype(np.uint8)])
    yield Case("palette-holes.png", saved(palette, "PNG", transparency=int(grey[0, 0])), holes)
    frames = [Image.fromarray(colours(*size, seed=s)) for s in (0, 1)]
    if min(size) > 1:
        data = saved(frames[0], "TIFF", save_all=True, append_images=frames[1:])
        yield Case("pages.tif", data, rgb, note="the first of several")
    deep = grey.astype(np.uint16) * 257 + np.uint16(100)
    deep = np.minimum(deep.astype(int), 65535).astype(np.uint16)
    levels = np.rint(deep / 257).astype(np.uint8)
    yield Case("deep-grey.png", saved(Image.fromarray(deep), "PNG"), levels)
    yield Case("deep-grey.tif", saved(Image.fromarray(deep), "TIFF"), levels)
    yield Case("deep-colour.png", png16(rgb.astype(np.uint16) * 257), rgb, note="16 bits per channel")
    data = saved(picture.convert("CMYK"), "TIFF")
    yield Case(
        "cmyk.tif", data, np.asarray(picture.convert("CMYK").convert("RGB")), note="CMYK without a profile"
    )
    for value, turned in (
        (3, rgb[::-1, ::-1]),
        (6, np.rot90(rgb, -1)),
        (8, np.rot90(rgb)),
        (2, rgb[:, ::-1]),
    ):
        yield Case(
            f"orientation-{value}.png",
            saved(picture, "PNG", exif=oriented(value)),
            np.ascontiguousarray(turned),
        )


def broken() -> dict[str, bytes]:
    """Files that cannot be used, by name: each must end as a listed skip with a reason."""
    whole = saved(Image.fromarray(colours(60, 80)), "JPEG", quality=90)
    png = bytearray(saved(Image.fromarray(colours(60, 80)), "PNG"))
    png[16:24] = struct.pack(">II", 40_000, 40_000)  # a header that claims 1.6 billion pixels
    png[29:33] = struct.pack(">I", zlib.crc32(bytes(png[12:29])))
    float_tiff = saved(Image.fromarray(np.ones((8, 8), np.float32)), "TIFF")
    return {
        "empty.jpg": b"",
        "cut.jpg": whole[: len(whole) // 2],
        "text.png": b"hello",
        "billion.png": bytes(png),
        "float.tif": float_tiff,
        "phone.heic": b"\0\0\0\x18ftypheic" + bytes(40),
        "header.webp": b"RIFF\xff\xff\xff\x7fWEBPVP8L" + bytes(20),
    }
