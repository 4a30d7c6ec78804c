"""Where images come from: folders, arrays, splits, views, and the decoding of one photo."""

from __future__ import annotations

import io
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from conftest import pixels
from unlearnable.budget import Budget
from unlearnable.data.arrays import arrays
from unlearnable.data.datasets import dataset
from unlearnable.data.decoding import decode
from unlearnable.data.encoding import encode
from unlearnable.data.folder import folder
from unlearnable.data.image_set import ImageSet
from unlearnable.data.photo import Photo, squash
from unlearnable.data.splitting import held_out
from unlearnable.errors import DataError
from unlearnable.files import write
from unlearnable.noise import Noise


def put(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels(1, 12, seed)[0]).save(path)
    return path


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def test_classes_are_first_level_folders_in_code_point_order(tmp_path: Path) -> None:
    for name in ("b/x.png", "10/x.png", "2/deep/er/x.png", "B/x.JPG", "é/x.png"):
        put(tmp_path / name)
    images = folder(tmp_path)
    assert images.classes == ("10", "2", "B", "b", "é")
    assert images.ids == ("10/x.png", "2/deep/er/x.png", "B/x.JPG", "b/x.png", "é/x.png")
    assert [images.classes[label] for label in images.labels] == [images.class_of[id] for id in images.ids]


def test_ids_are_in_composed_form_and_files_are_still_found(tmp_path: Path) -> None:
    name = unicodedata.normalize("NFD", "Zoë/café.png")
    put(tmp_path / name)
    images = folder(tmp_path)
    assert images.ids == (unicodedata.normalize("NFC", name),)
    assert images.photo(images.ids[0]).size == (12, 12)


def test_litter_is_ignored_and_what_is_no_photo_is_listed(tmp_path: Path) -> None:
    root = tmp_path / "set"
    real = put(root / "a" / "x.png")
    outside = put(tmp_path / "elsewhere" / "secret.png")
    for name in (".hidden/x.png", "a/.x.png", "__MACOSX/x.png", "loose.png"):
        put(root / name)
    for name in ("a/Thumbs.db", "a/notes.txt", ".DS_Store"):
        (root / name).write_text("text")
    (root / "a" / "link.png").symlink_to(outside)
    (root / "b").symlink_to(outside.parent)
    images = folder(root)
    assert images.ids == ("a/x.png",)
    assert set(images.skipped) == {"a/link.png", "b", "loose.png"}
    assert images.others == {".txt": 1}
    assert "never followed" in images.skipped["b"]
    assert real.exists()


def test_a_folder_without_classes_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a folder"):
        folder(tmp_path / "absent")
    with pytest.raises(DataError, match="contains no class"):
        folder(tmp_path)
    put(tmp_path / "x.png")
    with pytest.raises(DataError, match="images are directly in it \\(1\\)"):
        folder(tmp_path)


def test_a_file_that_changes_or_goes_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path / "a" / "x.png")
    images = folder(tmp_path)
    before = images.stamp
    images.photo("a/x.png")
    put(path, seed=1)
    assert folder(tmp_path).stamp != before
    with pytest.raises(DataError, match=r"x\.png changed while"):
        images.photo("a/x.png")
    path.unlink()
    with pytest.raises(DataError, match=r"x\.png cannot be read"):
        images.photo("a/x.png")


def test_unreadable_files_are_left_out_and_listed(photos: Path) -> None:
    (photos / "cats" / "broken.jpg").write_bytes(b"\xff\xd8 not a photo")
    (photos / "cats" / "empty.png").touch()
    images = folder(photos).readable()
    assert len(images) == 18
    assert set(images.skipped) == {"cats/broken.jpg", "cats/empty.png"}
    with pytest.raises(DataError, match="None of the 1 images"):
        folder(photos).subset(["cats/empty.png"]).readable()


@pytest.mark.parametrize(
    "convert",
    [
        lambda x: x,
        lambda x: x.transpose(0, 3, 1, 2),
        lambda x: (x / 255).astype(np.float32),
        lambda x: torch.from_numpy(x.transpose(0, 3, 1, 2).copy()) / 255,
    ],
)
def test_arrays_of_any_layout_are_the_same_images(convert) -> None:
    given = pixels(4)
    images = arrays(convert(given), ["a", "b", "a", "b"], ids=["0", "1", "2", "3"])
    assert all(np.array_equal(images.photo(str(i)).pixels, given[i]) for i in range(4))
    assert images.stamp == arrays(given, ["a", "b", "a", "b"], ids=["0", "1", "2", "3"]).stamp


def test_arrays_that_cannot_be_photos_are_refused() -> None:
    good = pixels(2)
    for bad in (
        good / 255 - 0.5,
        good.astype(np.int32),
        good / 255 + 0.5,
        np.full((2, 4, 4, 3), 0.5),
        np.zeros((2, 4)),
        np.zeros((2, 4, 4, 5)),
    ):
        with pytest.raises(DataError):
            arrays(bad, ["a", "b"])
    with pytest.raises(DataError, match="as many labels"):
        arrays(good, ["a"])
    with pytest.raises(DataError, match="different ids"):
        arrays(good, ["a", "b"], ids=["x", "x"])


def test_ids_from_pixels_do_not_depend_on_order_and_tell_twins_apart() -> None:
    given = pixels(3)
    assert arrays(given, [0, 1, 2]).ids == arrays(given[::-1], [2, 1, 0]).ids[::-1]
    assert arrays(given, [0, 1, 2]).classes == ("0000", "0001", "0002")
    assert len(arrays(np.concatenate([given, given]), [0, 1, 2] * 2)) == 6


def test_a_torch_style_data_set_is_opened_in_its_order() -> None:
    class Pairs:
        classes = ("zebra", "ant")

        def __len__(self) -> int:
            return 4

        def __getitem__(self, index: int) -> tuple[Image.Image, int]:
            return Image.fromarray(pixels(4)[index]), index % 2

    images = dataset(Pairs())
    assert images.ids == ("00000", "00001", "00002", "00003")
    assert images.class_of["00000"] == "zebra"
    assert np.array_equal(images.photo("00002").pixels, pixels(4)[2])


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), min_size=2, max_size=40),
    st.integers(0, 99),
)
@settings(deadline=None)
def test_a_split_is_stratified_and_keeps_duplicates_on_one_side(
    entries: list[tuple[str, int]], seed: int
) -> None:
    class_of = {f"{i:02d}": name for i, (name, _) in enumerate(entries)}
    digests = {f"{i:02d}": str(content) for i, (_, content) in enumerate(entries)}
    out = held_out(class_of, digests, 0.25, seed)
    assert not {digests[id] for id in out} & {digests[id] for id in class_of if id not in out}
    for name in set(class_of.values()):
        members = {id for id in class_of if class_of[id] == name}
        assert members - out
        if len({digests[id] for id in members}) == len(members) and len(set(digests.values())) == len(
            digests
        ):
            assert len(members & out) == min(max(1, round(0.25 * len(members))), len(members) - 1)


def test_a_class_of_duplicates_is_tested_too() -> None:
    """A pair is more than a quarter of four images, but without it nothing of the class would be held out."""
    class_of = dict.fromkeys("0123", "a") | dict.fromkeys("456789", "b")
    out = held_out(class_of, {id: str(int(id) // 2) if id < "4" else id for id in class_of}, 0.25, 0)
    assert out & set("0123") in ({"0", "1"}, {"2", "3"})
    assert len(out & set("456789")) == 2


def test_a_split_depends_on_its_seed_and_not_on_order(images: ImageSet) -> None:
    rest, out = images.split(0.25, 1)
    assert sorted(rest.ids + out.ids) == list(images.ids)
    assert [out.class_of[id] for id in out.ids].count("ant") == 2
    assert len(out) == 6
    backwards = arrays(
        pixels()[::-1], (["ant", "bee", "cat"] * 8)[::-1], ids=[f"img{i:02d}" for i in range(24)][::-1]
    )
    assert backwards.split(0.25, 1)[1].ids == out.ids[::-1]
    assert images.split(0.25, 2)[1].ids != out.ids


def test_context_is_trained_on_and_never_given_noise(images: ImageSet) -> None:
    others = arrays(pixels(4, seed=7), ["dog", "elk"] * 2, ids=["img00", "img01", "x", "y"])
    both = images.join(others)
    assert both.own == images.ids
    assert (len(both), both.classes, both.context) == (
        28,
        ("ant", "bee", "cat", "dog", "elk"),
        frozenset({"dog", "elk"}),
    )
    assert np.array_equal(both.photo("context/img00").pixels, others.photo("img00").pixels)
    view = both.view(16)
    assert [id for id, own in zip(view.ids, view.own, strict=True) if not own] == [
        id for id in both.ids if id.startswith("context/")
    ]
    with pytest.raises(DataError, match="'ant' is among the photos and in the context"):
        images.join(images)


def test_noise_keyed_by_id_survives_shuffling_relabelling_and_added_images(images: ImageSet) -> None:
    bank = np.random.default_rng(1).integers(-8, 9, (24, 3, 16, 16), dtype=np.int8)
    noise = Noise(
        bank,
        images.ids,
        "samplewise",
        Budget(8),
        (16, 16),
        digests=tuple(images.source.load(id)[1] for id in images.ids),
    )
    before = images.with_noise(noise)
    order = np.random.default_rng(2).permutation(24)
    mixed = arrays(
        np.concatenate([pixels(3, seed=9), pixels()[order]]),
        ["new"] * 3 + ["other"] * 24,
        ids=["a", "b", "zz", *(f"img{i:02d}" for i in order)],
    )
    after = mixed.with_noise(noise)
    assert all(np.array_equal(before.photo(id).pixels, after.photo(id).pixels) for id in images.ids)
    assert all(np.array_equal(after.photo(id).pixels, mixed.photo(id).pixels) for id in ("a", "b", "zz"))
    swapped = arrays(pixels()[::-1], ["ant"] * 24, ids=images.ids).with_noise(noise)
    assert all(np.array_equal(swapped.photo(id).pixels, pixels()[::-1][i]) for i, id in enumerate(images.ids))


def test_a_view_is_squares_in_rgb_in_the_order_of_the_ids(photos: Path) -> None:
    images = folder(photos)
    view = images.view(16, zoom=1.5)
    assert view.pixels.shape == (18, 3, 24, 24)
    assert view.ids == images.ids
    grey = view.ids.index("cats/grey.png")
    assert view.grey.tolist() == [id == "cats/grey.png" for id in view.ids]
    assert (view.pixels[grey, 0] == view.pixels[grey, 1]).all()
    clear = view.ids.index("dogs/see-through.png")
    assert np.array_equal(
        view.pixels[clear], squash(images.photo("dogs/see-through.png").rgb(), 24).transpose(2, 0, 1)
    )
    assert view.fingerprint == folder(photos).view(8).fingerprint
    assert view.fingerprint != images.relabel(lambda id, name: name[:-1]).view(8).fingerprint


COLOUR = Image.fromarray(pixels(1, 20, seed=3)[0])


def test_modes_become_what_a_trainer_would_see() -> None:
    alpha = Image.fromarray(pixels(1, 20, seed=4)[0]).convert("L")
    clear = COLOUR.copy()
    clear.putalpha(alpha)
    assert np.array_equal(decode(saved(clear, "PNG"), "x").pixels, np.asarray(clear))
    assert np.array_equal(decode(saved(clear, "PNG"), "x").rgb(), np.asarray(COLOUR))

    palette = COLOUR.quantize(16)
    assert np.array_equal(decode(saved(palette, "PNG"), "x").pixels, np.asarray(palette.convert("RGB")))
    assert decode(saved(palette, "PNG", transparency=0), "x").pixels.shape == (20, 20, 4)

    deep = Image.fromarray(np.linspace(0, 65535, 400).astype(np.uint16).reshape(20, 20))
    assert np.array_equal(
        decode(saved(deep, "PNG"), "x").pixels, np.rint(np.asarray(deep) / 257).astype(np.uint8)
    )

    cmyk = decode(saved(COLOUR.convert("CMYK"), "JPEG", quality=95), "x")
    assert cmyk.pixels.shape == (20, 20, 3)
    assert np.abs(cmyk.pixels.astype(int) - np.asarray(COLOUR)).mean() < 6

    assert decode(saved(COLOUR.convert("L"), "PNG"), "x").grey
    assert decode(saved(COLOUR.convert("L").convert("RGB"), "PNG"), "x").grey
    assert decode(saved(COLOUR.convert("1"), "PNG"), "x").grey
    with pytest.raises(DataError, match=r"x\.tif .*no 8-bit reference"):
        decode(saved(Image.fromarray(np.zeros((4, 4), np.float32)), "TIFF"), "x.tif")


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (1, None),
        (2, Image.Transpose.FLIP_LEFT_RIGHT),
        (3, Image.Transpose.ROTATE_180),
        (4, Image.Transpose.FLIP_TOP_BOTTOM),
        (5, Image.Transpose.TRANSPOSE),
        (6, Image.Transpose.ROTATE_270),
        (7, Image.Transpose.TRANSVERSE),
        (8, Image.Transpose.ROTATE_90),
    ],
)
def test_photos_stand_as_their_exif_says(orientation: int, turn: Image.Transpose | None) -> None:
    image = COLOUR.crop((0, 0, 20, 13))
    exif = Image.Exif()
    exif[0x0112] = orientation
    expected = image if turn is None else image.transpose(turn)
    assert np.array_equal(decode(saved(image, "PNG", exif=exif), "x").pixels, np.asarray(expected))


@pytest.mark.parametrize("format", ["png", "webp"])
@pytest.mark.parametrize("channels", [0, 3, 4])
def test_encoding_loses_nothing_and_stores_nothing_but_the_profile(format, channels: int) -> None:
    rng = np.random.default_rng(channels)
    array = rng.integers(0, 256, (9, 14, channels) if channels else (9, 14), dtype=np.uint8)
    if channels == 4:
        array[:4, :, 3] = 0  # colour under full transparency survives too
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() if channels else None
    data = encode(Photo(array, profile), format)
    again = decode(data, "x")
    assert np.array_equal(again.pixels, array)
    assert again.profile == profile
    with Image.open(io.BytesIO(data)) as opened:
        assert not opened.getexif()
        assert not {"comment", "xmp", "exif"} & set(opened.info)


def test_damaged_files_are_named_whatever_the_decoder_raises() -> None:
    whole = {name: saved(COLOUR, name) for name in ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF")}
    rng = np.random.default_rng(0)
    for name, data in whole.items():
        for _ in range(30):
            broken = np.frombuffer(data, np.uint8).copy()
            broken[rng.integers(0, min(len(data), 200), 5)] = rng.integers(0, 256, 5)
            try:
                decode(broken[: rng.integers(20, len(data))].tobytes(), f"photo.{name}")
            except DataError as error:
                assert f"photo.{name} " in str(error)  # noqa: PT017
                assert error.remedy  # noqa: PT017


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "deep" / "x.png"
    write(path, b"one")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write(path, b"two")
    assert path.read_bytes() == b"one"
    assert [p.name for p in path.parent.iterdir()] == ["x.png"]


def test_squares_that_memory_does_not_hold_are_mapped_from_a_file_that_nobody_finds(
    images: ImageSet, tmp_path: Path, monkeypatch
) -> None:
    whole = images.view(16, 1.5)
    monkeypatch.setattr("unlearnable.data.square_views.MAX_IN_MEMORY", 1000)
    mapped = images.view(16, 1.5, tmp_path)
    assert isinstance(mapped.pixels, np.memmap)
    assert list(tmp_path.iterdir()) == []
    assert np.array_equal(mapped.pixels, whole.pixels)
    assert mapped.fingerprint == whole.fingerprint


def test_a_disk_without_room_for_squares_is_named_before_anything_is_read(
    images: ImageSet, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr("unlearnable.data.square_views.MAX_IN_MEMORY", 1000)
    monkeypatch.setattr(
        "os.posix_fallocate", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    with pytest.raises(DataError, match=r"on disk, but .* has no room .*No space left"):
        images.view(16, 1.5, tmp_path)
