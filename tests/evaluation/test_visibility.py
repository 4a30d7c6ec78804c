"""PSNR, SSIM and levels of changes whose values are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from unlearnable.data.photo import Photo
from unlearnable.errors import DataError
from unlearnable.evaluation.visibility import overall, visibility


def photo(*shape: int, seed: int = 0) -> Photo:
    return Photo(np.random.default_rng(seed).integers(20, 230, shape, dtype=np.uint8))


def test_grey_photos_with_transparency_are_compared_without_it() -> None:
    grey = np.random.default_rng(0).integers(20, 200, (16, 16, 2), dtype=np.uint8)
    moved = grey.copy()
    moved[..., 0] += 3
    assert visibility(Photo(grey), Photo(moved)).largest == 3


def test_an_even_change_has_the_psnr_of_its_size() -> None:
    before = photo(32, 40, 3)
    found = visibility(before, Photo(before.pixels + np.uint8(8)))
    assert (found.largest, found.mean) == (8, 8.0)
    assert found.psnr == pytest.approx(20 * math.log10(255 / 8))
    assert 0.98 < found.ssim < 1


def test_no_change_is_perfect() -> None:
    found = visibility(photo(16, 16), photo(16, 16))
    assert (found.largest, found.psnr, found.ssim) == (0, math.inf, 1.0)


def test_alpha_and_grey_are_compared_as_they_are_seen() -> None:
    before = photo(16, 16, 4)
    after = before.pixels.copy()
    after[..., 3] = 0
    assert visibility(before, Photo(after)).largest == 0
    grey = photo(16, 16)
    assert visibility(grey, Photo(grey.rgb() + np.array([0, 0, 5], np.uint8))).mean == pytest.approx(5 / 3)


def test_tiny_images_have_no_ssim_and_sizes_must_agree() -> None:
    assert math.isnan(visibility(photo(5, 5, 3), photo(5, 5, 3, seed=1)).ssim)
    with pytest.raises(DataError, match="pixels"):
        visibility(photo(8, 8, 3), photo(8, 9, 3))


def test_the_summary_takes_the_largest_change_and_means() -> None:
    before = photo(16, 16, 3)
    one, two, none = (visibility(before, Photo(before.pixels + np.uint8(step))) for step in (4, 8, 0))
    found = overall([one, two, none])
    assert (found.largest, found.mean) == (8, 4.0)
    assert found.psnr == pytest.approx((one.psnr + two.psnr) / 2)
    assert math.isinf(overall([none]).psnr)


# Blurred colours


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* (D65) of sRGB in [0, 1], from the definitions."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = (
        linear
        @ np.array(
            [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
        ).T
        / np.array([0.95047, 1.0, 1.08883])
    )
    root = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


@pytest.mark.parametrize("shape", [(40, 60), (600, 530)])
def test_a_tint_has_the_colour_difference_of_two_patches(shape: tuple[int, int]) -> None:
    white = np.full((*shape, 3), 240, np.uint8)
    pink = white - np.array([0, 8, 0], np.uint8)
    one, two = lab(white[0, 0] / 255), lab(pink[0, 0] / 255)
    # for greys, CIEDE2000 weighs chroma by 1.5 along a* (G = 0.5) and lightness by S_L
    lightness = (one[0] + two[0]) / 2
    weight = 1 + 0.015 * (lightness - 50) ** 2 / math.sqrt(20 + (lightness - 50) ** 2)
    chroma = math.hypot(1.5 * (two[1] - one[1]), two[2] - one[2])
    wanted = math.hypot((two[0] - one[0]) / weight, chroma / (1 + 0.045 * chroma / 2))
    assert visibility(Photo(white), Photo(pink)).ciede2000 == pytest.approx(wanted, rel=0.02)
    assert wanted > 5


@pytest.mark.parametrize("side", [64, 512])
def test_grain_is_hardly_seen_after_the_blur_and_a_tint_of_the_same_size_is(side: int) -> None:
    middle = np.full((side, side, 3), 128, np.uint8)
    grain = np.where(np.random.default_rng(0).random((side, side, 3)) < 0.5, 124, 132).astype(np.uint8)
    tint = middle + np.array([4, 0, 4], np.uint8) - np.array([0, 4, 0], np.uint8)
    seen, tinted = (visibility(Photo(middle), Photo(one)).ciede2000 for one in (grain, tint))
    assert seen < 0.25 * tinted
    assert visibility(Photo(middle), Photo(middle)).ciede2000 == 0
    found = overall([visibility(Photo(middle), Photo(one)) for one in (grain, tint)])
    assert found.ciede2000 == pytest.approx((seen + tinted) / 2)
