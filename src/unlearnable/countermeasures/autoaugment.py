"""AutoAugment.

Source: Cubuk et al., "AutoAugment: Learning augmentation strategies from data", CVPR 2019, arXiv:1805.09501.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from unlearnable.countermeasures.base import Countermeasure
from unlearnable.countermeasures.operations import Magnitude, apply, space
from unlearnable.countermeasures.registry import register
from unlearnable.training.compute import Compute

SPACE = {**space(rotate=30, shear=0.3, shift=150 / 331, blend=0.9, bits=4), "invert": Magnitude()}
# The policy found on CIFAR-10 (paper, table 7). Each line has two operations, each with its probability and
# its magnitude out of 9.
POLICY = """
invert 0.1 7 contrast 0.2 6
rotate 0.7 2 translate_x 0.3 9
sharpness 0.8 1 sharpness 0.9 3
shear_y 0.5 8 translate_y 0.7 9
autocontrast 0.5 8 equalize 0.9 2
shear_y 0.2 7 posterize 0.3 7
color 0.4 3 brightness 0.6 7
sharpness 0.3 9 brightness 0.7 9
equalize 0.6 5 equalize 0.5 1
contrast 0.6 7 sharpness 0.6 5
color 0.7 7 translate_x 0.5 8
equalize 0.3 7 autocontrast 0.4 8
translate_y 0.4 3 sharpness 0.2 6
brightness 0.9 6 color 0.2 8
solarize 0.5 2 invert 0.0 3
equalize 0.2 0 autocontrast 0.6 0
equalize 0.2 8 equalize 0.6 4
color 0.9 9 equalize 0.6 6
autocontrast 0.8 4 solarize 0.2 8
brightness 0.1 3 color 0.7 0
solarize 0.4 5 autocontrast 0.9 3
translate_y 0.9 9 translate_y 0.7 9
autocontrast 0.9 2 solarize 0.8 3
equalize 0.8 8 invert 0.1 3
translate_y 0.7 9 autocontrast 0.9 1
"""


def _table() -> tuple[torch.Tensor, torch.Tensor]:
    """Return the policy as operations, int64 (25, 2), and probabilities and strengths, float (25, 2, 2)."""
    lines, names = [line.split() for line in POLICY.strip().splitlines()], list(SPACE)
    kinds = torch.tensor([[names.index(line[0]), names.index(line[3])] for line in lines])
    return kinds, torch.tensor(
        [[[float(line[i + 1]), int(line[i + 2]) / 9] for i in (0, 3)] for line in lines]
    )


@register
@dataclass(frozen=True)
class AutoAugment(Countermeasure):
    """Applies one of the 25 pairs of operations found on CIFAR-10 to each image (Cubuk et al., CVPR 2019)."""

    name: ClassVar[str] = "autoaugment"

    def batch(
        self, x: torch.Tensor, y: torch.Tensor, rng: torch.Generator, compute: Compute
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the images after their operations, and the labels unchanged."""
        kinds, numbers = _table()
        chosen = torch.randint(0, len(kinds), (len(x),), generator=rng)
        for position in range(2):
            probability, strengths = numbers[chosen, position].unbind(1)
            happens = torch.rand(len(x), generator=rng) < probability
            x = apply(x, torch.where(happens, kinds[chosen, position], -1), strengths, SPACE, rng, compute)
        return x, y
