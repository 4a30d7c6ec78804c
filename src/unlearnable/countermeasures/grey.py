"""Greyscale.

Source: Liu, Zhao and Larson, "Image shortcut squeezing", ICML 2023, arXiv:2301.13838.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch

from unlearnable.countermeasures.base import Countermeasure
from unlearnable.countermeasures.registry import register
from unlearnable.data.photo import Photo
from unlearnable.training.compute import Compute


@register
@dataclass(frozen=True)
class Grey(Countermeasure):
    """Turns images grey: their luminance by ITU-R 601 in each channel (Liu et al., ICML 2023).

    Test images turn grey too, because a model trained on grey images is used on grey images. The authors'
    code leaves test images in colour by default.
    """

    name: ClassVar[str] = "grey"
    test_time: ClassVar[bool] = True

    def photo(self, photo: Photo, rng: torch.Generator) -> Photo:
        """Return the luminance, computed in integers like Pillow's conversion to ``L``."""
        if photo.grey:
            return photo
        red, green, blue = photo.opaque.astype(np.int32).transpose(2, 0, 1)
        luminance = (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16
        return replace(photo, pixels=luminance.astype(np.uint8), profile=None)

    def stand_in(self, x: torch.Tensor, rng: torch.Generator, compute: Compute) -> torch.Tensor:
        """Return the luminance in each channel."""
        luminance = 0.299 * x[:, :1] + 0.587 * x[:, 1:2] + 0.114 * x[:, 2:]
        return luminance.expand_as(x)
