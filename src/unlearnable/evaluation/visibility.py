"""Visibility of the noise: largest and mean change, PSNR, SSIM, and the difference of blurred colours."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unlearnable.budget import UInt8Array
from unlearnable.data.decoding import decode
from unlearnable.data.image_set import ImageSet
from unlearnable.data.photo import Photo
from unlearnable.errors import DataError
from unlearnable.publish import Published
from unlearnable.runs import RunFolder

# side of the window of SSIM (Wang et al., 2004) in pixels; smaller photos have no SSIM
WINDOW = 7
# of the shorter side: the standard deviation of the blur before colours are compared. Grain disappears in it,
# as it does at a distance; a tint and shades stay.
BLUR = 1 / 32
# shorter side in pixels to which photos are reduced before the blur, which loses nothing that it leaves
REDUCED = 256
# photos of a run whose visibility is measured, and their pixels together, after which no other is taken
SAMPLED, PIXELS = 8, 8_000_000


@dataclass(frozen=True)
class Visibility:
    """Distances between a photo and its protected image.

    Args:
        largest: Largest change of any channel of any pixel, in levels.
        mean: Mean absolute change, in levels.
        psnr: Peak signal-to-noise ratio in dB; infinite for equal images.
        ssim: Structural similarity in [-1, 1]; NaN for photos smaller than its window.
        ciede2000: Mean colour difference (CIEDE2000; Sharma et al., 2005) after a Gaussian blur of 1/32 of
            the shorter side. 1 is just noticeable between two patches side by side.
    """

    largest: int
    mean: float
    psnr: float
    ssim: float
    ciede2000: float = math.nan


def visibility(clean: Photo, protected: Photo) -> Visibility:
    """Return the visibility of the noise in one pair, at its own size.

    Raises:
        DataError: If the sizes differ.
    """
    # importing these changes the warnings of the whole program
    with warnings.catch_warnings():
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
    colours = blurred_difference(clean, protected)
    return Visibility(int(difference.max()), float(difference.mean()), psnr, ssim, colours)


def blurred_difference(clean: Photo, protected: Photo) -> float:
    """Return the mean CIEDE2000 between two photos of one size, each blurred: what a tint changes."""
    with warnings.catch_warnings():
        from scipy.ndimage import gaussian_filter
        from skimage.color import deltaE_ciede2000, rgb2lab

    factor = max(1, min(clean.size) // REDUCED)
    sigma = BLUR * min(clean.size) / factor
    labs = [
        rgb2lab(gaussian_filter(_reduced(photo.rgb(), factor) / 255, (sigma, sigma, 0)))
        for photo in (clean, protected)
    ]
    # scikit-image has no types
    differences: Any = deltaE_ciede2000
    return float(np.mean(differences(*labs)))


def _reduced(pixels: UInt8Array, factor: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the means of squares of ``factor`` pixels; what is left over at two edges is left out."""
    height, width = (side // factor for side in pixels.shape[:2])
    cut = pixels[: height * factor, : width * factor]
    means: np.ndarray[Any, np.dtype[np.float64]] = cut.reshape(height, factor, width, factor, 3).mean((1, 3))
    return means


def of_run(images: ImageSet, files: Mapping[str, Path]) -> dict[str, Any] | None:
    """Return the visibility of the noise in some published files, as ``run.json`` records it.

    Args:
        images: The photos.
        files: Published file of every photo that has one, by id.

    Returns:
        ``photos`` (their number) and the measures of ``Visibility``, None where there is no number; or None
        if there are no files.
    """
    measured, pixels = [], 0
    for id in list(files)[:: max(1, len(files) // SAMPLED)][:SAMPLED]:
        if pixels >= PIXELS:
            break
        after = decode(files[id].read_bytes(), str(files[id]))
        # noise is added to a photo after it is resized
        photo = images.photo(id).resized(after.size)
        pixels += math.prod(photo.size)
        measured.append(visibility(photo, after))
    if not measured:
        return None
    values = {name: round(value, 4) for name, value in asdict(overall(measured)).items()}
    numbers = {name: value if math.isfinite(value) else None for name, value in values.items()}
    return {"photos": len(measured), **numbers}


def of_published(images: ImageSet, published: Published, run: RunFolder) -> dict[str, Any] | None:
    """Return the visibility of some files, measured if files were written; else what the run recorded.

    Args:
        images: The photos.
        published: What was published.
        run: The run folder.
    """
    if not published.written:
        before: dict[str, Any] | None = run.read().get("visibility")
        return before
    records = run.list_of(published.protected).records()
    files = {
        id: published.protected / records[id]["output"]
        for id in images.own
        if id in records and id not in published.skipped
    }
    return of_run(images, files)


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
        ciede2000=float(np.mean([one.ciede2000 for one in measured])),
    )
