"""Reduced bit depth.

Source: Xu et al., "Feature squeezing", NDSS 2018, arXiv:1704.01155. Liu et al. (ICML 2023) use it against
unlearnable examples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from unlearnable.countermeasures.base import Countermeasure, in_chunks, setting
from unlearnable.countermeasures.registry import register
from unlearnable.training.compute import Compute


@register
@dataclass(frozen=True)
class BitDepth(Countermeasure):
    """Reduces training images to a few levels per channel, evenly spaced from 0 to 255 (Xu et al. 2018).

    Test images stay unchanged. Values are rounded to the nearest level, as Xu et al. do. The code of Liu et
    al. cuts bits off instead, which darkens images.

    Args:
        bits: Bits per channel.
    """

    name: ClassVar[str] = "bitdepth"
    bits: int = setting(3, 1, 8)

    @property
    def top(self) -> int:
        """The number of steps between black and white."""
        return (1 << self.bits) - 1

    def prepare(
        self, pixels: torch.Tensor, labels: torch.Tensor | None, rng: torch.Generator, compute: Compute
    ) -> torch.Tensor:
        """Return images with at most 2^bits levels per channel."""
        top = self.top
        table = (torch.arange(256).double() * top / 255).round().mul(255 / top).round().byte()
        return in_chunks(pixels, lambda chunk: table[chunk.int()])

    def stand_in(self, x: torch.Tensor, rng: torch.Generator, compute: Compute) -> torch.Tensor:
        """Return images on a few levels, with the gradient of the identity.

        Pixels lie anywhere between two levels, so on average over images a small change of a pixel changes
        its rounded value by as much.
        """
        return x + ((x * self.top).round() / self.top - x).detach()
