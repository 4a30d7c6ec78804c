"""CutMix.

Source: Yun et al., "CutMix: Regularization strategy to train strong classifiers", ICCV 2019,
arXiv:1905.04899.
"""

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
    """Replaces a rectangle of each image by another image's, and mixes the labels (Yun et al., ICCV 2019).

    A label weighs as much as its image's share of the pixels. There is one rectangle per batch. Its share of
    the area comes from Beta(1, 1), before the border of the image clips it (paper, algorithm A1).

    Args:
        probability: Share of the batches that are mixed; 0.5 in the authors' command for CIFAR.
    """

    name: ClassVar[str] = "cutmix"
    probability: float = setting(0.5, 0, 1)

    def batch(
        self, x: torch.Tensor, y: torch.Tensor, rng: torch.Generator, compute: Compute
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the mixed images and labels."""
        side = x.shape[-1]
        happens, unchanged = torch.rand(2, generator=rng).tolist()
        down, across = torch.randint(0, side, (2,), generator=rng).tolist()
        order = compute.send(torch.randperm(len(x), generator=rng))
        if happens >= self.probability:
            return x, y
        half = int(side * (1 - unchanged) ** 0.5) // 2
        rows, columns = (slice(max(0, centre - half), min(side, centre + half)) for centre in (down, across))
        pasted = x.clone()
        pasted[..., rows, columns] = x[order][..., rows, columns]
        share = (rows.stop - rows.start) * (columns.stop - columns.start) / side**2
        return pasted, torch.lerp(y, y[order], share)
