"""JPEG compression.

Source: Liu, Zhao and Larson, "Image shortcut squeezing", ICML 2023, arXiv:2301.13838.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch

from unlearnable.countermeasures.base import Countermeasure, setting
from unlearnable.countermeasures.registry import register
from unlearnable.data.photo import Photo
from unlearnable.training.compute import Compute
from unlearnable.training.jpeg import compressed


@register
@dataclass(frozen=True)
class Jpeg(Countermeasure):
    """Compresses training images as JPEG, once, at their own size (Liu et al., ICML 2023).

    Chroma is subsampled, 4:2:0. Test images stay unchanged, as in the paper's main results and its code.

    Args:
        quality: JPEG quality, 1 to 100, on Pillow's scale; 10 in the paper.
    """

    name: ClassVar[str] = "jpeg"
    quality: int = setting(10, 1, 100)

    def photo(self, photo: Photo, rng: torch.Generator) -> Photo:
        """Return the photo after compression, without alpha, because JPEG has no transparency."""
        from PIL import Image

        buffer = io.BytesIO()
        Image.fromarray(photo.opaque).save(buffer, "JPEG", quality=self.quality, subsampling="4:2:0")
        return replace(photo, pixels=np.array(Image.open(buffer, formats=["JPEG"])))

    def stand_in(self, x: torch.Tensor, rng: torch.Generator, compute: Compute) -> torch.Tensor:
        """Return the images after compression, with the gradient of a soft dead zone."""
        return compressed(x, self.quality, compute)
