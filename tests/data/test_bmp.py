"""BMP files of every depth, made by hand, with the colours that their masks and tables say."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from corpus import colours, packed
from unlearnable.data.decoding import decode
from unlearnable.errors import DataError

HEIGHT, WIDTH = 14, 21
RGB = colours(HEIGHT, WIDTH)
ALPHA = colours(HEIGHT, WIDTH, seed=3)[..., 1]
TABLE = np.random.default_rng(1).integers(0, 256, (256, 3), dtype=np.uint8)
PLAIN, RLE8, RLE4, MASKS = 0, 1, 2, 3


def bmp(
    rows: list[bytes],
    bits: int,
    compression: int = PLAIN,
    masks: tuple[int, ...] = (),
    table: np.ndarray | None = None,
    top_down: bool = False,
    header: int = 40,
) -> bytes:
    """A BMP file: rows from the upper one on, without padding."""
    padded = [row + bytes(-len(row) % 4) for row in (rows if top_down else rows[::-1])]
    body = b"".join(padded) if compression in (PLAIN, MASKS) else b"".join(rows[::-1])
    colours_of = b"" if table is None else b"".join(bytes([*entry[::-1], 0]) for entry in table)
    beside = b"".join(mask.to_bytes(4, "little") for mask in masks)
    height = -HEIGHT if top_down else HEIGHT
    head = struct.pack("<IiiHHIIiiII", header, WIDTH, height, 1, bits, compression, len(body), 0, 0, 0, 0)
    head = (head + beside).ljust(max(header, len(head + beside)), b"\0")
    if table is not None:
        head = head[:32] + struct.pack("<I", len(table)) + head[36:]
    start = 14 + len(head) + len(colours_of)
    return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + head + colours_of + body


def rows_of(pixels: np.ndarray) -> list[bytes]:
    return [row.tobytes() for row in np.ascontiguousarray(pixels)]


def scaled(levels: np.ndarray, bits: int) -> np.ndarray:
    return np.rint(levels.astype(int) * 255 / (2**bits - 1))


@pytest.mark.parametrize("top_down", [False, True])
def test_24_bits(top_down: bool) -> None:
    assert np.array_equal(decode(bmp(rows_of(RGB[..., ::-1]), 24, top_down=top_down), "x").pixels, RGB)


@pytest.mark.parametrize("masks", [(0xF800, 0x7E0, 0x1F), (0x7C00, 0x3E0, 0x1F), ()])
def test_16_bits(masks: tuple[int, ...]) -> None:
    green = 6 if masks[:1] == (0xF800,) else 5
    r, g, b = RGB[..., 0] >> 3, RGB[..., 1] >> (8 - green), RGB[..., 2] >> 3
    words = (r.astype(np.uint16) << (5 + green)) | (g.astype(np.uint16) << 5) | b
    data = bmp(rows_of(words.astype("<u2")), 16, MASKS if masks else PLAIN, masks)
    expected = np.stack([scaled(r, 5), scaled(g, green), scaled(b, 5)], -1)
    assert np.abs(decode(data, "x").rgb() - expected).max() <= 1


@pytest.mark.parametrize("kind", ["alpha", "no alpha", "alpha of zeros", "opaque", "fourth byte"])
def test_32_bits(kind: str) -> None:
    alpha = {"alpha": ALPHA, "alpha of zeros": ALPHA * 0, "opaque": ALPHA * 0 + 255}.get(kind, ALPHA)
    rows = rows_of(np.dstack([RGB[..., ::-1], alpha]))
    masks = (0xFF0000, 0xFF00, 0xFF, 0 if kind == "no alpha" else 0xFF000000)
    plain = kind == "fourth byte"
    data = bmp(rows, 32) if plain else bmp(rows, 32, MASKS, masks, header=108)
    photo = decode(data, "x")
    assert np.array_equal(photo.rgb(), RGB)
    assert (photo.alpha is not None) == (kind == "alpha")
    assert kind != "alpha" or np.array_equal(photo.alpha, ALPHA)


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_palettes(bits: int) -> None:
    levels = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) % 2**bits
    rows = [packed(row[None], bits) for row in levels]
    data = bmp(rows, bits, table=TABLE[: 2**bits])
    assert np.array_equal(decode(data, "x").rgb(), TABLE[levels])


@pytest.mark.parametrize(("bits", "compression"), [(8, RLE8), (4, RLE4)])
def test_run_lengths(bits: int, compression: int) -> None:
    levels = (np.add.outer(np.arange(HEIGHT), np.arange(WIDTH) // 3) % 2**bits).astype(np.uint8)
    rows = []
    for row in levels:
        runs = [row[at : at + 3] for at in range(0, WIDTH, 3)]
        value = [int(run[0]) * (1 if bits == 8 else 17) for run in runs]
        rows.append(b"".join(bytes([3, one]) for one in value) + b"\0\0")
    rows[0] += b"\0\1"
    data = bmp(rows, bits, compression, table=TABLE[: 2**bits])
    assert np.array_equal(decode(data, "x").rgb(), TABLE[levels])


@pytest.mark.parametrize(("alpha", "read"), [(0x8000, False), (0, True)])
def test_16_bits_with_transparency_are_refused(alpha: int, read: bool) -> None:
    words = (RGB[..., 0] >> 3).astype("<u2") | 0x8000
    data = bmp(rows_of(words), 16, MASKS, (0x7C00, 0x3E0, 0x1F, alpha), header=108)
    if read:
        assert decode(data, "x").size == (HEIGHT, WIDTH)
        return
    with pytest.raises(DataError, match="BMP file of 16 bits with transparency"):
        decode(data, "x")
