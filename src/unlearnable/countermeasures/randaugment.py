"""RandAugment.

Source: Cubuk et al., "RandAugment: Practical automated data augmentation", NeurIPS 2020, arXiv:1909.13719.
Operations and values are those of torchvision: magnitudes out of 30, and changes of brightness, contrast,
colour and sharpness in both directions. In the paper, magnitude 10 is the maximum of an operation, and its
authors' code (tensorflow/tpu) changes these four by factors from 0.1 to 1.9.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from unlearnable.countermeasures.base import Augmentation, setting
from unlearnable.countermeasures.operations import apply, space
from unlearnable.countermeasures.registry import register
from unlearnable.training.compute import Compute

# the largest values are those of AutoAugment (CVPR 2019, table 6)
SPACE = space(rotate=30, shear=0.3, shift=150 / 331, blend=0.9, bits=4)


@register
@dataclass(frozen=True)
class RandAugment(Augmentation):
    """Applies to each image a few operations drawn from 14, all equally strong (Cubuk et al., NeurIPS 2020).

    The paper tunes both settings to model and data. The defaults are its numbers for ResNet-50 on ImageNet;
    with the scale of torchvision, the same magnitude is a third as strong as in the paper.

    Args:
        count: Operations per image (the paper's N).
        magnitude: Strength of each operation, out of 30.
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
