"""A search against a surrogate that was trained on clean images, and does not change afterwards."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, TypeVar

import torch
from pydantic import Field
from torch import nn

from unlearnable.methods.by_surrogate import BySurrogate
from unlearnable.methods.search_plan import Batch, SearchPlan
from unlearnable.methods.settings import SurrogateConfig
from unlearnable.methods.steps import Steps
from unlearnable.training.recipe import Recipe
from unlearnable.training.transforms import Transform

TIMED_EPOCHS = 4.0


class CleanSurrogateConfig(SurrogateConfig):
    """Settings of every search against a surrogate that was trained on clean images.

    Attributes:
        pretrain_epochs: Epochs of the surrogate on the clean images, before the noise moves, at a rate that
            falls to zero.
        pretrain_transforms: The transformations of the surrogate's training images; ``auto`` for those of the
            noise steps (``transforms``).
    """

    pretrain_epochs: float = Field(default=30.0, gt=0)
    pretrain_transforms: Literal["auto", "none", "flip-crop", "photo"] = "auto"


C = TypeVar("C", bound=CleanSurrogateConfig)


class CleanSurrogate(BySurrogate[C]):
    """A search whose first round trains the surrogate on clean images; every round moves and measures."""

    def train_batch(
        self, plan: SearchPlan, model: nn.Module, batch: Batch, d: torch.Tensor, rng: torch.Generator
    ) -> torch.Tensor:
        """Return the clean images, changed as ``countermeasures`` and ``pretrain_transforms`` say."""
        name, config = self.config.pretrain_transforms, self.config
        transform = Transform(config.transforms if name == "auto" else name, (config.crop_min, 1.0))
        return plan.show(batch, torch.zeros_like(d), plan.draw(batch, rng, transform))

    def brief(self) -> CleanSurrogate[C]:
        """Return this method with a short training, for estimates of time."""
        epochs = min(self.config.pretrain_epochs, self.fewest_epochs)
        return type(self)(self.config.model_copy(update={"pretrain_epochs": epochs}))

    @property
    def fewest_epochs(self) -> float:
        """Epochs of the surrogate that are enough to time its steps and to make those that follow."""
        return TIMED_EPOCHS

    def recipe(self) -> Recipe:
        """Return how the surrogate is trained: once and to the end, so at a rate that falls to zero."""
        return replace(super().recipe(), schedule="cosine")

    def surrogate_batches(self, per_epoch: int) -> int:
        """Return the batches of ``pretrain_epochs``."""
        return max(1, round(self.config.pretrain_epochs * per_epoch))

    def round_steps(self, number: int, images: int, moving: int | None = None) -> tuple[Steps, ...]:
        """Return the steps of a round: the first one trains, and every one moves and measures."""
        rest = self.noise_steps(images, moving), Steps(self.measure, images)
        return rest if number else (self.train_steps(images), *rest)
