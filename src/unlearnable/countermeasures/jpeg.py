"""JPEG (Liu, Zhao and Larson, "Image shortcut squeezing", ICML 2023, arXiv:2301.13838)."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch

from unlearnable.countermeasures.base import Countermeasure, setting
from unlearnable.countermeasures.registry import register
from unlearnable.data.photo import Photo


@register
@dataclass(frozen=True)
class Jpeg(Countermeasure):
    """Training images are compressed as JPEG, at their own size, 4:2:0 chroma, once (Liu et al., ICML 2023).

    As in the paper's main results and its code, test images stay as they are.

    Args:
        quality: 1 to 100, as Pillow counts it; the paper's is 10.
    """

    name: ClassVar[str] = "jpeg"
    quality: int = setting(10, 1, 100)

    def photo(self, photo: Photo, rng: torch.Generator) -> Photo:
        """Return the photo decoded again; JPEG has no transparency."""
        from PIL import Image

        buffer = io.BytesIO()
        Image.fromarray(photo.opaque).save(buffer, "JPEG", quality=self.quality, subsampling="4:2:0")
        return replace(photo, pixels=np.array(Image.open(buffer)))
