"""Visibility of the noise: largest and mean change, PSNR and SSIM, at the photo's own size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unlearnable.data.photo import Photo
from unlearnable.errors import DataError

# side of the window of SSIM (Wang et al., 2004) in pixels; smaller photos have no SSIM
WINDOW = 7


@dataclass(frozen=True)
class Visibility:
    """Distances between a photo and its protected image.

    Args:
        largest: Largest change of any channel of any pixel, in levels.
        mean: Mean absolute change, in levels.
        psnr: Peak signal-to-noise ratio in dB; infinite for equal images.
        ssim: Structural similarity in [-1, 1]; NaN for photos smaller than its window.
    """

    largest: int
    mean: float
    psnr: float
    ssim: float


def visibility(clean: Photo, protected: Photo) -> Visibility:
    """Return the visibility of the noise in one pair, at its own size.

    Raises:
        DataError: If the sizes differ.
    """
    from skimage.metrics import structural_similarity

    if clean.size != protected.size:
        raise DataError(
            f"The protected image has {protected.size} pixels, but its photo has {clean.size}.",
            "Compare files that were not resized.",
        )
    both_grey = clean.grey and protected.grey
    before, after = (photo.opaque if both_grey else photo.rgb() for photo in (clean, protected))
    difference = np.abs(before.astype(np.int16) - after.astype(np.int16))
    error = float(np.square(difference, dtype=np.float64).mean())
    ssim = math.nan
    if min(clean.size) >= WINDOW:
        # scikit-image has no types
        structure: Any = structural_similarity
        ssim = float(
            structure(before, after, win_size=WINDOW, channel_axis=None if both_grey else 2, data_range=255)
        )
    psnr = math.inf if error == 0 else 10 * math.log10(255**2 / error)
    return Visibility(int(difference.max()), float(difference.mean()), psnr, ssim)


def overall(measured: Sequence[Visibility]) -> Visibility:
    """Return the summary of several pairs: the maximum of ``largest`` and the means of the other measures.

    The mean of PSNR is over the pairs that differ.
    """
    finite = [one.psnr for one in measured if math.isfinite(one.psnr)]
    ssims = [one.ssim for one in measured if not math.isnan(one.ssim)]
    return Visibility(
        largest=max(one.largest for one in measured),
        mean=float(np.mean([one.mean for one in measured])),
        psnr=float(np.mean(finite)) if finite else math.inf,
        ssim=float(np.mean(ssims)) if ssims else math.nan,
    )
