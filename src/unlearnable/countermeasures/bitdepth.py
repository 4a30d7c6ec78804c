"""Fewer bits (Xu et al., "Feature squeezing", NDSS 2018, arXiv:1704.01155; against unlearnable examples: Liu et al., ICML 2023)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from unlearnable.countermeasures.base import Countermeasure, changed, setting
from unlearnable.countermeasures.registry import register
from unlearnable.training.compute import Compute


@register
@dataclass(frozen=True)
class BitDepth(Countermeasure):
    """Training images keep few levels of each channel, evenly spaced from 0 to 255; test images keep all (Xu et al., NDSS 2018).

    Levels are rounded to the nearest, as Xu et al. do; the code of Liu et al. cuts bits off, which darkens.

    Args:
        bits: Bits for each channel.
    """

    name: ClassVar[str] = "bitdepth"
    bits: int = setting(3, 1, 8)

    def prepare(
        self, pixels: torch.Tensor, labels: torch.Tensor | None, rng: torch.Generator, compute: Compute
    ) -> torch.Tensor:
        """Return images of at most 2^bits levels."""
        top = 2**self.bits - 1
        table = (torch.arange(256).double() * top / 255).round().mul(255 / top).round().byte()
        return changed(pixels, lambda some: table[some.int()])
