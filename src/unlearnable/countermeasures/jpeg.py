"""JPEG (Liu, Zhao and Larson, "Image shortcut squeezing", ICML 2023, arXiv:2301.13838)."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from unlearnable.countermeasures.base import Countermeasure, setting
from unlearnable.countermeasures.registry import register


@register
@dataclass(frozen=True)
class Jpeg(Countermeasure):
    """Training images are compressed as JPEG of a low quality, 4:2:0 chroma, once (Liu et al., ICML 2023).

    As in the paper's main results and its code, test images stay as they are.

    Args:
        quality: 1 to 100, as Pillow counts it; the paper's is 10.
    """

    name: ClassVar[str] = "jpeg"
    quality: int = setting(10, 1, 100)

    def prepare(
        self, pixels: torch.Tensor, labels: torch.Tensor | None, rng: torch.Generator
    ) -> torch.Tensor:
        """Return the images decoded again. The codec takes one image at a time."""
        from PIL import Image

        out = torch.empty_like(pixels)
        for row, image in zip(out, pixels, strict=True):
            buffer = io.BytesIO()
            Image.fromarray(image.permute(1, 2, 0).numpy()).save(
                buffer, "JPEG", quality=self.quality, subsampling="4:2:0"
            )
            row.copy_(torch.from_numpy(np.array(Image.open(buffer))).permute(2, 0, 1))
        return out
