"""Fast AutoAugment.

Source: Lim et al., "Fast AutoAugment", NeurIPS 2019, arXiv:1905.00397. The policy is data that its authors
publish; ``fast_autoaugment.txt`` names its source and has its licence. The values of the levels are those of
the authors' code. Departures from it: shifted and turned images are filled with grey and not with black, and
the operations come after crop and flip and not before.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib.resources import files
from typing import ClassVar

import torch

from unlearnable.countermeasures.base import Augmentation
from unlearnable.countermeasures.operations import Magnitude
from unlearnable.countermeasures.policies import apply_pairs, read_policy
from unlearnable.countermeasures.registry import register
from unlearnable.training.compute import Compute

SPACE = {
    **{name: Magnitude() for name in ("invert", "autocontrast", "equalize")},
    "rotate": Magnitude(0, 30, signed=True),
    **{name: Magnitude(0, 0.3, signed=True) for name in ("shear_x", "shear_y")},
    **{name: Magnitude(0, 0.45, signed=True) for name in ("translate_x", "translate_y")},
    **{name: Magnitude(0.1, 1.8) for name in ("color", "contrast", "brightness", "sharpness")},
    "posterize": Magnitude(4, 4, whole=True),
    "solarize": Magnitude(0, 256),
    "cutout": Magnitude(0, 0.2),
}


@register
@dataclass(frozen=True)
class FastAutoAugment(Augmentation):
    """Applies one of 493 pairs of operations found on CIFAR-10 to each image (Lim et al., NeurIPS 2019)."""

    name: ClassVar[str] = "fastautoaugment"

    def batch(
        self, x: torch.Tensor, y: torch.Tensor, rng: torch.Generator, compute: Compute
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the images after their operations, and the labels unchanged."""
        return apply_pairs(x, *policy(), SPACE, rng, compute), y


@functools.cache
def policy() -> tuple[torch.Tensor, torch.Tensor]:
    """Return the published policy as ``apply_pairs`` takes it: int64 (493, 2) and float (493, 2, 2)."""
    text = (files(__package__) / "fast_autoaugment.txt").read_text("utf-8")
    kinds, numbers = read_policy(text, list(SPACE), 1)
    # A level l of these operations means a value of 2 l - 1 times the largest, which then gets a random sign.
    signed = torch.tensor([magnitude.signed for magnitude in SPACE.values()])[kinds]
    probability, level = numbers.unbind(2)
    return kinds, torch.stack([probability, torch.where(signed, (2 * level - 1).abs(), level)], 2)
