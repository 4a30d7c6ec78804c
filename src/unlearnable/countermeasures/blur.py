"""Gaussian blur (a baseline of Liu, Zhao and Larson, "Image shortcut squeezing", ICML 2023, arXiv:2301.13838)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from unlearnable.countermeasures.base import SIDE, Countermeasure, changed, setting
from unlearnable.countermeasures.registry import register
from unlearnable.training.compute import Compute


@register
@dataclass(frozen=True)
class Blur(Countermeasure):
    """Training images are blurred by a Gaussian, once; test images stay sharp (Liu et al., ICML 2023).

    The authors' code blurs with sigma 0.1 over 3 pixels, which changes nothing; hence the smallest sigma
    allowed here.

    Args:
        sigma: Standard deviation in pixels at 32 px.
    """

    name: ClassVar[str] = "blur"
    sigma: float = setting(1.0, 0.4, 16)

    def prepare(
        self, pixels: torch.Tensor, labels: torch.Tensor | None, rng: torch.Generator, compute: Compute
    ) -> torch.Tensor:
        """Return blurred images."""
        kernel = matrix(pixels.shape[-1], self.sigma * pixels.shape[-1] / SIDE)
        return changed(pixels, lambda some: (kernel @ some.float() @ kernel).round().clamp(0, 255))


def matrix(side: int, sigma: float) -> torch.Tensor:
    """Return the blur of a row of pixels that is mirrored at its ends: float (side, side), symmetric, every row and column sums to 1."""
    radius = int(4 * sigma) + 1
    offsets = torch.arange(-radius, radius + 1)
    weights = torch.exp(-(offsets.double() ** 2) / (2 * sigma**2))
    place = (torch.arange(side).unsqueeze(1) + offsets) % (
        2 * side
    )  # a mirrored row repeats after twice its length
    place = torch.minimum(place, 2 * side - 1 - place)
    return (
        torch.zeros(side, side, dtype=torch.double)
        .scatter_add_(1, place, (weights / weights.sum()).expand(side, -1))
        .float()
    )
