"""TrivialAugment (Müller and Hutter, "TrivialAugment: Tuning-free yet state-of-the-art data augmentation", ICCV 2021, arXiv:2103.10158)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from unlearnable.countermeasures.base import SIDE, Countermeasure
from unlearnable.countermeasures.operations import apply, space
from unlearnable.countermeasures.registry import register
from unlearnable.training.compute import Compute


@register
@dataclass(frozen=True)
class TrivialAugment(Countermeasure):
    """Each image goes through one operation drawn from 14, of a strength drawn from 31, in wide ranges (Müller and Hutter, ICCV 2021).

    The space is the paper's "Wide", where shifts are up to 32 pixels whatever the images' side.
    """

    name: ClassVar[str] = "trivialaugment"

    def batch(
        self, x: torch.Tensor, y: torch.Tensor, rng: torch.Generator, compute: Compute
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the images after their operations, and the labels as they are."""
        wide = space(rotate=135, shear=0.99, shift=SIDE / x.shape[-1], blend=0.99, bits=6)
        kinds = torch.randint(0, len(wide), (len(x),), generator=rng)
        strengths = torch.randint(0, 31, (len(x),), generator=rng) / 30
        return apply(x, kinds, strengths, wide, rng, compute), y
