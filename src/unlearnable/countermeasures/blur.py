"""Gaussian blur.

Source: a baseline of Liu, Zhao and Larson, "Image shortcut squeezing", ICML 2023, arXiv:2301.13838.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from unlearnable.countermeasures.base import REFERENCE_SIDE, Countermeasure, in_chunks, setting
from unlearnable.countermeasures.registry import register
from unlearnable.training.compute import Compute


@register
@dataclass(frozen=True)
class Blur(Countermeasure):
    """Blurs training images with a Gaussian, once; test images stay sharp (Liu et al., ICML 2023).

    The authors' code blurs with sigma 0.1 over 3 pixels, which changes nothing. Here the smallest sigma
    allowed is one that does.

    Args:
        sigma: Standard deviation in pixels of images of 32 px.
    """

    name: ClassVar[str] = "blur"
    sigma: float = setting(1.0, 0.4, 16)

    def prepare(
        self, pixels: torch.Tensor, labels: torch.Tensor | None, rng: torch.Generator, compute: Compute
    ) -> torch.Tensor:
        """Return blurred images."""
        kernel = self._kernel(pixels.shape[-1])
        return in_chunks(pixels, lambda chunk: (kernel @ chunk.float() @ kernel).round().clamp(0, 255))

    def stand_in(self, x: torch.Tensor, rng: torch.Generator, compute: Compute) -> torch.Tensor:
        """Return blurred images."""
        kernel = compute.send(self._kernel(x.shape[-1]))
        return kernel @ x @ kernel

    def _kernel(self, side: int) -> torch.Tensor:
        return matrix(side, self.sigma * side / REFERENCE_SIDE)


def matrix(side: int, sigma: float) -> torch.Tensor:
    """Return the matrix that blurs a row of pixels, mirrored at its ends.

    Args:
        side: Number of pixels.
        sigma: Standard deviation in pixels.

    Returns:
        float (side, side), symmetric; every row and column sums to 1.
    """
    radius = int(4 * sigma) + 1
    offsets = torch.arange(-radius, radius + 1)
    weights = torch.exp(-(offsets.double() ** 2) / (2 * sigma**2))
    # a row and its mirror image together repeat after twice the length of the row
    source = (torch.arange(side).unsqueeze(1) + offsets) % (2 * side)
    source = torch.minimum(source, 2 * side - 1 - source)
    empty = torch.zeros(side, side, dtype=torch.double)
    return empty.scatter_add_(1, source, (weights / weights.sum()).expand(side, -1)).float()
