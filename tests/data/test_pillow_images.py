"""Pillow images of every mode, as data sets yield them: pixels that people see, or an error with the mode."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from corpus import colours, oriented, saved, srgb
from unlearnable.data.decoding import decode, photo_of
from unlearnable.errors import DataError

PIXELS = colours(24, 30)
WHOLE = Image.fromarray(PIXELS)
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "LAB")


@pytest.mark.parametrize("mode", MODES)
def test_colours_are_those_of_convert(mode: str) -> None:
    image = WHOLE.convert(mode)
    assert np.array_equal(photo_of(image).rgb(), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_premultiplied_colours_are_divided_again(mode: str) -> None:
    alpha = np.full(PIXELS.shape[:2], 200, np.uint8)
    whole = Image.fromarray(np.dstack([PIXELS[..., :1] if mode == "LA" else PIXELS, alpha]))
    photo = photo_of(whole.convert({"LA": "La", "RGBA": "RGBa"}[mode]))
    assert np.abs(photo.rgb().astype(int) - np.asarray(whole.convert("RGB"))).max() <= 1
    assert photo.alpha is not None
    assert (photo.alpha == 200).all()


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I;16L"])
def test_16_bit_grey_is_rounded(mode: str) -> None:
    deep = np.arange(24 * 30, dtype=np.uint16).reshape(24, 30) * 91
    image = Image.frombytes(mode, (30, 24), deep.astype(">u2" if mode == "I;16B" else "<u2").tobytes())
    assert np.array_equal(photo_of(image).pixels, np.rint(deep / 257))


@pytest.mark.parametrize("mode", ["I", "F"])
def test_modes_without_a_reference_are_named(mode: str) -> None:
    with pytest.raises(DataError, match=f"the mode {mode}:"):
        photo_of(Image.new(mode, (3, 4)))


@pytest.mark.parametrize(
    ("image", "transparency"),
    [
        (WHOLE.quantize(16), 3),
        (WHOLE.quantize(16), bytes(range(0, 256, 16))),
        (WHOLE.convert("L"), int(WHOLE.convert("L").getpixel((0, 0)))),
        (WHOLE, (255, 0, 9)),
    ],
)
def test_transparent_levels_and_colours_become_alpha(image: Image.Image, transparency: object) -> None:
    image = image.copy()
    image.info["transparency"] = transparency
    photo = photo_of(image)
    assert photo.alpha is not None
    assert photo.alpha.min() == 0
    assert np.array_equal(photo.alpha, np.asarray(image.convert("RGBA"))[..., 3])


@pytest.mark.parametrize("format", ["PNG", "TIFF", "GIF", "WEBP", "BMP"])
def test_an_image_that_was_opened_and_not_loaded_is_read_like_its_file(format: str) -> None:
    image = WHOLE.quantize(32) if format == "GIF" else WHOLE
    data = saved(image, format, **({"lossless": True} if format == "WEBP" else {}))
    opened = photo_of(Image.open(io.BytesIO(data)))
    assert np.array_equal(opened.rgb(), decode(data, "x").rgb())


def test_orientation_is_left_to_the_data_set_and_the_profile_stays() -> None:
    data = saved(WHOLE, "PNG", exif=oriented(6), icc_profile=srgb())
    photo = photo_of(Image.open(io.BytesIO(data)))
    assert np.array_equal(photo.pixels, PIXELS)
    assert photo.profile == srgb()


def test_channels_stay_as_many_as_they_are() -> None:
    grey = np.repeat(PIXELS[..., :1], 3, 2)
    assert photo_of(Image.fromarray(grey)).pixels.shape == (24, 30, 3)
    assert photo_of(WHOLE.convert("RGBA")).pixels.shape == (24, 30, 4)


def test_a_damaged_image_is_an_error_of_ours() -> None:
    with pytest.raises(DataError, match="mode RGB cannot be read"):
        photo_of(Image.open(io.BytesIO(saved(WHOLE, "PNG")[:300])))


def test_a_12_bit_tiff_is_not_taken_for_16_bits() -> None:
    from corpus import packed, tiff

    data = tiff((packed(np.zeros((4, 4), int), 12), {256: 4, 257: 4, 258: 12}))
    with pytest.raises(DataError, match="I;16"):
        photo_of(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (0, 0)])
def test_an_image_without_pixels_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(DataError, match="no pixels"):
        photo_of(Image.new("RGB", size))
