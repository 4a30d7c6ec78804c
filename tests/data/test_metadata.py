"""Metadata, profiles and encoders: whatever they raise concerns the photo alone, and is said."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

import unlearnable as un
from corpus import colours, saved
from unlearnable import methods
from unlearnable.budget import Budget
from unlearnable.data.decoding import decode
from unlearnable.data.encoding import Encoding, encode, encoded
from unlearnable.data.metadata import MAX_VALUE, cleaned
from unlearnable.data.photo import Metadata, Photo
from unlearnable.noise import Noise
from unlearnable.worker import Task, _same_alpha, make

RGB = colours(30, 40)
PACKET = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">{}</rdf:Description>'
    "</rdf:RDF></x:xmpmeta>"
)


def exif(*, long: bool = False) -> bytes:
    block = Image.Exif()
    block[315] = "Ada"
    if long:
        part = block.get_ifd(0x8769)
        part.update(dict.fromkeys((*range(42032, 42038), *range(37520, 37523), 36880, 36881), "q" * 4000))
        block[0x8769] = part
        block.update(dict.fromkeys(range(40091, 40096), b"y\x00" * 2000))
        block.update(dict.fromkeys((270, 271, 272, 305, 316, 33432), "x" * 4000))
    return block.tobytes()


def xmp(*, long: bool = False) -> bytes:
    words = "<dc:rights>mine</dc:rights>"
    return PACKET.format(
        words + ("<dc:subject>" + "a" * 3000 + "</dc:subject>") * (30 if long else 0)
    ).encode()


def photos(root: Path, odd: dict[str, bytes], count: int = 2) -> Path:
    """Two classes of sound photos, and odd files among them."""
    for name in ("a", "b"):
        (root / name).mkdir(parents=True)
        for index in range(count):
            Image.fromarray(colours(30, 40, index)).save(root / name / f"good{index}.png")
    for name, data in odd.items():
        (root / "a" / name).write_bytes(data)
    return root


def protect(root: Path, target: Path, **more: object):
    return un.protect(
        root, target, methods.create("random", {}), seed=1, workers=1, encoding=Encoding(**more)
    )


@pytest.mark.parametrize("format", ["png", "webp", "jpeg"])
def test_metadata_longer_than_the_format_allows_is_left_out_with_a_remark(
    tmp_path: Path, format: str
) -> None:
    picture = Image.fromarray(RGB)
    odd = {
        "exif.webp": saved(picture, "WEBP", lossless=True, exif=exif(long=True), xmp=xmp()),
        "xmp.webp": saved(picture, "WEBP", lossless=True, exif=exif(), xmp=xmp(long=True)),
        "both.webp": saved(picture, "WEBP", lossless=True, exif=exif(long=True), xmp=xmp(long=True)),
        "short.webp": saved(picture, "WEBP", lossless=True, exif=exif(), xmp=xmp()),
    }
    done = protect(photos(tmp_path / "photos", odd), tmp_path / "out", format=format, metadata=True)
    assert (done.written, dict(done.skipped)) == (8, {})
    extension = {"jpeg": "jpg"}.get(format, format)
    for name in odd:
        with Image.open(tmp_path / "out" / "a" / f"{name.split('.')[0]}.{extension}") as image:
            left = "left out" in " ".join(done.notes.get(f"a/{name}", ()))
            without_exif = format == "jpeg" and name in ("exif.webp", "both.webp")
            without_xmp = format == "jpeg" and name in ("xmp.webp", "both.webp")
            assert (image.getexif().get(315) is None) == without_exif
            assert (b"mine" not in image.info.get("xmp", b"")) == without_xmp
            assert left == (without_exif or without_xmp)


def raw_exif(*entries: tuple[int, int, int, bytes]) -> bytes:
    """An EXIF block of raw entries: tag, type, count, value of at most 4 bytes or its place."""
    table = b"".join(
        struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0") for tag, kind, count, value in entries
    )
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + table + bytes(4)


ARTIST = (315, 2, 4, b"Ada\0")
ODD_EXIF = {
    "a rational with the denominator 0": raw_exif((282, 5, 1, struct.pack("<I", 0)), ARTIST),
    "a value outside the block": raw_exif((270, 2, 5000, struct.pack("<I", 4_000_000_000)), ARTIST),
    "an unknown type": raw_exif((272, 77, 1, b"??"), ARTIST),
    "text as numbers": raw_exif((270, 4, 1, b"\xff\xff\xff\xff"), ARTIST),
    "numbers as text": raw_exif((282, 2, 4, b"\xff\xfe\0\0"), ARTIST),
    "a signed number where none may be": raw_exif((296, 8, 1, struct.pack("<h", -3)), ARTIST),
    "a sub-block outside the file": raw_exif(ARTIST, (0x8769, 4, 1, struct.pack("<I", 99_999))),
    "a sub-block that is itself": raw_exif(ARTIST, (0x8769, 4, 1, struct.pack("<I", 8))),
    "a sub-block that is text": raw_exif(ARTIST, (0x8769, 2, 4, b"abc\0")),
    "cut off": raw_exif(ARTIST)[:16],
    "no block at all": b"Exif\0\0nonsense",
    "a wrong byte order": b"Exif\0\0XX*\0" + bytes(20),
    "empty": b"Exif\0\0",
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("metadata", [True, False])
@pytest.mark.parametrize("name", ODD_EXIF)
def test_no_exif_refuses_a_photo(name: str, metadata: bool) -> None:
    source = saved(Image.fromarray(RGB), "JPEG", quality=95, exif=ODD_EXIF[name])
    photo = decode(source, name, metadata=metadata)
    for format in ("png", "webp", "jpeg"):
        again = decode(encode(photo, Encoding(format, metadata=metadata)), name, metadata=True)  # type: ignore[arg-type]
        assert again.size == photo.size
        assert bool(again.metadata.exif) == bool(photo.metadata.exif)


class Fields(dict):
    """EXIF data as Pillow returns it, of values that it does not write."""

    def get_ifd(self, tag: int) -> dict[int, object]:
        return self.get(tag, {})


class Opened:
    def __init__(self, fields: dict[int, object], xmp: object = b"") -> None:
        self.fields, self.info = fields, {"xmp": xmp}

    def getexif(self) -> Fields:
        return Fields(self.fields)


UNWRITABLE: dict[str, dict[int, object]] = {
    "rational of 0 / 0": {282: TiffImagePlugin.IFDRational(0, 0)},
    "too large a number": {296: 2**70},
    "infinite": {282: float("inf")},
    "not a number": {0x8769: {33434: float("nan")}},
    "nothing": {270: None},
    "an object": {270: object()},
    "text in a rational": {0x8769: {33434: "fast"}},
    "mixed": {0x8825: {2: (1.0, "north", 3.0)}},
    "nested": {0x8769: {37510: {1: 2}}},
}


@pytest.mark.parametrize("name", UNWRITABLE)
def test_one_field_that_cannot_be_written_does_not_cost_the_others(name: str) -> None:
    found, notes = cleaned(Opened({315: "Ada", **UNWRITABLE[name]}))  # type: ignore[arg-type]
    block = Image.Exif()
    block.load(found.exif)
    assert block[315] == "Ada"
    assert all("left out" in note for note in notes)


def test_text_is_kept_byte_for_byte_and_pictures_hidden_in_numbers_are_not() -> None:
    words = "José, © 2024".encode()
    hidden = tuple(range(MAX_VALUE))
    found, notes = cleaned(
        Opened({315: words.decode("latin-1"), 270: "ok", 0x8769: {37396: hidden, 41492: hidden}})
    )  # type: ignore[arg-type]
    assert notes == ()
    assert words in found.exif
    assert len(found.exif) < 500


ODD_XMP = {
    "not XML": b"<x:xmpmeta",
    "an unknown encoding": b'<?xml version="1.0" encoding="klingon"?><a/>',
    "an encoding of several bytes": b'<?xml version="1.0" encoding="euc-jp"?><a>\xa4\xa2</a>',
    "half a character": PACKET.format("<dc:rights>").encode() + b"\xc3",
    "nested without end": b"<a>" * 100_000 + b"</a>" * 100_000,
    "nested in a field": PACKET.format(
        "<dc:rights>" + "<a>" * 9000 + "</a>" * 9000 + "</dc:rights>"
    ).encode(),
}


@pytest.mark.parametrize("name", ODD_XMP)
def test_no_xmp_refuses_a_photo_or_costs_its_exif(name: str) -> None:
    found, notes = cleaned(Opened({315: "Ada"}, ODD_XMP[name]))  # type: ignore[arg-type]
    assert b"Ada" in found.exif
    assert (found.xmp, len(notes)) == (b"", 1) or not notes


@pytest.mark.parametrize(
    ("format", "size", "words"),
    [
        ("jpeg", (1, 65_501), "JPEG allows"),
        ("jpeg", (65_501, 2), "JPEG allows"),
        ("webp", (16_384, 1), "WebP allows"),
    ],
)
def test_sides_longer_than_a_format_allows_are_written_as_png(
    format: str, size: tuple[int, int], words: str
) -> None:
    file = encoded(Photo(np.full((*size, 3), 90, np.uint8)), Encoding(format))  # type: ignore[arg-type]
    assert file.format == "png"
    assert words in file.notes[0]
    assert decode(file.data, "p").size == size


@pytest.mark.parametrize(("format", "side"), [("jpeg", 65_500), ("webp", 16_383), ("png", 70_000)])
def test_sides_at_the_limit_are_written(format: str, side: int) -> None:
    file = encoded(Photo(np.full((1, side), 90, np.uint8)), Encoding(format))  # type: ignore[arg-type]
    assert (file.format, file.notes) == (format, ())
    assert decode(file.data, "p").size == (1, side)


@pytest.mark.parametrize("format", ["png", "webp", "jpeg"])
def test_a_photo_without_pixels_is_skipped(tmp_path: Path, format: str) -> None:
    bank = np.ones((1, 3, 8, 8), np.int8)
    Noise(bank, ("a",), "classwise", Budget(8), (8, 8)).save(tmp_path / "noise.safetensors")
    for shape in ((0, 5, 3), (5, 0, 3), (0, 0)):
        task = Task("p", "a", Photo(np.zeros(shape, np.uint8)), tmp_path / "p", Encoding(format), 10)  # type: ignore[arg-type]
        assert make(task, tmp_path / "noise.safetensors").reason
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize(
    "error",
    [struct.error("bad"), OSError("encoder error -2"), OverflowError("big"), SystemError(), KeyError("mode")],
)
def test_whatever_an_encoder_raises_skips_that_photo_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    root = photos(tmp_path / "photos", {"odd.png": saved(Image.fromarray(colours(31, 40)), "PNG")})
    monkeypatch.setattr(Image.Image, "save", failing_at(31, error))
    done = protect(root, tmp_path / "out")
    assert set(done.skipped) == {"a/odd.png"}
    assert "cannot be written as PNG" in done.skipped["a/odd.png"]
    assert done.written == 4


def test_a_photo_that_does_not_fit_into_memory_is_skipped_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = photos(tmp_path / "photos", {"odd.png": saved(Image.fromarray(colours(31, 40)), "PNG")})
    monkeypatch.setattr(Image.Image, "save", failing_at(31, MemoryError()))
    done = protect(root, tmp_path / "out", format="webp")
    assert done.skipped == {"a/odd.png": "does not fit into memory"}


def failing_at(height: int, error: BaseException) -> Callable[..., None]:
    """``Image.save`` that fails for images of one height."""
    save = Image.Image.save

    def fails(image: Image.Image, *arguments: object, **more: object) -> None:
        if image.height == height:
            raise error
        save(image, *arguments, **more)  # type: ignore[arg-type]

    return fails


def test_alpha_that_is_opaque_everywhere_may_go_and_no_other() -> None:
    pixels = np.dstack([RGB, np.full(RGB.shape[:2], 255, np.uint8)])
    _same_alpha(Photo(pixels), Photo(RGB), "p")
    pixels[0, 0, 3] = 254
    with pytest.raises(un.UnlearnableError, match="alpha"):
        _same_alpha(Photo(pixels), Photo(RGB), "p")


def test_metadata_is_not_written_unless_asked_for() -> None:
    photo = Photo(RGB, metadata=Metadata(exif(), xmp()))
    for format in ("png", "webp", "jpeg"):
        with Image.open(io.BytesIO(encode(photo, format))) as image:  # type: ignore[arg-type]
            assert not image.getexif()
            assert "xmp" not in image.info
