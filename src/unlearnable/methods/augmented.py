"""Contrastive augmentation in both steps of a search, for methods that derive from another one."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import nn

from unlearnable.methods.by_surrogate import BySurrogate
from unlearnable.methods.search_plan import Batch, NoiseStep, SearchPlan
from unlearnable.methods.settings import SurrogateConfig
from unlearnable.training.simclr import augmented


class AugmentedConfig(SurrogateConfig):
    """A setting of searches with contrastive augmentation.

    Attributes:
        strength: Strength of the augmentation of contrastive learners (SimCLR) that both steps see, after
            ``transforms``; 0 for none.
    """

    strength: float = Field(default=1.0, ge=0, le=1)


class Augmented(BySurrogate[AugmentedConfig]):
    """Puts the augmentation of contrastive learners behind everything else that a trainer does to images."""

    def train_batch(
        self, plan: SearchPlan, model: nn.Module, batch: Batch, d: torch.Tensor, rng: torch.Generator
    ) -> torch.Tensor:
        """Return the usual input of the training step, augmented."""
        x = super().train_batch(plan, model, batch, d, rng)
        return augmented(x, self.config.strength, rng, plan.ctx.compute)

    def noise_loss(self, step: NoiseStep, d: torch.Tensor) -> torch.Tensor:
        """Return the summed cross-entropy on augmented images."""
        seen, total = step.show(d), d.new_zeros(())
        # the samples of a step are other draws of ``transforms``, if there are any, and else drawn here
        for _ in range(self.config.samples if step.draw is None and self.config.strength else 1):
            x = augmented(seen, self.config.strength, step.rng, step.plan.ctx.compute)
            total = total + F.cross_entropy(step.logits(x), step.batch.y, reduction="sum")
        return total
