"""Error-maximizing noise: the min-max control of the paper, and its targeted form."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import nn

from unlearnable.methods.base import takes
from unlearnable.methods.by_surrogate import BySurrogate
from unlearnable.methods.config import Config
from unlearnable.methods.registry import register
from unlearnable.methods.search_plan import Batch, SearchPlan
from unlearnable.methods.settings import SurrogateConfig
from unlearnable.methods.steps import Steps
from unlearnable.training.recipe import Recipe
from unlearnable.training.transforms import Transform


class ErrorMaximizingConfig(SurrogateConfig):
    """Settings of error_maximizing.

    Attributes:
        pretrain_epochs: Epochs of the surrogate on the clean images, before the noise moves, at a rate that
            falls to zero. The paper: 60.
        pretrain_transforms: The transformations of the surrogate's training images; ``auto`` for those of the
            noise steps (``transforms``). The paper: ``flip-crop``, with ``none`` for the noise steps.
        target: ``none`` raises the loss of the image's class; ``next`` lowers the loss of the class after it,
            (label + 1) mod classes.
        stop_error: Error of the surrogate on protected images, in [0, 1], at which the search stops. The
            paper: 0.9, class-wise 0.8.
    """

    pretrain_epochs: float = Field(default=30.0, gt=0)
    pretrain_transforms: Literal["auto", "none", "flip-crop", "photo"] = "auto"
    target: Literal["none", "next"] = "none"
    stop_error: float = Field(default=0.9, ge=0, le=1)


@register
class ErrorMaximizing(BySurrogate[ErrorMaximizingConfig]):
    """Error-maximizing noise (Huang et al., ICLR 2021, Section 4.1): a control.

    The first round begins with training the surrogate on clean images. After that the surrogate does not
    change, and every round moves the noise by T sign steps that raise its loss, until it misclassifies most
    protected images. The targeted form is that of Fowl et al. (Adversarial Examples Make Strong Poisons,
    NeurIPS 2021, Section 3), with sign steps instead of signed Adam and without restarts. As in the authors'
    code, the surrogate is trained at the beginning of the search. Departures from it are those of
    error_minimizing.
    """

    name: ClassVar[str] = "error_maximizing"
    rises: ClassVar[bool] = True
    Config: ClassVar[type[Config]] = ErrorMaximizingConfig

    @takes(ErrorMaximizingConfig)
    def __init__(self, **settings: Any) -> None: ...

    @property
    def direction(self) -> int:
        """+1, to raise the loss of the true class; or -1, to lower that of the next class."""
        return 1 if self.config.target == "none" else -1

    def target(self, y: torch.Tensor, classes: int) -> torch.Tensor:
        """Return the true class, or the next one."""
        return y if self.config.target == "none" else (y + 1) % classes

    def train_batch(
        self, plan: SearchPlan, model: nn.Module, batch: Batch, d: torch.Tensor, rng: torch.Generator
    ) -> torch.Tensor:
        """Return the clean images, changed as ``countermeasures`` and ``pretrain_transforms`` say."""
        name, config = self.config.pretrain_transforms, self.config
        transform = Transform(config.transforms if name == "auto" else name, (config.crop_min, 1.0))
        return plan.show(batch, torch.zeros_like(d), plan.trainer_view.draw(len(d), rng, transform))

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
