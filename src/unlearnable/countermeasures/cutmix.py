"""CutMix (Yun et al., "CutMix: Regularization strategy to train strong classifiers", ICCV 2019, arXiv:1905.04899)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from unlearnable.countermeasures.base import Countermeasure, setting
from unlearnable.countermeasures.registry import register
from unlearnable.training.compute import Compute


@register
@dataclass(frozen=True)
class CutMix(Countermeasure):
    """A rectangle of each image comes from another one, and labels are weighted by their shares of the pixels (Yun et al., ICCV 2019).

    One rectangle for each batch, its share of the area from Beta(1, 1) before the border cuts it off (paper,
    algorithm A1).

    Args:
        probability: Share of the batches to which this happens; the authors' command for CIFAR has 0.5.
    """

    name: ClassVar[str] = "cutmix"
    probability: float = setting(0.5, 0, 1)

    def batch(
        self, x: torch.Tensor, y: torch.Tensor, rng: torch.Generator, compute: Compute
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the pasted images and the weighted labels."""
        side = x.shape[-1]
        happens, kept = torch.rand(2, generator=rng).tolist()
        down, across = torch.randint(0, side, (2,), generator=rng).tolist()
        order = compute.send(torch.randperm(len(x), generator=rng))
        if happens >= self.probability:
            return x, y
        half = int(side * (1 - kept) ** 0.5) // 2
        rows, columns = (slice(max(0, centre - half), min(side, centre + half)) for centre in (down, across))
        pasted = x.clone()
        pasted[..., rows, columns] = x[order][..., rows, columns]
        share = (rows.stop - rows.start) * (columns.stop - columns.start) / side**2
        return pasted, torch.lerp(y, y[order], share)
