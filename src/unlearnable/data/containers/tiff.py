"""TIFF: the first picture of full size, in the layouts that are known to be read rightly."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, TiffImagePlugin

from unlearnable.data.containers.base import ONLY_FIRST, Container, Data, Unsupported
from unlearnable.data.containers.ifd import ORIENTATION, WIDTH, Directories, Tag, upright

NEW_SUBFILE, SUBFILE, WIDE, HIGH, BITS, COMPRESSION, PHOTOMETRIC = 254, 255, 256, 257, 258, 259, 262
FILL_ORDER, STRIP_OFFSETS, SAMPLES, ROWS_PER_STRIP, PLANAR = 266, 273, 277, 278, 284
PREDICTOR, COLOUR_MAP, TILE_WIDE, INK_SET, EXTRA_SAMPLES, SAMPLE_FORMAT = 317, 320, 322, 332, 338, 339
SUBSAMPLING, XMP, PROFILE, COLOUR_FILTER = 530, 700, 34675, 33421
# tags that Pillow and libtiff need for pixels: the above, lengths of strips and tiles, options of fax
# compression, primary colours, tables of JPEG, and the definition of YCbCr
PIXELS = frozenset(
    {WIDE, HIGH, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, STRIP_OFFSETS, SAMPLES, ROWS_PER_STRIP, PLANAR}
    | {PREDICTOR, COLOUR_MAP, TILE_WIDE, EXTRA_SAMPLES, SAMPLE_FORMAT, SUBSAMPLING}
    | {279, 292, 293, 318, 319, 323, 324, 325, 347, *range(512, 522), 529, 531, 532}
)
# values of NEW_SUBFILE and SUBFILE for a smaller copy and for a mask
REDUCED_OR_MASK, REDUCED = 1 | 4, 2
READ = WHITE_IS_0, BLACK_IS_0, RGB, MAPPED, CMYK, YCBCR = 0, 1, 2, 3, 5, 6
# channels that may be in separate planes: colours, number, and kind of the extra one (2: plain alpha)
PLANES = frozenset({(RGB, 3), (RGB, 4, 2), (CMYK, 4), (YCBCR, 3)})
UNSIGNED = 1
UNCOMPRESSED, JPEGS = 1, frozenset({6, 7})
# none, fax (3), LZW, JPEG (2), deflate (2), PackBits, LZMA, Zstandard
COMPRESSIONS = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 32946, 32773, 34925, 50000})
FORMATS = {2: "signed", 3: "floating-point", 5: "complex", 6: "complex"}
NAMES = {4: "a mask"} | dict.fromkeys((8, 9, 10), "L*a*b* colours")
NAMES |= dict.fromkeys((32803, 34892), "the raw data of a camera")
NAMES |= dict.fromkeys((32844, 32845), "high dynamic range")


@dataclass(frozen=True)
class Page:
    """The layout of a picture."""

    size: tuple[int, int]
    photometric: int
    bits: int
    samples: int
    compression: int
    fill_order: int
    planar: bool
    tiled: bool
    predictor: int


def read(data: Data) -> Container:
    """Return the first full-size picture of a TIFF file, taken apart.

    Raises:
        Unsupported: If there is none, or its pixels have a layout that is not known to be read rightly.
        ValueError: If the file is damaged.
    """
    found = Directories.of(data)
    starts = list(found.starts())
    chosen = next(((start, tags) for start in starts if not _reduced(found, tags := found.tags(start))), None)
    if chosen is None:
        if not starts:
            raise ValueError("it has no picture")
        raise Unsupported("contains smaller copies only, or masks, but no picture of full size")
    start, tags = chosen
    page = _page(found, tags)
    notes = []
    if start != starts[0]:
        notes.append("only the first picture of full size in the file was read")
    elif len(starts) > 1:
        notes.append(ONLY_FIRST)
    if 0 in found.integers(tags, EXTRA_SAMPLES):
        notes.append("a channel that does not say what it is for was left out")
    if page.bits > 8 and page.samples > 1:
        notes.append("16 bits per channel, read as 8")

    def load() -> Image.Image:
        return _decoded(found, tags, page)

    return Container(
        "TIFF",
        page.size,
        load,
        upright(found.integers(tags, ORIENTATION, (1,))),
        _exif(found, start, starts[0]),
        found.raw(tags, XMP),
        found.raw(tags, PROFILE) or None,
        tuple(notes),
    )


def _exif(found: Directories, start: int, first: int) -> bytes:
    # A TIFF file is an EXIF block; of an open file, no more than its directories is read.
    if not isinstance(found.data, bytes):
        return b""
    return found.data if start == first else _pointing(found, start, b"")


def _reduced(found: Directories, tags: dict[int, Tag]) -> bool:
    new, old = found.integers(tags, NEW_SUBFILE, (0,)), found.integers(tags, SUBFILE, (0,))
    return bool(new[0] & REDUCED_OR_MASK) or old[0] == REDUCED


def _page(found: Directories, tags: dict[int, Tag]) -> Page:
    def one(tag: int, default: int) -> int:
        return found.integers(tags, tag, (default,))[0]

    width, height, compression = one(WIDE, 0), one(HIGH, 0), one(COMPRESSION, UNCOMPRESSED)
    samples = one(SAMPLES, 1)
    bits = found.integers(tags, BITS, (1,))
    formats = found.integers(tags, SAMPLE_FORMAT, (UNSIGNED,))
    photometric = one(PHOTOMETRIC, YCBCR if compression in JPEGS else -1)
    if width <= 0 or height <= 0:
        raise ValueError("it does not say its size")
    if COLOUR_FILTER in tags or photometric not in READ:
        kind = NAMES.get(photometric, "unknown colours")
        raise Unsupported(f"is a TIFF file with {kind}, which is not read")
    if compression not in COMPRESSIONS:
        raise Unsupported(f"is a TIFF file with compression {compression}, which is not read")
    if set(formats) - {UNSIGNED, 4}:
        kind = FORMATS.get(next(iter(set(formats) - {UNSIGNED, 4})), "unknown")
        raise Unsupported(f"is a TIFF file with {kind} pixels, which have no 8-bit reference")
    if len(set(bits[:samples])) > 1:
        raise Unsupported("is a TIFF file whose channels have different depths, which is not read")
    page = Page(
        (width, height),
        photometric,
        bits[0],
        samples,
        compression,
        one(FILL_ORDER, 1),
        one(PLANAR, 1) == 2 and samples > 1,
        TILE_WIDE in tags,
        one(PREDICTOR, 1),
    )
    problem = _problem(found, tags, page)
    if problem:
        raise Unsupported(f"is a TIFF file with {problem}, which is not read")
    return page


def _problem(found: Directories, tags: dict[int, Tag], page: Page) -> str:
    """Return what Pillow is not known to read rightly in a picture; empty if nothing."""
    grey = page.photometric in (WHITE_IS_0, BLACK_IS_0)
    extra = found.integers(tags, EXTRA_SAMPLES)
    if found.big and found.order == "big":
        return "the big-endian order of BigTIFF"
    if page.bits > 16:
        return f"{page.bits}-bit pixels"
    if grey and page.samples == 1:
        whole = page.bits in (1, 2, 4, 8)
        if page.compression in JPEGS and page.bits != 8:
            return f"JPEG of {page.bits} bits"
        if page.fill_order != 1 and not whole:
            return f"{page.bits}-bit grey in reversed bit order"
        if not whole and page.bits != 16 and (page.tiled or page.predictor != 1):
            return f"{page.bits}-bit grey in tiles or with a predictor"
        return ""
    if page.planar and (page.photometric, page.samples, *extra) not in PLANES:
        return "these channels in separate planes"
    if grey and (page.bits != 8 or page.photometric == WHITE_IS_0):
        return f"{page.bits}-bit grey and alpha"
    if page.photometric == MAPPED:
        return "" if page.bits in (1, 2, 4, 8) else f"a palette of {page.bits} bits"
    if page.bits not in (8, 16):
        return f"{page.bits}-bit colours"
    if page.bits == 16 and (page.planar or page.photometric == YCBCR):
        return "16-bit colours in separate planes" if page.planar else "16-bit YCbCr colours"
    if page.photometric == CMYK and (found.integers(tags, INK_SET, (1,))[0] != 1 or page.samples < 4):
        return "inks other than CMYK"
    if page.photometric == CMYK and set(extra) - {0}:
        return "CMYK and alpha"
    # without a tag, colours have half the resolution
    halved = found.integers(tags, SUBSAMPLING, (2, 2)) != (1, 1)
    if page.photometric == YCBCR and page.compression == UNCOMPRESSED and halved:
        return "YCbCr of reduced colour resolution without compression"
    return ""


def _pointing(found: Directories, start: int, more: bytes) -> bytes:
    """Return the file with bytes at its end and its first directory at a place."""
    whole = found.data[0 : len(found.data)]
    at, length = (8, 8) if found.big else (4, 4)
    return whole[:at] + start.to_bytes(length, found.order) + whole[at + length :] + more


def _rewritten(found: Directories, tags: dict[int, Tag], changes: dict[int, int]) -> bytes:
    """Return the file with a directory that alone counts: the tags of the pixels, some changed."""
    head, inline = (8, 8) if found.big else (2, 4)
    entries = {tag: found_tag.entry for tag, found_tag in tags.items() if tag in PIXELS}
    for tag, value in changes.items():
        # type 4: one integer of four bytes
        numbers = ((tag, 2), (4, 2), (1, inline), (value, 4))
        entry = b"".join(number.to_bytes(length, found.order) for number, length in numbers)
        entries[tag] = entry + bytes(inline - WIDTH[4])
    padding = bytes(len(found.data) % 2)
    body = b"".join(entries[tag] for tag in sorted(entries))
    directory = len(entries).to_bytes(head, found.order) + body + bytes(inline)
    return _pointing(found, len(found.data) + len(padding), padding + directory)


def _opened(found: Directories, tags: dict[int, Tag], changes: dict[int, int]) -> Image.Image:
    image = _Tiff(io.BytesIO(_rewritten(found, tags, changes)))
    image.load()
    return image


class _Tiff(TiffImagePlugin.TiffImageFile):
    def load_prepare(self) -> None:
        # made here, because Pillow would compare the size with a limit that belongs to the whole process
        self.im = Image.new(self.mode, self.size).im
        super().load_prepare()


def _decoded(found: Directories, tags: dict[int, Tag], page: Page) -> Image.Image:
    deep = page.samples == 1 and page.photometric in (WHITE_IS_0, BLACK_IS_0)
    if deep and page.bits not in (1, 2, 4, 8):
        levels = _sixteen(found, tags) if page.bits == 16 else _packed(found, tags, page)
        table = np.rint(np.arange(2**page.bits) / (2**page.bits - 1) * 255).astype(np.uint8)
        return Image.fromarray((table if page.photometric == BLACK_IS_0 else 255 - table)[levels])
    image = _opened(found, tags, {})
    colours = found.integers(tags, COLOUR_MAP)
    if page.photometric == MAPPED and colours and max(colours) < 256 and image.mode == "P":
        # some programs write colours of 8 bits where 16 are meant
        image.putpalette(np.array(colours, np.uint8).reshape(3, -1).T.tobytes())
    return image


def _sixteen(found: Directories, tags: dict[int, Tag]) -> np.ndarray[Any, Any]:
    return np.asarray(_opened(found, tags, {PHOTOMETRIC: BLACK_IS_0}))


def _packed(found: Directories, tags: dict[int, Tag], page: Page) -> np.ndarray[Any, Any]:
    """Return levels of an odd number of bits: the rows are read as bytes, then taken apart."""
    width, height = page.size
    row = -(-width * page.bits // 8)
    # rows begin at whole bytes
    changes = {WIDE: row, BITS: 8, PHOTOMETRIC: BLACK_IS_0, ROWS_PER_STRIP: height}
    if ROWS_PER_STRIP in tags:
        del changes[ROWS_PER_STRIP]
    bits = np.unpackbits(np.asarray(_opened(found, tags, changes)), axis=1)[:, : width * page.bits]
    weights = 1 << np.arange(page.bits - 1, -1, -1)
    return np.asarray((bits.reshape(height, width, page.bits) * weights).sum(-1))
