"""RandAugment.

Source: Cubuk et al., "RandAugment: Practical automated data augmentation", NeurIPS 2020, arXiv:1909.13719.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from unlearnable.countermeasures.base import Countermeasure, setting
from unlearnable.countermeasures.operations import apply, space
from unlearnable.countermeasures.registry import register
from unlearnable.training.compute import Compute

# the ranges of AutoAugment (CVPR 2019, table 6)
SPACE = space(rotate=30, shear=0.3, shift=150 / 331, blend=0.9, bits=4)


@register
@dataclass(frozen=True)
class RandAugment(Countermeasure):
    """Applies to each image a few operations drawn from 14, all equally strong (Cubuk et al., NeurIPS 2020).

    The paper tunes both settings to model and data. The defaults are its values for ResNet-50 on ImageNet.

    Args:
        count: Operations per image (the paper's N).
        magnitude: Strength of each operation, out of 30 (the paper's M).
    """

    name: ClassVar[str] = "randaugment"
    count: int = setting(2, 1, 10)
    magnitude: int = setting(9, 0, 30)

    def batch(
        self, x: torch.Tensor, y: torch.Tensor, rng: torch.Generator, compute: Compute
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the images after their operations, and the labels unchanged."""
        strengths = torch.full((len(x),), self.magnitude / 30)
        for _ in range(self.count):
            kinds = torch.randint(0, len(SPACE), (len(x),), generator=rng)
            x = apply(x, kinds, strengths, SPACE, rng, compute)
        return x, y
