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
