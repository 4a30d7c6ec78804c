"""AutoAugment.

Source: Cubuk et al., "AutoAugment: Learning augmentation strategies from data", CVPR 2019, arXiv:1805.09501.
The values of the magnitudes are those of its authors' code for CIFAR-10 (tensorflow/models,
research/autoaugment/augmentation_transforms.py). Other implementations differ: torchvision takes magnitudes
out of 9, changes brightness, contrast, colour and sharpness in both directions (a sharpness of 1 is a factor
of 0.9 or 1.1 there, and 0.28 here), and leaves 5 bits where the authors leave 2.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import ClassVar

import torch

from unlearnable.countermeasures.base import REFERENCE_SIDE, Augmentation
from unlearnable.countermeasures.operations import Magnitude
from unlearnable.countermeasures.policies import apply_pairs, read_policy
from unlearnable.countermeasures.registry import register
from unlearnable.training.compute import Compute

STRONGEST = 10
SPACE = {
    **{name: Magnitude() for name in ("invert", "autocontrast", "equalize")},
    "rotate": Magnitude(0, 30, signed=True, whole=True),
    **{name: Magnitude(0, 0.3, signed=True) for name in ("shear_x", "shear_y")},
    **{name: Magnitude(0, 10 / REFERENCE_SIDE, signed=True) for name in ("translate_x", "translate_y")},
    **{name: Magnitude(0.1, 1.8) for name in ("color", "contrast", "brightness", "sharpness")},
    "posterize": Magnitude(4, -4, whole=True),
    "solarize": Magnitude(256, -256, whole=True),
}
# The policy found on CIFAR-10 (paper, table 7). Each line has two operations, each with its probability and
# its magnitude out of 10.
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


@register
@dataclass(frozen=True)
class AutoAugment(Augmentation):
    """Applies one of the 25 pairs of operations found on CIFAR-10 to each image (Cubuk et al., CVPR 2019)."""

    name: ClassVar[str] = "autoaugment"
    revision: ClassVar[int] = 2  # 1 had torchvision's magnitudes

    def batch(
        self, x: torch.Tensor, y: torch.Tensor, rng: torch.Generator, compute: Compute
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the images after their operations, and the labels unchanged."""
        return apply_pairs(x, *_policy(), SPACE, rng, compute), y


@functools.cache
def _policy() -> tuple[torch.Tensor, torch.Tensor]:
    return read_policy(POLICY, list(SPACE), STRONGEST)
