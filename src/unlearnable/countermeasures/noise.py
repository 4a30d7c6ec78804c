"""Random noise on top of the images: the simplest attempt to hide the noise.

``noise`` is a baseline without a paper. ``fixednoise`` is the uniform noise that Huang et al. (ICLR 2021,
arXiv:2101.04898) add once, as in their code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from unlearnable.countermeasures.base import Augmentation, Countermeasure, in_chunks, setting
from unlearnable.countermeasures.registry import register
from unlearnable.training.compute import Compute


@register
@dataclass(frozen=True)
class AddedNoise(Augmentation):
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


@register
@dataclass(frozen=True)
class FixedNoise(Countermeasure):
    """Adds uniform noise from 0 to some levels to every pixel, once (Huang et al., ICLR 2021).

    The authors' code adds it to protected images only and cuts the sum to a whole level; here every training
    image gets it, and the sum is rounded.

    Args:
        levels: Largest addition to a pixel, in levels of 1/255.
    """

    name: ClassVar[str] = "fixednoise"
    levels: float = setting(8.0, 0, 255)

    def prepare(
        self, pixels: torch.Tensor, labels: torch.Tensor | None, rng: torch.Generator, compute: Compute
    ) -> torch.Tensor:
        """Return the images with noise, rounded and clipped."""
        return in_chunks(
            pixels,
            lambda part: (
                (part + self.levels * torch.rand(part.shape, generator=rng)).round().clamp(0, 255).byte()
            ),
        )
