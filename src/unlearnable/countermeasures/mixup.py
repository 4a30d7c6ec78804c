"""Mixup (Zhang et al., "mixup: Beyond empirical risk minimization", ICLR 2018, arXiv:1710.09412)."""

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
    """Images and labels are averaged in pairs, with a weight from Beta(1, 1) for each batch (Zhang et al., ICLR 2018)."""

    name: ClassVar[str] = "mixup"

    def batch(
        self, x: torch.Tensor, y: torch.Tensor, rng: torch.Generator, compute: Compute
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the averages (paper, section 2: the partners are the batch in another order)."""
        weight = float(
            torch.rand((), generator=rng)
        )  # Beta(1, 1) is uniform; drawn on the CPU, so nothing is waited for
        order = compute.send(torch.randperm(len(x), generator=rng))
        return torch.lerp(x[order], x, weight), torch.lerp(y[order], y, weight)
