"""Greyscale (Liu, Zhao and Larson, "Image shortcut squeezing", ICML 2023, arXiv:2301.13838)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch

from unlearnable.countermeasures.base import Countermeasure
from unlearnable.countermeasures.registry import register
from unlearnable.data.photo import Photo


@register
@dataclass(frozen=True)
class Grey(Countermeasure):
    """Images are turned grey: their luminance by ITU-R 601 in each channel (Liu et al., ICML 2023).

    Test images too: somebody who trains on grey images will look at grey images. The authors' code leaves
    them in colour unless told otherwise.
    """

    name: ClassVar[str] = "grey"
    test_time: ClassVar[bool] = True

    def photo(self, photo: Photo, rng: torch.Generator) -> Photo:
        """Return the luminance, in the integers of Pillow's conversion to ``L``."""
        if photo.grey:
            return photo
        red, green, blue = photo.opaque.astype(np.int32).transpose(2, 0, 1)
        luminance = (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16
        return replace(photo, pixels=luminance.astype(np.uint8), profile=None)
