"""Cutout (DeVries and Taylor, "Improved regularization of convolutional neural networks with Cutout", 2017, arXiv:1708.04552)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from unlearnable.countermeasures.base import SIDE, Countermeasure, setting
from unlearnable.countermeasures.registry import register
from unlearnable.training.compute import Compute


@register
@dataclass(frozen=True)
class Cutout(Countermeasure):
    """A square of each image is blacked out; its centre is any pixel, so the border may cut it off (DeVries and Taylor 2017).

    The paper fills with the mean of normalised images (zero); here images are in [0, 1] and the square is
    black, as when authors' code of unlearnable examples cuts out before it normalises.

    Args:
        length: Side of the square in pixels at 32 px; the paper's is 16 for CIFAR-10 and 8 for CIFAR-100.
    """

    name: ClassVar[str] = "cutout"
    length: int = setting(16, 1, 64)

    def batch(
        self, x: torch.Tensor, y: torch.Tensor, rng: torch.Generator, compute: Compute
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the images without their squares, and the labels as they are."""
        side = x.shape[-1]
        length = max(1, round(self.length * side / SIDE))
        first = compute.send(torch.randint(0, side, (2, len(x), 1), generator=rng) - length // 2)
        place = torch.arange(side, device=x.device)
        down, across = (first <= place) & (place < first + length)
        return x.masked_fill((down.unsqueeze(2) & across.unsqueeze(1)).unsqueeze(1), 0.0), y
