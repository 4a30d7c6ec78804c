"""Error-maximizing noise: the min-max control of the paper, and its targeted form."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field

from unlearnable.methods import base
from unlearnable.methods.by_surrogate import BySurrogate
from unlearnable.methods.config import Config
from unlearnable.methods.plan import Plan
from unlearnable.methods.registry import register
from unlearnable.methods.settings import SurrogateConfig
from unlearnable.training.recipe import Recipe


class ErrorMaximizingConfig(SurrogateConfig):
    """Settings of error_maximizing.

    Attributes:
        pretrain_epochs: Epochs that the surrogate is trained on the clean images, before the noise moves, at
            a rate that falls to zero.
        target: ``none`` raises the loss of the image's class; ``next`` lowers the loss of the class after it,
            (label + 1) mod classes.
        stop_error: Error of the surrogate on protected images, in [0, 1], at which the search stops. The
            paper: 0.9, class-wise 0.8.
    """

    pretrain_epochs: float = Field(30.0, gt=0)
    target: Literal["none", "next"] = "none"
    stop_error: float = Field(0.9, ge=0, le=1)

    rises: ClassVar[bool] = True
    clean: ClassVar[bool] = True

    @property
    def direction(self) -> int:
        """Up for the loss of the true class, down for that of another."""
        return 1 if self.target == "none" else -1

    def surrogate_batches(self, per_epoch: int) -> int:
        """Return the number of batches that the surrogate is trained on, all of them in the first round."""
        return max(1, round(self.pretrain_epochs * per_epoch))

    def aim(self, y: torch.Tensor, classes: int) -> torch.Tensor:
        """Return the class that the noise is about: the true one, or the next."""
        return y if self.target == "none" else (y + 1) % classes

    def recipe(self) -> Recipe:
        """Return how the surrogate is trained: to the end, unlike that of a min-min search, which follows the noise."""
        return Recipe(
            batch=self.batch,
            lr=self.lr,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            clip=self.clip,
            schedule="cosine",
        )


@register
class ErrorMaximizing(BySurrogate[ErrorMaximizingConfig]):
    """Error-maximizing noise (Huang et al., ICLR 2021, Section 4.1): the control whose surrogate is trained on clean images.

    The first round begins with training the surrogate, which then stays as it is; every round moves the noise
    by T sign steps that raise its loss, until it errs on most protected images. The targeted form is that of
    Fowl et al. (Adversarial Examples Make Strong Poisons, NeurIPS 2021, Section 3), with sign steps in place
    of signed Adam and without restarts. Departures from the authors' code: those of error_minimizing; and the
    surrogate is part of the search, where theirs is loaded from a file.
    """

    name: ClassVar[str] = "error_maximizing"
    first_round: ClassVar[frozenset[str]] = frozenset({"train"})
    Config: ClassVar[type[Config]] = ErrorMaximizingConfig

    def kinds(self, plan: Plan, state: base.State) -> list[str]:
        """Return the steps of a round, in order."""
        first = ["train"] * plan.train_batches if state["round"] == 0 else []
        return [*first, *["move"] * (self.config.passes * plan.noise_batches(state)), "measure"]

    def visits(self, count: int) -> dict[str, int]:
        """Return how many images the first round trains the surrogate on, and every round moves the noise of and measures."""
        share = self.config.share if self.form == "classwise" else 1.0
        moved = round(self.config.passes * share * count)
        return {"train": round(self.config.pretrain_epochs * count), "move": moved, "measure": count}
