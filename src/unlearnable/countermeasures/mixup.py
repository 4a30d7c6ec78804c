"""Mixup.

Source: Zhang et al., "mixup: Beyond empirical risk minimization", ICLR 2018, arXiv:1710.09412.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from unlearnable.countermeasures.base import Countermeasure
from unlearnable.countermeasures.registry import register
from unlearnable.training.compute import Compute


@register
@dataclass(frozen=True)
class Mixup(Countermeasure):
    """Averages pairs of images and their labels, with one weight per batch (Zhang et al., ICLR 2018).

    The weight comes from Beta(1, 1).
    """

    name: ClassVar[str] = "mixup"

    def batch(
        self, x: torch.Tensor, y: torch.Tensor, rng: torch.Generator, compute: Compute
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the averages of the batch and the same batch in another order (paper, section 2)."""
        # Beta(1, 1) is uniform; the draw is on the CPU, so ``float`` does not wait for the device
        weight = float(torch.rand((), generator=rng))
        order = compute.send(torch.randperm(len(x), generator=rng))
        return torch.lerp(x[order], x, weight), torch.lerp(y[order], y, weight)
