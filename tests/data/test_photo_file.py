"""A photo is told by its first bytes; other files are neither opened by a decoder nor read whole."""

from __future__ import annotations

import os
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import unlearnable as un
from corpus import SIZES, cases, colours, saved, tiff
from unlearnable.data.decoding import decode, size_of
from unlearnable.data.photo_file import BESIDE, read_photo_file
from unlearnable.errors import DataError

PIXELS = colours(24, 30)
PICTURE = Image.fromarray(PIXELS)
JPEG = saved(PICTURE, "JPEG")
OTHERS = {
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 40\n{ 1 pop } loop\n",
    "PostScript ": b"\xc5\xd0\xd3\xc6" + bytes(28) + b"%!PS",
    "PDF": b"%PDF-1.7\n",
    "film": b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(50),
    "film ": b"\0\0\0\x14ftypqt  \0\0\2\0qt  ",
    "Matroska": b"\x1aE\xdf\xa3\x01\0\0\0",
    "AVI": b"RIFF\x10\0\0\0AVI LIST",
    "ZIP": b"PK\3\4\x14\0",
    "gzip": b"\x1f\x8b\x08\0",
    "RAR": b"Rar!\x1a\7\1\0",
    "a Windows metafile": b"\xd7\xcd\xc6\x9a\0\0",
    "OLE": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    "Photoshop": b"8BPS\0\1",
    "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n",
    "JPEG XL": b"\xff\x0a\xfa\x7f",
    "icon": b"\0\0\1\0\1\0\x10\x10",
    "raw data of a camera": b"II*\0\x10\0\0\0CR\2\0",
    "raw data of a camera ": b"\0\0\0\x18ftypcrx \0\0\0\1",
    "HTML": b"\n <!DOCTYPE html><html><title>404</title>",
    "SVG": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>',
    "text": "nur Text, größer als nichts\n".encode(),
    "Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    "zeros only": bytes(5000),
    "AppleDouble": b"\0\5\x16\7\0\2\0\0Mac OS X",
    "DICOM": bytes(128) + b"DICM\2\0",
    "a program": b"\x7fELF\2\1\1",
    "no known format": b"\x03\x91garbage\xfe",
    "empty": b"",
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_files_are_named_by_their_content(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(OTHERS[kind])
    for refused in (lambda: read_photo_file(path), lambda: decode(OTHERS[kind], str(path))):
        with pytest.raises(DataError) as caught:
            refused()
        assert caught.value.problem.startswith(str(path))
        assert kind.strip() in caught.value.problem
        assert caught.value.remedy
    assert size_of(path) is None


@pytest.mark.parametrize(
    "format",
    ["PPM", "PCX", "TGA", "ICO", "SGI", "DDS", "MSP", "JPEG2000", "PDF", "EPS", "XBM"],
)
def test_no_other_decoder_of_pillow_is_reached(format: str) -> None:
    mode = {"MSP": "1", "XBM": "1", "ICO": "RGBA"}.get(format, "RGB")
    with pytest.raises(DataError, match=r"photo\.jpg"):
        decode(saved(PICTURE.convert(mode), format), "photo.jpg")


def test_a_container_of_another_program_is_listed_and_nothing_starts(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*arguments: object, **options: object) -> None:
        raise AssertionError(f"a program is started: {arguments}")

    monkeypatch.setattr("subprocess.Popen", never)
    monkeypatch.setattr("os.system", never)
    (photos / "cats" / "drawing.png").write_bytes(OTHERS["PostScript"])
    with zipfile.ZipFile(photos / "cats" / "archive.jpg", "w") as archive:
        archive.writestr("photo.jpg", JPEG)
    images = un.load(photos)
    for id in ("cats/drawing.png", "cats/archive.jpg"):
        with pytest.raises(DataError, match="is not a photo: its content is"):
            images.source.load(id)


@pytest.mark.parametrize("head", [b"", b"\0\0\0\x18ftypmp42", b"PK\3\4", JPEG, JPEG[:40], b"II*\0\x08\0\0\0"])
def test_huge_files_cost_no_memory(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "film.jpg"
    path.write_bytes(head)
    os.truncate(path, 3_000_000_000)
    tracemalloc.start()
    with pytest.raises(DataError, match=r"film\.jpg"):
        read_photo_file(path)
    size_of(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF"])
def test_a_photo_may_have_much_beside_it_but_not_everything(tmp_path: Path, format: str) -> None:
    path = tmp_path / "photo.jpg"
    data = saved(PICTURE, format)
    path.write_bytes(data)
    os.truncate(path, 20_000_000)
    assert read_photo_file(path)[: len(data)] == data
    os.truncate(path, BESIDE + 8 * 24 * 30 + 1)
    with pytest.raises(DataError, match=r"has 128 MB, more than a photo of 720 pixels") as caught:
        read_photo_file(path)
    assert "Save the photo alone" in caught.value.remedy


def test_too_many_pixels_are_refused_before_a_large_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "scan.tif"
    path.write_bytes(tiff((b"", {256: 60_000, 257: 60_000})))
    os.truncate(path, 3_700_000_000)
    with pytest.raises(DataError, match="60000 x 60000 pixels") as caught:
        read_photo_file(path)
    assert "--max-pixels" in caught.value.remedy


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, make: object) -> None:
    path = tmp_path / "photo.jpg"
    make(path)  # type: ignore[operator]
    with pytest.raises(DataError, match=r"photo\.jpg"):
        read_photo_file(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_photo_file(tmp_path / "gone.jpg")


@pytest.mark.parametrize("size", SIZES[1:])
def test_sizes_from_headers_are_those_of_decoded_photos(tmp_path: Path, size: tuple[int, int]) -> None:
    for case in cases(size):
        path = tmp_path / case.name
        path.write_bytes(case.data)
        assert size_of(path) == decode(case.data, case.name).size, case.name


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_sizes_from_headers_are_upright(tmp_path: Path, format: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    data = saved(PICTURE, format, exif=exif)
    (tmp_path / "x").write_bytes(data)
    assert size_of(tmp_path / "x") == decode(data, "x").size
    assert size_of(tmp_path / "x") == ((30, 24) if orientation in (5, 6, 7, 8) else (24, 30))


@pytest.mark.parametrize(
    "small", [{254: 1}, {254: 4}, {254: 5}, {255: 2}, {254: 1, 255: 2}], ids=lambda tags: str(tags)
)
@pytest.mark.parametrize("order", "<>")
def test_smaller_copies_in_tiff_are_passed_over(tmp_path: Path, small: dict[int, int], order: str) -> None:
    tags = {258: (8, 8, 8), 262: 2, 277: 3}
    thumbnail = (colours(6, 8).tobytes(), {256: 8, 257: 6, **tags, **small})
    photo = (PIXELS.tobytes(), {256: 30, 257: 24, **tags})
    for pages in ((thumbnail, photo), (thumbnail, thumbnail, photo, thumbnail)):
        data = tiff(*pages, order=order)
        (tmp_path / "scan.tif").write_bytes(data)
        decoded = decode(data, "scan.tif", metadata=True)
        assert np.array_equal(decoded.pixels, PIXELS)
        assert decoded.notes == ("only the first picture of full size in the file was read",)
        assert size_of(tmp_path / "scan.tif") == (24, 30)


def test_pages_that_go_round_end() -> None:
    tags = {256: 30, 257: 24, 258: (8, 8, 8), 262: 2, 277: 3}
    data = bytearray(tiff((PIXELS.tobytes(), tags)))
    count = struct.unpack_from("<H", data, 8)[0]
    struct.pack_into("<I", data, 10 + 12 * count, 8)
    assert np.array_equal(decode(bytes(data), "x").pixels, PIXELS)
