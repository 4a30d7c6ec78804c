"""Cutout.

Source: DeVries and Taylor, "Improved regularization of convolutional neural networks with Cutout", 2017,
arXiv:1708.04552.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from unlearnable.countermeasures.base import REFERENCE_SIDE, Augmentation, setting
from unlearnable.countermeasures.registry import register
from unlearnable.training.compute import Compute


@register
@dataclass(frozen=True)
class Cutout(Augmentation):
    """Blacks out a square at a random pixel of each image (DeVries and Taylor 2017).

    The pixel is the centre of the square, so the border may clip it. The paper fills the square with the mean
    of normalised images (zero). Here images are in [0, 1] and the square is black, as in authors' code for
    unlearnable examples that cuts out before it normalises.

    Args:
        length: Side of the square in pixels of images of 32 px; 16 for CIFAR-10 and 8 for CIFAR-100 in the
            paper.
    """

    name: ClassVar[str] = "cutout"
    length: int = setting(16, 1, 64)

    def batch(
        self, x: torch.Tensor, y: torch.Tensor, rng: torch.Generator, compute: Compute
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the images without their squares, and the labels unchanged."""
        side = x.shape[-1]
        length = max(1, round(self.length * side / REFERENCE_SIDE))
        first = compute.send(torch.randint(0, side, (2, len(x), 1), generator=rng) - length // 2)
        position = torch.arange(side, device=x.device)
        down, across = (first <= position) & (position < first + length)
        return x.masked_fill((down.unsqueeze(2) & across.unsqueeze(1)).unsqueeze(1), 0.0), y
