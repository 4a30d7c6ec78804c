"""Colours as a colour-managed viewer shows them, before and after, by Little CMS and by formulas."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from corpus import colours, saved, srgb
from unlearnable.budget import Budget
from unlearnable.data import icc
from unlearnable.data.decoding import decode
from unlearnable.data.encoding import Encoding, Format, encoded
from unlearnable.data.photo import Photo
from unlearnable.errors import DataError
from unlearnable.noise import Noise
from unlearnable.worker import Outcome, Task, make

EPSILON = 4
# Levels that a change of EPSILON may show as: profiles stretch shadows and, of a wide gamut, colours.
SHOWN = 3 * EPSILON
# Muted, because a profile of a wide gamut stretches the noise of saturated colours without limit.
RGB = (128 + 0.3 * (np.clip(colours(40, 50).astype(float), 30, 225) - 128)).astype(np.uint8)
# not near black, where Little CMS is rough about linear light of one channel
GREY = np.maximum(colours(40, 50)[..., 0], 30)
TRIPLE = np.repeat(GREY[..., None], 3, 2)
ADOBE = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
WIDE = icc.rgb(ADOBE, icc.D65, [icc.gamma(2.2)] * 3)
OLD_APPLE = icc.rgb(((0.625, 0.34), (0.28, 0.595), (0.155, 0.07)), icc.D65, [icc.gamma(1.8)] * 3)
DOTS = icc.grey(icc.gamma(1.75))
PARAMETRIC = b"para" + bytes(4) + struct.pack(">HHi", 0, 0, round(1.8 * 65536))


def lab_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


def png(pixels: np.ndarray, **chunks: bytes) -> bytes:
    """A PNG with chunks before its pixels."""
    data = saved(Image.fromarray(pixels), "PNG")
    more = b"".join(chunk(name.encode(), body) for name, body in chunks.items())
    return data[:33] + more + data[33:]


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def gama(exponent: float) -> bytes:
    return struct.pack(">I", round(100_000 / exponent))


def chrm(primaries: tuple, white: tuple = icc.D65) -> bytes:
    return struct.pack(">8I", *(round(100_000 * value) for point in (white, *primaries) for value in point))


def shown(data: bytes) -> np.ndarray:
    """Return the sRGB pixels that a viewer shows, through a profile that fits the channels: int (H, W, 3)."""
    image = Image.open(io.BytesIO(data))
    profile = image.info.get("icc_profile")
    one = image.mode in ("L", "LA")
    image = image.convert("L" if one else "RGB")
    if profile:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        kind = source.profile.xcolor_space.strip()
        if one and kind == "RGB" and image.format == "JPEG":
            image, one = image.convert("RGB"), False
        if kind == ("GRAY" if one else "RGB"):
            image = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    return np.asarray(image.convert("RGB")).astype(int)


def encode_srgb(linear: np.ndarray) -> np.ndarray:
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def published(
    tmp_path: Path, data: bytes, name: str, format: Format, **more: object
) -> tuple[Outcome, bytes]:
    """A photo through the worker: the result, and the bytes of the file."""
    bank = np.random.default_rng(1).integers(-EPSILON, EPSILON + 1, (1, 3, 32, 32), dtype=np.int8)
    Noise(bank, ("a",), "classwise", Budget(EPSILON), (32, 32)).save(tmp_path / "noise.safetensors")
    source, target = tmp_path / name, tmp_path / f"out.{format}"
    source.write_bytes(data)
    task = Task("p", "a", source, target, Encoding(format, **more), 10**8)  # type: ignore[arg-type]
    outcome = make(task, tmp_path / "noise.safetensors")
    return outcome, target.read_bytes() if target.exists() else b""


KEPT = {
    "colour, wide.png": saved(Image.fromarray(RGB), "PNG", icc_profile=WIDE),
    "black and white, gamma 1.8.png": saved(Image.fromarray(TRIPLE), "PNG", icc_profile=OLD_APPLE),
    "black and white with alpha.png": saved(
        Image.fromarray(np.dstack([TRIPLE, RGB[..., 2]])), "PNG", icc_profile=OLD_APPLE
    ),
    "black and white.tif": saved(Image.fromarray(TRIPLE), "TIFF", icc_profile=OLD_APPLE),
    "black and white.webp": saved(Image.fromarray(TRIPLE), "WEBP", lossless=True, icc_profile=OLD_APPLE),
    "grey palette.png": saved(Image.fromarray(TRIPLE).quantize(256), "PNG", icc_profile=OLD_APPLE),
    "one channel, grey profile.png": saved(Image.fromarray(GREY), "PNG", icc_profile=DOTS),
    "one channel, grey profile.tif": saved(Image.fromarray(GREY), "TIFF", icc_profile=DOTS),
    "grey and alpha.png": saved(Image.fromarray(np.dstack([GREY, RGB[..., 2]])), "PNG", icc_profile=DOTS),
    "16 bits, grey profile.png": saved(
        Image.fromarray(GREY.astype(np.uint16) * 257), "PNG", icc_profile=DOTS
    ),
    "padded.png": saved(Image.fromarray(RGB), "PNG", icc_profile=WIDE + bytes(57)),
}


@pytest.mark.parametrize("format", ["png", "webp"])
@pytest.mark.parametrize("name", KEPT)
def test_a_viewer_shows_the_same_colours_and_the_noise(tmp_path: Path, name: str, format: Format) -> None:
    outcome, data = published(tmp_path, KEPT[name], name, format)
    assert (outcome.reason, outcome.notes) == ("", ())
    before = shown(KEPT[name]) if "16 bits" not in name else shown(KEPT["one channel, grey profile.png"])
    assert np.abs(shown(data) - before).max() <= SHOWN
    # a trainer reads the file as the same kind of photo, with the profile that says its tones
    again, photo = decode(data, "out"), decode(KEPT[name], name)
    assert (again.grey, again.size, again.profile is None) == (photo.grey, photo.size, False)


@pytest.mark.parametrize("name", ["black and white, gamma 1.8.png", "one channel, grey profile.png"])
def test_tones_of_jpeg_files_are_the_same_too(tmp_path: Path, name: str) -> None:
    outcome, data = published(tmp_path, KEPT[name], name, "jpeg", quality=100)
    assert outcome.notes == ()
    assert np.abs(shown(data) - shown(KEPT[name])).mean() <= EPSILON


def test_browsers_show_a_jpeg_of_one_channel_through_an_rgb_profile(tmp_path: Path) -> None:
    source = saved(Image.fromarray(GREY), "JPEG", quality=95, icc_profile=OLD_APPLE)
    outcome, data = published(tmp_path, source, "p.jpg", "png")
    assert outcome.notes == ()
    expected = ImageCms.profileToProfile(
        Image.open(io.BytesIO(source)).convert("RGB"), io.BytesIO(OLD_APPLE), ImageCms.createProfile("sRGB")
    )
    assert np.abs(shown(data) - np.asarray(expected).astype(int)).max() <= SHOWN


SAID = {
    "gamma 1.8": ({"gAMA": gama(1.8)}, icc.SRGB, 1.8),
    "gamma 1": ({"gAMA": gama(1.0)}, icc.SRGB, 1.0),
    "primaries": ({"cHRM": chrm(ADOBE)}, ADOBE, None),
    "both": ({"cHRM": chrm(ADOBE), "gAMA": gama(2.2)}, ADOBE, 2.2),
    "code points": ({"cICP": bytes([12, 13, 0, 1])}, ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)), None),
    "code points and others": (
        {"cICP": bytes([1, 8, 0, 1]), "gAMA": gama(2.2), "sRGB": b"\0"},
        icc.SRGB,
        1.0,
    ),
}


def by_formula(pixels: np.ndarray, primaries: tuple, exponent: float | None) -> np.ndarray:
    """The sRGB levels of pixels of other primaries with the same white, in floating point."""

    def matrix(points: tuple) -> np.ndarray:
        columns = np.array([(x / y, 1, (1 - x - y) / y) for x, y in points]).T
        x, y = icc.D65
        return columns * np.linalg.solve(columns, (x / y, 1, (1 - x - y) / y))

    levels = np.atleast_3d(pixels) / 255
    usual = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    linear = np.broadcast_to(usual if exponent is None else levels**exponent, (*pixels.shape[:2], 3))
    return encode_srgb(np.clip(linear @ (np.linalg.inv(matrix(icc.SRGB)) @ matrix(primaries)).T, 0, 1))


@pytest.mark.parametrize("pixels", [RGB, TRIPLE, GREY], ids=["colour", "black and white", "one channel"])
@pytest.mark.parametrize("name", SAID)
@pytest.mark.parametrize("format", ["png", "webp"])
def test_what_png_says_outside_icc_is_kept_as_a_profile(
    tmp_path: Path, name: str, pixels: np.ndarray, format: Format
) -> None:
    chunks, primaries, exponent = SAID[name]
    outcome, data = published(tmp_path, png(pixels, **chunks), "p.png", format)
    assert outcome.notes == ()
    expected = by_formula(pixels, primaries, exponent)
    clean = encoded(decode(png(pixels, **chunks), "p.png"), Encoding(format)).data
    # Little CMS computes in 8 and 16 bits, with a straight line near black
    assert np.abs(shown(clean) - expected).max() <= 3
    assert np.abs(shown(data) - expected).mean() <= EPSILON


@pytest.mark.parametrize(
    "chunks",
    [{"sRGB": b"\0", "gAMA": gama(2.2)}, {"cICP": bytes([1, 13, 0, 1])}, {"cICP": bytes([1, 1, 0, 1])}, {}],
)
def test_srgb_needs_no_profile(chunks: dict[str, bytes]) -> None:
    photo = decode(png(RGB, **chunks), "p.png")
    assert (photo.profile, photo.notes) == (None, ())


LEFT_OUT = {
    "truncated": saved(Image.fromarray(RGB), "PNG", icc_profile=WIDE[:-200]),
    "garbage": saved(Image.fromarray(RGB), "PNG", icc_profile=b"nonsense" * 30),
    "for ink": saved(Image.fromarray(RGB), "JPEG", icc_profile=WIDE[:16] + b"CMYK" + WIDE[20:]),
    "of Lab": saved(Image.fromarray(RGB), "TIFF", icc_profile=lab_profile()),
    "without curves": saved(Image.fromarray(RGB), "PNG", icc_profile=WIDE.replace(b"rTRC", b"xxxx")),
    "grey in colour": saved(Image.fromarray(RGB), "PNG", icc_profile=DOTS),
    "grey in three equal channels": saved(Image.fromarray(TRIPLE), "PNG", icc_profile=DOTS),
    "RGB in one channel of a PNG": saved(Image.fromarray(GREY), "PNG", icc_profile=WIDE),
    "no gamma": png(RGB, gAMA=bytes(4)),
    "impossible primaries": png(RGB, cHRM=bytes(32)),
    "unknown code points": png(RGB, cICP=bytes([200, 13, 0, 1])),
    "video range": png(RGB, cICP=bytes([12, 13, 0, 0])),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_a_profile_that_readers_refuse_is_left_out_with_a_remark(name: str) -> None:
    photo = decode(LEFT_OUT[name], name)
    assert photo.profile is None
    assert len(photo.notes) == 1
    assert "left out" in photo.notes[0]


@pytest.mark.parametrize("curve", [16, 18], ids=["PQ", "HLG"])
def test_hdr_is_skipped_with_the_reason(curve: int) -> None:
    with pytest.raises(DataError, match="HDR"):
        decode(png(RGB, cICP=bytes([9, curve, 0, 1])), "p.png")


def avif(primaries: int, curve: int) -> bytes:
    """An AVIF file that says its colours in code points."""
    data = saved(Image.fromarray(RGB), "AVIF", quality=100, subsampling="4:4:4")
    at = data.index(b"colrnclx") + 8
    return data[:at] + struct.pack(">HH", primaries, curve) + data[at + 4 :]


def test_code_points_of_avif_are_kept_as_a_profile(tmp_path: Path) -> None:
    source = avif(12, 13)
    outcome, data = published(tmp_path, source, "p.avif", "png")
    assert outcome.notes == ()
    pixels = np.asarray(Image.open(io.BytesIO(source)).convert("RGB"))
    expected = by_formula(pixels, ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)), None)
    assert np.abs(shown(data) - expected).max() <= SHOWN
    assert decode(avif(1, 13), "p.avif").profile is None
    with pytest.raises(DataError, match="HDR"):
        decode(avif(9, 16), "p.avif")


def test_code_points_of_heic_are_kept_as_a_profile() -> None:
    heif = pytest.importorskip("pillow_heif")

    def heic(primaries: int, curve: int) -> bytes:
        buffer = io.BytesIO()
        said = {"color_primaries": primaries, "transfer_characteristics": curve, "matrix_coefficients": 6}
        heif.from_pillow(Image.fromarray(RGB)).save(
            buffer, quality=90, save_nclx_profile=True, full_range_flag=1, **said
        )
        return buffer.getvalue()

    p3 = icc.rgb(((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)), icc.D65, [icc.srgb_curve()] * 3)
    assert decode(heic(12, 13), "p.heic").profile == p3
    assert decode(heic(1, 13), "p.heic").profile is None
    with pytest.raises(DataError, match="HLG"):
        decode(heic(9, 18), "p.heic")


@pytest.mark.parametrize("profile", [DOTS, OLD_APPLE], ids=["grey", "RGB"])
@pytest.mark.parametrize("format", ["AVIF", "JPEG"])
def test_one_channel_keeps_the_profiles_that_browsers_accept(format: str, profile: bytes) -> None:
    photo = decode(saved(Image.fromarray(GREY), format, quality=95, icc_profile=profile), "p")
    assert (photo.grey, photo.profile, photo.notes) == (True, profile, ())


def bmp(kind: bytes, *, points: tuple = (), gammas: tuple = (0, 0, 0), profile: bytes = b"") -> bytes:
    """A BMP with a header of version 5."""
    pixels = RGB[::-1, :, ::-1]
    rows = b"".join(row.tobytes() + bytes(-3 * RGB.shape[1] % 4) for row in pixels)
    sides = struct.pack("<IiiHHIIiiII", 124, RGB.shape[1], RGB.shape[0], 1, 24, 0, len(rows), 0, 0, 0, 0)
    places = [round(value * 2**30) for value in points] or [0] * 9
    colour = kind + struct.pack("<9i3I", *places, *(round(value * 65536) for value in gammas))
    ending = struct.pack("<IIII", 4, 124 + len(rows) if profile else 0, len(profile), 0)
    header = sides + bytes(16) + colour + ending
    size = 14 + len(header) + len(rows) + len(profile)
    return b"BM" + struct.pack("<IHHI", size, 0, 0, 14 + len(header)) + header + rows + profile


def test_what_a_bmp_says_is_kept(tmp_path: Path) -> None:
    embedded = decode(bmp(b"DEBM", profile=WIDE), "p.bmp")
    assert (embedded.profile, embedded.notes) == (WIDE, ())
    x, y = icc.D65
    columns = np.array([(a / b, 1, (1 - a - b) / b) for a, b in ADOBE]).T
    matrix = columns * np.linalg.solve(columns, (x / y, 1, (1 - x - y) / y))
    outcome, data = published(
        tmp_path, bmp(bytes(4), points=tuple(matrix.T.ravel()), gammas=(2.2, 2.2, 2.2)), "p.bmp", "png"
    )
    assert outcome.notes == ()
    assert np.abs(shown(data) - by_formula(RGB, ADOBE, 2.2)).max() <= SHOWN
    for plain in (bmp(b"BGRs"), bmp(b" niW"), bmp(bytes(4))):
        assert decode(plain, "p.bmp").profile is None
        assert decode(plain, "p.bmp").notes == ()
    assert "another file" in decode(bmp(b"KNIL"), "p.bmp").notes[0]


def test_adobe_rgb_in_exif_alone_is_remarked() -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA001] = 65535
    exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    exif[0x8769] = exif.get_ifd(0x8769)
    for format in ("JPEG", "WEBP", "PNG"):
        said = decode(saved(Image.fromarray(RGB), format, exif=exif), "p")
        assert "Adobe RGB" in " ".join(said.notes), format
    profiled = saved(Image.fromarray(RGB), "JPEG", exif=exif, icc_profile=WIDE)
    assert decode(profiled, "p").notes == ()


def test_primaries_in_tiff_tags_are_remarked_unless_they_are_those_of_srgb() -> None:
    def tiff(primaries: tuple) -> bytes:
        values = tuple(value for point in primaries for value in point)
        return saved(Image.fromarray(RGB), "TIFF", tiffinfo={318: icc.D65, 319: values})

    assert "primaries" in decode(tiff(ADOBE), "p.tif").notes[0]
    assert decode(tiff(icc.SRGB), "p.tif").notes == ()


def test_what_a_format_cannot_hold_is_left_out_with_a_remark() -> None:
    big = icc._profile(b"RGB ", [*_parts(WIDE)[3:], (b"big ", b"data" + bytes(1 << 21))], 2)
    assert decode(saved(Image.fromarray(RGB), "JPEG", icc_profile=big), "p").profile == big
    for format in ("png", "webp", "jpeg"):
        file = encoded(Photo(RGB, big), Encoding(format))
        kept = Image.open(io.BytesIO(file.data)).info.get("icc_profile")
        assert (kept == big, len(file.notes)) == ((False, 1) if format == "png" else (True, 0))
    huge = big + bytes(255 * 65_519)
    assert encoded(Photo(RGB, huge), Encoding("jpeg")).notes


def _parts(profile: bytes) -> list[tuple[bytes, bytes]]:
    """The tags of a profile; the first three are text and white."""
    count = int.from_bytes(profile[128:132])
    entries = [struct.unpack_from(">4sII", profile, 132 + 12 * index) for index in range(count)]
    return [(name, profile[offset : offset + length]) for name, offset, length in entries]


def test_profiles_made_here_are_what_they_say() -> None:
    def through(profile: bytes, pixels: np.ndarray) -> np.ndarray:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        image = ImageCms.profileToProfile(
            Image.fromarray(pixels), source, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
        return np.asarray(image).astype(int)

    assert np.array_equal(through(icc.rgb(icc.SRGB, icc.D65, [icc.srgb_curve()] * 3), RGB), RGB)
    assert np.array_equal(through(srgb(), RGB), RGB)
    for curve in (icc.gamma(1.0), icc.gamma(2.6), icc.srgb_curve()):
        one, three = icc.grey(curve), icc.grey_as_rgb(icc.grey(curve))
        assert np.abs(through(one, GREY) - through(three, TRIPLE)).max() <= 1
    newer = icc._profile(b"GRAY", [(b"kTRC", PARAMETRIC)], 4)
    assert np.abs(through(newer, GREY) - through(icc.grey_as_rgb(newer), TRIPLE)).max() <= 1
    assert icc.grey_as_rgb(icc._profile(b"GRAY", [], 2)) == b""
