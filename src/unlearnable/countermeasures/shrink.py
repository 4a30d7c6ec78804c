"""Shrinking, as sites and trainers do; a baseline without a paper."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch

from unlearnable.countermeasures.base import Countermeasure, setting
from unlearnable.countermeasures.registry import register
from unlearnable.data.photo import Photo
from unlearnable.lifting import resample
from unlearnable.training.compute import Compute


@register
@dataclass(frozen=True)
class Shrink(Countermeasure):
    """Shrinks images and enlarges them again to their own size, by Pillow's antialiased bilinear resize.

    Test images are shrunk too, because a model trained on small images is used on small images.

    Args:
        factor: Divisor of height and width.
    """

    name: ClassVar[str] = "shrink"
    test_time: ClassVar[bool] = True
    factor: float = setting(2.0, 1, 64)

    def photo(self, photo: Photo, rng: torch.Generator) -> Photo:
        """Return the photo after it was shrunk and enlarged again, without alpha."""
        from PIL import Image

        height, width = photo.size
        small = self._shrunk(width), self._shrunk(height)
        image = Image.fromarray(photo.opaque).resize(small, Image.Resampling.BILINEAR)
        back = image.resize((width, height), Image.Resampling.BILINEAR)
        return replace(photo, pixels=np.asarray(back))

    def stand_in(self, x: torch.Tensor, rng: torch.Generator, compute: Compute) -> torch.Tensor:
        """Return images after they were shrunk and enlarged again."""
        side = x.shape[-1]
        small = self._shrunk(side)
        both = compute.send(torch.tensor(resample(side, small) @ resample(small, side)))
        return both @ x @ both.T

    def _shrunk(self, side: int) -> int:
        return max(1, round(side / self.factor))
