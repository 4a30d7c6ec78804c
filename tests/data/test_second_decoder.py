"""Pixels that are read, compared with those of libvips, a decoder that shares no code with Pillow.

Every format, depth and mode of docs/photos.md is here: ``decode`` returns what libvips shows of a file, and
what is published shows the same again. Where libvips is known to be wrong, NumPy computes the right pixels.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from corpus import colours, packed, png, saved, tiff
from unlearnable.data.decoding import decode
from unlearnable.data.encoding import Encoding, encode

tifffile = pytest.importorskip("tifffile")
vips = pytest.importorskip("pyvips", reason="the second decoder is absent: pip install 'pyvips[binary]'")

HEIGHT, WIDTH = 37, 53
RGB = colours(HEIGHT, WIDTH)
GREY = RGB[..., 0].copy()
ALPHA = colours(HEIGHT, WIDTH, seed=3)[..., 1].copy()
DEEP = (RGB.astype(np.uint16) << 8) + RGB[..., ::-1]
DEEP_ALPHA = (ALPHA.astype(np.uint16) << 8) + GREY
TABLE = np.random.default_rng(1).integers(0, 256, (256, 3), dtype=np.uint8)


def shown(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Colours, int (H, W, 3), and alpha, int (H, W), as libvips shows them."""
    image = vips.Image.new_from_buffer(data, "").autorot()
    alpha = image.hasalpha()
    if image.format != "uchar":
        image = image.colourspace("srgb" if image.bands > 2 else "b-w").cast("uchar")
    pixels = image.numpy().reshape(image.height, image.width, image.bands).astype(int)
    opaque = pixels[..., : -1 if alpha else None]
    rgb = opaque[..., :3] if opaque.shape[2] >= 3 else np.repeat(opaque[..., :1], 3, 2)
    return rgb, pixels[..., -1] if alpha else np.full(rgb.shape[:2], 255)


def read(data: bytes, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Colours and alpha as ``decode`` returns them."""
    photo = decode(data, name)
    alpha = photo.alpha
    rgb = photo.rgb().astype(int)
    return rgb, np.full(rgb.shape[:2], 255) if alpha is None else alpha.astype(int)


def on_grounds(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """A picture on black and on white, which is what people see of it."""
    weight = alpha[..., None] / 255
    return np.stack([rgb * weight, rgb * weight + 255 * (1 - weight)])


def judge(data: bytes, name: str, tolerance: float) -> None:
    rgb, alpha = read(data, name)
    expected, expected_alpha = shown(data)
    assert rgb.shape == expected.shape
    assert np.abs(alpha - expected_alpha).max() <= (1 if tolerance else 0)
    change = np.abs(on_grounds(rgb, alpha) - on_grounds(expected, expected_alpha)).max()
    assert change <= tolerance + 0.01, f"{name}: {change:.1f} levels"


def _pngs() -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for depth in (1, 2, 4, 8, 16):
        levels = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) * (97 if depth == 16 else 1) % 2**depth
        key = int(levels[3, 4])
        files[f"grey-{depth}"] = png(levels, depth, 0)
        files[f"grey-{depth}-key"] = png(levels, depth, 0, [(b"tRNS", key.to_bytes(2))])
        if depth <= 8:
            plte = (b"PLTE", TABLE[: 2**depth].tobytes())
            some = bytes(index * 37 % 256 for index in range(2**depth))
            files[f"palette-{depth}"] = png(levels, depth, 3, [plte])
            files[f"palette-{depth}-alpha"] = png(levels, depth, 3, [plte, (b"tRNS", some)])
            files[f"palette-{depth}-short"] = png(levels, depth, 3, [plte, (b"tRNS", b"\x40")])
    for depth, rgb, alpha in ((8, RGB, ALPHA), (16, DEEP, DEEP_ALPHA)):
        key = rgb[5, 6].astype(">u2").tobytes()
        files[f"colour-{depth}"] = png(rgb, depth, 2)
        files[f"colour-{depth}-key"] = png(rgb, depth, 2, [(b"tRNS", key)])
        files[f"colour-{depth}-alpha"] = png(np.dstack([rgb, alpha]), depth, 6)
        files[f"grey-{depth}-alpha"] = png(np.dstack([rgb[..., 0], alpha]), depth, 4)
    files["almost-key"] = png(DEEP, 16, 2, [(b"tRNS", (DEEP[5, 6] ^ 1).astype(">u2").tobytes())])
    for name, pixels in (("grey", GREY), ("colour", RGB), ("alpha", np.dstack([RGB, ALPHA])), ("deep", DEEP)):
        files[f"interlaced-{name}"] = vips.Image.new_from_array(pixels).pngsave_buffer(interlace=True)
    return files


def _tiffs() -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for order in "<>":
        for white_is_0 in (True, False):
            for bits in (1, 2, 4, 8, 16):
                levels = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) * 31 % 2**bits
                body = levels.astype(f"{order}u2").tobytes() if bits == 16 else packed(levels, bits)
                tags = {256: WIDTH, 257: HEIGHT, 258: bits, 262: 0 if white_is_0 else 1}
                files[f"grey-{bits}{order}{white_is_0}"] = tiff((body, tags), order=order)
        for name, pixels in (("colour", RGB), ("colour-16", DEEP)):
            planes = np.ascontiguousarray(np.moveaxis(pixels, -1, 0))
            for compression in (None, "zlib"):
                for predictor in (False, True) if compression else (False,):
                    options: dict[str, Any] = {"compression": compression, "predictor": predictor}
                    options |= {"byteorder": order, "photometric": "rgb"}
                    label = f"{name}{order}{compression}{predictor}"
                    files[label] = written(pixels, **options)
                    if name == "colour":
                        files[f"{label}-planes"] = written(planes, planarconfig="separate", **options)
                    files[f"{label}-tiles"] = written(pixels, tile=(16, 16), **options)
    both = np.dstack([RGB, ALPHA])
    weighted = np.dstack([(RGB.astype(int) * ALPHA[..., None] // 255).astype(np.uint8), ALPHA])
    weighted_16 = np.dstack(
        [(DEEP.astype(int) * DEEP_ALPHA[..., None] // 65535).astype(np.uint16), DEEP_ALPHA]
    )
    for name, pixels, kind in (
        ("alpha", both, "unassalpha"),
        ("premultiplied", weighted, "assocalpha"),
        ("alpha-16", np.dstack([DEEP, DEEP_ALPHA]), "unassalpha"),
        ("premultiplied-16", weighted_16, "assocalpha"),
    ):
        files[name] = written(pixels, photometric="rgb", extrasamples=[kind])
        files[f"{name}-zlib"] = written(pixels, photometric="rgb", extrasamples=[kind], compression="zlib")
    for name, pixels, kind in (
        ("grey-alpha", both[..., 2:], "unassalpha"),
        ("grey-premultiplied", weighted[..., 2:], "assocalpha"),
    ):
        more: dict[str, Any] = {"photometric": "minisblack", "planarconfig": "contig", "extrasamples": [kind]}
        files[name] = written(np.ascontiguousarray(pixels), **more)
    wide = np.ascontiguousarray(TABLE.T.astype(np.uint16) * 257)
    files["palette"] = written(GREY, photometric="palette", colormap=wide)
    files["palette-of-8-bit-colours"] = written(GREY, photometric="palette", colormap=wide // 257)
    files["big"] = written(RGB, photometric="rgb", bigtiff=True)
    files["pages"] = saved(Image.fromarray(RGB), "TIFF", save_all=True, append_images=[Image.fromarray(GREY)])
    picture = Image.fromarray(RGB)
    for compression in ("tiff_lzw", "packbits", "tiff_adobe_deflate", "jpeg"):
        files[compression] = saved(picture, "TIFF", compression=compression)
        files[f"{compression}-grey"] = saved(Image.fromarray(GREY), "TIFF", compression=compression)
    for compression in ("group3", "group4", "tiff_ccitt"):
        files[compression] = saved(Image.fromarray(GREY > 120), "TIFF", compression=compression)
    return files


def written(pixels: np.ndarray, **options: Any) -> bytes:
    """A TIFF file by tifffile, which comes with scikit-image."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, **options)
    return buffer.getvalue()


def _others() -> dict[str, tuple[bytes, float]]:
    """Files of lossy and other formats, and by how many levels decoders may differ."""
    picture, grey = Image.fromarray(RGB), Image.fromarray(GREY)
    holes = Image.fromarray(np.dstack([RGB, ALPHA]))
    files: dict[str, tuple[bytes, float]] = {}
    for name, options in (
        ("4:4:4", {"quality": 95, "subsampling": 0}),
        ("4:2:2", {"quality": 90, "subsampling": 1}),
        ("4:2:0", {"quality": 75, "subsampling": 2}),
        ("progressive", {"quality": 80, "progressive": True}),
        ("rgb", {"quality": 90, "keep_rgb": True}),
        ("restart", {"quality": 90, "restart_marker_rows": 1}),
    ):
        files[f"{name}.jpg"] = saved(picture, "JPEG", **options), 0
    files["grey.jpg"] = saved(grey, "JPEG"), 0
    files["lossless.webp"] = saved(picture, "WEBP", lossless=True), 0
    files["lossy.webp"] = saved(picture, "WEBP", quality=70), 0
    files["alpha.webp"] = saved(holes, "WEBP", lossless=True, exact=True), 0
    files["lossy-alpha.webp"] = saved(holes, "WEBP", quality=70), 0
    files["several.webp"] = saved(picture, "WEBP", lossless=True, save_all=True, append_images=[grey]), 0
    # with full colour resolution, because decoders interpolate a lower one in their own ways
    full = {"quality": 80, "subsampling": "4:4:4"}
    files["colour.avif"] = saved(picture, "AVIF", **full), 1
    files["grey.avif"] = saved(grey, "AVIF", quality=80), 1
    files["alpha.avif"] = saved(holes, "AVIF", **full), 1
    table = picture.quantize(200)
    files["palette.gif"] = saved(table, "GIF"), 0
    files["interlaced.gif"] = saved(table, "GIF", interlace=1), 0
    files["holes.gif"] = saved(table, "GIF", transparency=7), 0
    files["grey.gif"] = saved(grey, "GIF"), 0
    for disposal in (0, 1, 2, 3):
        frames = [picture.quantize(100), grey.quantize(100)]
        files[f"disposal-{disposal}.gif"] = (
            saved(frames[0], "GIF", save_all=True, append_images=frames[1:], disposal=disposal),
            0,
        )
    files["part.gif"] = part_of_canvas(transparency=3), 0
    for value in range(2, 9):
        exif = Image.Exif()
        exif[274] = value
        for format, more in (("JPEG", {"quality": 90}), ("TIFF", {})):
            files[f"turned-{value}.{format}"] = saved(picture, format, exif=exif, **more), 0
        files[f"turned-{value}.webp"] = saved(picture, "WEBP", lossless=True, exif=exif.tobytes()), 0
        files[f"turned-{value}.avif"] = saved(picture, "AVIF", exif=exif.tobytes(), **full), 1
    return files


def part_of_canvas(**options: int) -> bytes:
    """A GIF file whose first picture covers a part of the canvas."""
    data = bytearray(saved(Image.fromarray(RGB).quantize(64), "GIF", **options))
    data[6:10] = (WIDTH + 20).to_bytes(2, "little") + (HEIGHT + 10).to_bytes(2, "little")
    at = data.index(b"," + bytes(4) + WIDTH.to_bytes(2, "little"))
    data[at + 1 : at + 5] = (11).to_bytes(2, "little") + (4).to_bytes(2, "little")
    return bytes(data)


EXACT = {f"{name}.png": data for name, data in _pngs().items()}
EXACT |= {f"{name}.tif": data for name, data in _tiffs().items()}
OTHERS = _others()


@pytest.mark.parametrize("name", EXACT)
def test_lossless_files_are_what_the_second_decoder_shows(name: str) -> None:
    # 16 bits are rounded in some places and cut off in others
    judge(EXACT[name], name, 2 if "16" in name else 1 if "premultiplied" in name else 0)


@pytest.mark.parametrize("name", OTHERS)
def test_other_files_are_what_the_second_decoder_shows(name: str) -> None:
    judge(*OTHERS[name][:1], name, OTHERS[name][1])


@pytest.mark.parametrize("bits", [9, 10, 11, 12, 13, 14, 15, 16])
@pytest.mark.parametrize("order", "<>")
def test_grey_of_any_depth_keeps_its_scale(bits: int, order: str) -> None:
    levels = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) * 31 % 2**bits
    body = levels.astype(f"{order}u2").tobytes() if bits == 16 else packed(levels, bits)
    for photometric in (0, 1):
        data = tiff((body, {256: WIDTH, 257: HEIGHT, 258: bits, 262: photometric}), order=order)
        expected = np.rint(levels / (2**bits - 1) * 255)
        expected = expected if photometric else 255 - expected
        assert np.array_equal(decode(data, "x").pixels, expected)


def test_a_gif_picture_that_covers_a_part_leaves_the_rest_transparent() -> None:
    rgb, alpha = read(part_of_canvas(), "x")
    expected = np.zeros((HEIGHT + 10, WIDTH + 20), int)
    expected[4 : 4 + HEIGHT, 11 : 11 + WIDTH] = 255
    assert np.array_equal(alpha, expected)
    inside = np.asarray(Image.fromarray(RGB).quantize(64).convert("RGB"))
    assert np.array_equal(rgb[4 : 4 + HEIGHT, 11 : 11 + WIDTH], inside)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
def test_ycbcr_in_tiff_is_converted(compression: str) -> None:
    # libvips shows these numbers as if they were RGB
    picture = Image.fromarray(RGB).convert("YCbCr")
    expected = np.asarray(picture.convert("RGB")).astype(int)
    if compression == "raw":
        tags = {256: WIDTH, 257: HEIGHT, 258: (8, 8, 8), 262: 6, 277: 3, 530: (1, 1)}
        data = tiff((picture.tobytes(), tags))
    else:
        data = saved(picture, "TIFF", compression=compression)
    assert np.abs(decode(data, "x").rgb() - expected).max() <= 1


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
@pytest.mark.parametrize("marker", [True, False])
def test_inks_are_those_of_the_second_decoder(format: str, marker: bool) -> None:
    data = saved(Image.fromarray(np.dstack([RGB, ALPHA]), "CMYK"), format)
    at = data.find(b"Adobe")
    if not marker and at > 0:
        data = data[: at - 4] + data[at + 12 :]
    inks = vips.Image.new_from_buffer(data, "").numpy()
    expected = np.asarray(Image.fromarray(inks, "CMYK").convert("RGB"))
    assert np.abs(decode(data, "x").rgb().astype(int) - expected).max() <= 1


@pytest.mark.parametrize("format", ["png", "webp"])
@pytest.mark.parametrize("name", list(EXACT)[::3] + list(OTHERS)[::2])
def test_published_files_show_the_same_again(name: str, format: str) -> None:
    photo = decode(EXACT[name] if name in EXACT else OTHERS[name][0], name)
    rgb, alpha = shown(encode(photo, Encoding(format)))
    assert np.array_equal(rgb, photo.rgb())
    assert np.array_equal(alpha, np.full(photo.size, 255) if photo.alpha is None else photo.alpha)
