"""Every kind of file that people have: what it becomes, checked on the published files by code of its own."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import unlearnable as un
from corpus import SIZES, Case, broken, cases, colours, oriented, saved, srgb
from unlearnable import methods
from unlearnable.data.decoding import decode
from unlearnable.data.encoding import Encoding, encode
from unlearnable.data.photo import Photo
from unlearnable.errors import DataError, UsageError
from unlearnable.runs import RunFolder

ALL = [pytest.param(case, id=f"{case.name} {case.expected.shape}") for size in SIZES for case in cases(size)]


def opaque(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 3) of any expected array, by NumPy alone."""
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    return np.repeat(pixels[..., :1], 3, 2) if pixels.shape[2] < 3 else pixels[..., :3]


@pytest.mark.parametrize("case", ALL)
def test_a_file_is_read_as_its_reference(case: Case) -> None:
    photo = decode(case.data, case.name)
    expected = case.expected
    if expected.ndim == 3 and expected.shape[2] > 2 and (opaque(expected) == opaque(expected)[..., :1]).all():
        expected = (
            expected[..., 0] if expected.shape[2] == 3 else expected[..., [0, 3]]
        )  # one pixel may happen to be grey
    assert photo.pixels.shape == expected.shape
    assert np.array_equal(photo.pixels, expected)
    assert photo.profile == (case.profile if photo.pixels.ndim == 3 else None)
    assert case.note in " ".join(photo.notes)


@pytest.mark.parametrize("format", ["png", "webp"])
@pytest.mark.parametrize("size", SIZES[1:])
def test_published_files_are_within_the_budget_and_otherwise_the_same(
    tmp_path: Path, format: str, size: tuple[int, int]
) -> None:
    photos, out, known = tmp_path / "photos", tmp_path / "out", {}
    for index, case in enumerate(cases(size)):
        place = photos / ("a" if index % 2 else "b") / case.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(case.data)
        known[place.relative_to(photos).as_posix()] = case
    method = methods.create("random", {"form": "samplewise", "epsilon": 6})
    done = un.protect(photos, out, method, encoding=Encoding(format), seed=3, workers=1)
    assert (done.written, dict(done.skipped)) == (len(known), {})
    files = RunFolder(done.run).files()
    for id, case in known.items():
        with Image.open(out / files[id]["output"]) as image:
            assert image.format == format.upper()
            assert {"exif", "xmp", "comment"}.isdisjoint(image.info)
            after = np.asarray(image.convert("RGBA"))
        change = np.abs(after[..., :3].astype(int) - opaque(case.expected))
        assert 0 < change.max() <= 6, id
        assert files[id]["largest"] == change.max()
        if case.expected.ndim == 2 or case.expected.shape[2] == 2:
            assert (after[..., :3] == after[..., :1]).all(), f"{id} is no longer grey"
        alpha = (
            case.expected[..., -1]
            if case.expected.ndim == 3 and case.expected.shape[2] in (2, 4)
            else np.uint8(255)
        )
        assert (after[..., 3] == alpha).all(), id
        if case.expected.ndim == 3 and case.expected.shape[2] == 4:
            hidden = change[after[..., 3] == 0]
            assert hidden.size < 100 or hidden.any(), (
                "a trainer that drops alpha sees what lies under transparent pixels"
            )
        assert case.note in " ".join(done.notes.get(id, ()))


def test_what_cannot_be_used_is_listed_with_a_reason_and_the_rest_is_protected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = tmp_path / "photos"
    for name in ("a", "b"):
        (photos / name).mkdir(parents=True)
        (photos / name / "good.png").write_bytes(saved(Image.fromarray(colours(20, 30)), "PNG"))
    for name, data in broken().items():
        (photos / "a" / name).write_bytes(data)
    done = un.protect(photos, tmp_path / "out", methods.create("random", {}), seed=1, workers=1)
    assert done.written == 2
    assert set(done.skipped) == {f"a/{name}" for name in broken()}
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as where the extra is not installed
    done = un.protect(photos, tmp_path / "out", methods.create("random", {}), seed=1, workers=1)
    for words, name in (
        ("is empty", "empty.jpg"),
        ("--max-pixels", "billion.png"),
        ("floating-point", "float.tif"),
        ("unlearnable[heic]", "phone.heic"),
    ):
        assert words in done.skipped[f"a/{name}"], done.skipped[f"a/{name}"]
    assert sorted(path.name for path in (tmp_path / "out").rglob("*") if path.is_file()) == [
        "good.png",
        "good.png",
    ]


def test_heic_photos_are_read_with_the_extra(tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    (tmp_path / "photos" / "a").mkdir(parents=True)
    (tmp_path / "photos" / "b").mkdir()
    Image.fromarray(colours(40, 50)).save(tmp_path / "photos" / "a" / "phone.heic", quality=90)
    Image.fromarray(colours(40, 50)).save(tmp_path / "photos" / "b" / "phone.heif", quality=90)
    done = un.protect(tmp_path / "photos", tmp_path / "out", methods.create("random", {}), seed=1, workers=1)
    assert (done.written, dict(done.skipped)) == (2, {})
    with (
        Image.open(tmp_path / "photos" / "a" / "phone.heic") as source,
        Image.open(tmp_path / "out" / "a" / "phone.png") as image,
    ):
        change = np.abs(np.asarray(image).astype(int) - np.asarray(source.convert("RGB")))
    assert 0 < change.max() <= 8


def test_a_lying_extension_does_not_matter() -> None:
    assert np.array_equal(
        decode(saved(Image.fromarray(colours(9, 9)), "PNG"), "photo.jpg").pixels, colours(9, 9)
    )


def test_damaged_side_data_is_left_out_with_a_note_and_the_picture_kept() -> None:
    picture = Image.fromarray(colours(12, 14))
    wrong_space = srgb()[:16] + b"CMYK" + srgb()[20:]
    for profile in (srgb()[:-9], b"nonsense", wrong_space):
        photo = decode(saved(picture, "PNG", icc_profile=profile), "x")
        assert photo.profile is None
        assert "ICC profile" in photo.notes[0]
    broken_exif = saved(picture, "PNG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xff" * 40)
    assert np.array_equal(decode(broken_exif, "x").pixels, colours(12, 14))


def test_jpeg_is_counted_before_encoding_and_what_encoding_did_is_recorded(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for name in ("a", "b"):
        (photos / name).mkdir(parents=True)
        (photos / name / "p.png").write_bytes(saved(Image.fromarray(colours(90, 70)), "PNG"))
    (photos / "b" / "q.png").write_bytes(
        saved(Image.fromarray(np.dstack([colours(9, 9), colours(9, 9)[..., 0]])), "PNG")
    )
    done = un.protect(
        photos,
        tmp_path / "out",
        methods.create("random", {}),
        encoding=Encoding("jpeg", 90),
        seed=1,
        workers=1,
    )
    record = RunFolder(done.run).files()["a/p.png"]
    assert (record["output"], record["largest"]) == ("a/p.jpg", 8)
    with Image.open(tmp_path / "out" / "a" / "p.jpg") as image:
        assert image.format == "JPEG"
        assert all(sampling[1:3] == (1, 1) for sampling in image.layer), "chroma has full resolution"
        change = np.abs(np.asarray(image).astype(int) - colours(90, 70))
    assert (record["encoded_largest"], record["encoded_mean"]) == (
        change.max(),
        pytest.approx(change.mean(), abs=1e-4),
    )
    assert record["encoded_largest"] > record["largest"]
    assert done.encoded is not None
    assert done.encoded[0] >= record["encoded_largest"]
    assert RunFolder(done.run).files()["b/q.png"]["output"] == "b/q.png"
    assert "JPEG has no transparency" in done.notes["b/q.png"][0]


def test_webp_goes_to_png_where_it_cannot_hold_the_photo() -> None:
    wide = Photo(np.zeros((2, 16_384), np.uint8))
    assert Image.open(io.BytesIO(encode(wide, "webp"))).format == "PNG"
    assert Encoding("webp").format_for(wide.size, False)[1].startswith("written as PNG")
    assert Encoding("webp").format_for((16_383, 5), True) == ("webp", "")


@pytest.mark.parametrize("wrong", [{"format": "gif"}, {"quality": 0}, {"quality": 101}])
def test_wrong_encodings_are_refused(wrong: dict) -> None:
    with pytest.raises(UsageError):
        Encoding(**wrong)


def test_most_pixels_are_counted_before_anything_is_decoded() -> None:
    data = saved(Image.fromarray(colours(10, 10)), "PNG")
    assert decode(data, "x", max_pixels=100).size == (10, 10)
    with pytest.raises(DataError, match="10 x 10 pixels, more than 99"):
        decode(data, "x", max_pixels=99)


XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/"
  xmlns:GImage="http://ns.google.com/photos/1.0/image/" GImage:Data="AAAAsecretAAAA">
<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">(c) Ada</rdf:li></rdf:Alt></dc:rights>
<xmp:Thumbnails>secret</xmp:Thumbnails><xmpMM:History>secret</xmpMM:History></rdf:Description></rdf:RDF></x:xmpmeta>"""


@pytest.mark.parametrize("format", ["png", "webp", "jpeg"])
def test_metadata_is_dropped_unless_asked_for_and_pictures_inside_it_always(format: str) -> None:
    exif = Image.Exif()
    exif[274], exif[315] = 6, "Ada"
    exif.get_ifd(0x8769)[37500] = b"secret maker note with a preview"
    exif.get_ifd(0x8769)[36867] = "2024:05:06 07:08:09"
    exif[0x8769] = exif.get_ifd(0x8769)
    source = saved(Image.fromarray(colours(20, 30)), "JPEG", exif=exif.tobytes(), xmp=XMP, comment=b"secret")
    bare = encode(decode(source, "x", metadata=False), Encoding(format, metadata=True))
    with Image.open(io.BytesIO(bare)) as image:
        assert not image.getexif()
        assert "xmp" not in image.info
    data = encode(decode(source, "x", metadata=True), Encoding(format, metadata=True))
    assert b"secret" not in data
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (20, 30)  # upright
        found = image.getexif()
        assert (found[274], found[315], found.get_ifd(0x8769)[36867]) == (1, "Ada", "2024:05:06 07:08:09")
        assert b"(c) Ada" in (
            image.info["xmp"] if isinstance(image.info["xmp"], bytes) else image.info["xmp"].encode()
        )


def test_gps_is_dropped_by_default_and_kept_when_asked() -> None:
    source = saved(Image.fromarray(colours(20, 30)), "JPEG", exif=oriented(1))
    assert not Image.open(io.BytesIO(encode(decode(source, "x"), Encoding("png", metadata=True)))).getexif()
    kept = Image.open(io.BytesIO(encode(decode(source, "x", metadata=True), Encoding("png", metadata=True))))
    assert kept.getexif().get_ifd(0x8825)[1] == "N"
