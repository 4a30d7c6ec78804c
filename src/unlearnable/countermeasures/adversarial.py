"""Adversarial training.

Source: Madry et al., "Towards deep learning models resistant to adversarial attacks", ICLR 2018,
arXiv:1706.06083.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from unlearnable.countermeasures.base import Countermeasure, setting
from unlearnable.countermeasures.registry import register
from unlearnable.training.compute import Compute
from unlearnable.training.pgd import attack


@register
@dataclass(frozen=True)
class Adversarial(Countermeasure):
    """Trains on adversarial examples: images changed within a budget to raise the loss (Madry et al. 2018).

    The steps of the attack add up to 2.5 times the budget, as in the paper's curves of accuracy over budget:
    10 steps of 2 levels by default. The attack uses the model in eval mode, so that running statistics stay
    unchanged.

    Args:
        epsilon: Largest change of a pixel, in levels of 1/255.
        steps: Steps of the attack; each costs about as much time as a training step without the attack.
    """

    name: ClassVar[str] = "adversarial"
    epsilon: float = setting(8.0, 0, 255)
    steps: int = setting(10, 1, 1000)

    def step(
        self, model: nn.Module, x: torch.Tensor, y: torch.Tensor, rng: torch.Generator, compute: Compute
    ) -> torch.Tensor:
        """Return the adversarial examples."""
        return attack(model, x, y, self.epsilon, 2.5 * self.epsilon / self.steps, self.steps, rng, compute)
