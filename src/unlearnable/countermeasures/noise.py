"""Random noise on top of the images: the simplest attempt to hide the noise, a baseline without a paper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from unlearnable.countermeasures.base import Countermeasure, setting
from unlearnable.countermeasures.registry import register
from unlearnable.training.compute import Compute


@register
@dataclass(frozen=True)
class AddedNoise(Countermeasure):
    """Adds uniform noise to every pixel, new in each batch.

    Args:
        epsilon: Largest change of a pixel, in levels of 1/255.
    """

    name: ClassVar[str] = "noise"
    epsilon: float = setting(8.0, 0, 255)

    def batch(
        self, x: torch.Tensor, y: torch.Tensor, rng: torch.Generator, compute: Compute
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the images with noise, clipped to [0, 1], and the labels unchanged."""
        noise = compute.send((2 * torch.rand(x.shape, generator=rng) - 1) * (self.epsilon / 255))
        return (x + noise).clamp(0, 1), y
