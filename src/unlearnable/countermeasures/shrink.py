"""Shrinking, as sites and trainers do (a baseline without a paper of its own)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch

from unlearnable.countermeasures.base import Countermeasure, setting
from unlearnable.countermeasures.registry import register
from unlearnable.data.photo import Photo


@register
@dataclass(frozen=True)
class Shrink(Countermeasure):
    """Images are shrunk and enlarged again to their own size, by Pillow's antialiased bilinear resize.

    Test images too: somebody who trains on small images will look at small images.

    Args:
        factor: By which height and width are divided.
    """

    name: ClassVar[str] = "shrink"
    test_time: ClassVar[bool] = True
    factor: float = setting(2.0, 1, 64)

    def photo(self, photo: Photo, rng: torch.Generator) -> Photo:
        """Return the photo, less what a smaller one cannot hold."""
        from PIL import Image

        height, width = photo.size
        small = max(1, round(width / self.factor)), max(1, round(height / self.factor))
        image = Image.fromarray(photo.opaque).resize(small, Image.Resampling.BILINEAR)
        back = image.resize((width, height), Image.Resampling.BILINEAR)
        return replace(photo, pixels=np.asarray(back))
