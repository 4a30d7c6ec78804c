"""TrivialAugment.

Source: Müller and Hutter, "TrivialAugment: Tuning-free yet state-of-the-art data augmentation", ICCV 2021,
arXiv:2103.10158.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from unlearnable.countermeasures.base import REFERENCE_SIDE, Augmentation
from unlearnable.countermeasures.operations import apply, space
from unlearnable.countermeasures.registry import register
from unlearnable.training.compute import Compute


@register
@dataclass(frozen=True)
class TrivialAugment(Augmentation):
    """Applies to each image one operation drawn from 14, with random strength (Müller and Hutter, ICCV 2021).

    The strength is drawn from 31 values. The ranges are those of the paper's "Wide" space, where shifts are
    up to 32 pixels for images of any side.
    """

    name: ClassVar[str] = "trivialaugment"

    def batch(
        self, x: torch.Tensor, y: torch.Tensor, rng: torch.Generator, compute: Compute
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the images after their operations, and the labels unchanged."""
        wide = space(rotate=135, shear=0.99, shift=REFERENCE_SIDE / x.shape[-1], blend=0.99, bits=6)
        kinds = torch.randint(0, len(wide), (len(x),), generator=rng)
        strengths = torch.randint(0, 31, (len(x),), generator=rng) / 30
        return apply(x, kinds, strengths, wide, rng, compute), y
