"""Robust error-minimizing noise (REM), against trainers who train adversarially."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import nn

from unlearnable.methods import (
    Batch,
    BySurrogate,
    Config,
    NoiseStep,
    SearchPlan,
    State,
    Steps,
    SurrogateConfig,
    TransformName,
    attack,
    register,
    takes,
)


class RobustErrorMinimizingConfig(SurrogateConfig):
    """Settings of robust_error_minimizing.

    The defaults are those of the authors' command for CIFAR-10 and a noise of 8 levels.

    Attributes:
        adversarial_epsilon: rho_a, how far the adversary may move a pixel of the network's input, in levels
            of 1/255. The paper takes half of ``epsilon``. 0 for no adversary.
        adversarial_steps: K_a, steps of the adversary.
        adversarial_step_size: alpha_a, length of a step of the adversary, in levels.
        train_epochs: Epochs of the surrogate per round.
        transforms: T, the transformations that the noise is to survive: the paper crops and flips.
        samples: J, transformations over which the gradient of a noise step is averaged.
        steps: K_u, noise steps per batch.
        step_size: alpha_u, length of a noise step, in levels.
        max_rounds: Rounds after which the search stops: the paper's 5,000 batches of CIFAR-10 are 13 epochs.
        stop_error: Error on the adversarial training batches, in [0, 1], below which the search stops; 0 for
            never (the paper).
    """

    adversarial_epsilon: float = Field(default=4.0, ge=0, le=127)
    adversarial_steps: int = Field(default=10, ge=1)
    adversarial_step_size: float = Field(default=0.8, gt=0)
    train_epochs: float = Field(default=1.0, gt=0)
    transforms: TransformName = "flip-crop"
    samples: int = Field(default=5, ge=1)
    steps: int = Field(default=10, ge=1)
    step_size: float = Field(default=1.6, gt=0)
    batch: int = Field(default=128, ge=2)
    max_rounds: Annotated[int, Field(ge=1)] | Literal["auto"] = 13
    stop_error: float = Field(default=0.0, ge=0, le=1)


@register
class RobustErrorMinimizing(BySurrogate[RobustErrorMinimizingConfig]):
    """Robust error-minimizing noise (REM; Fu et al., ICLR 2022, arXiv:2203.14533, Section 4).

    "Robust Unlearnable Examples: Protecting Data Against Adversarial Learning". It solves

        min over theta  mean over (x, y)  min over |d_u| <= rho_u  E_t  max over |d_a| <= rho_a
            L(f(t(x + d_u) + d_a), y)

    where t is a random transformation, d_u the published noise, and d_a the change by an adversarial trainer.
    The surrogate is trained adversarially on transformed protected images. A noise step lowers the loss at
    the adversary's images: d_a is found by projected gradient ascent for every transformation, and held fixed
    while the gradient in d_u is taken.

    Departures from the authors' algorithm: noise is found in rounds and continues from one to the next, where
    theirs starts again for every batch and once more at the end; the surrogate's learning rate is constant,
    where theirs falls twice; the adversary sees the surrogate in eval mode. Further departures are those of
    error_minimizing.
    """

    name: ClassVar[str] = "robust_error_minimizing"
    Config: ClassVar[type[Config]] = RobustErrorMinimizingConfig

    @takes(RobustErrorMinimizingConfig)
    def __init__(self, **settings: Any) -> None: ...

    def train_batch(
        self, plan: SearchPlan, model: nn.Module, batch: Batch, d: torch.Tensor, rng: torch.Generator
    ) -> torch.Tensor:
        """Return the adversary's images: adversarial training (Madry et al., ICLR 2018)."""
        return self._attacked(plan, model, super().train_batch(plan, model, batch, d, rng), batch, rng)

    def noise_loss(self, step: NoiseStep, d: torch.Tensor) -> torch.Tensor:
        """Return the summed cross-entropy at the adversary's images."""
        x = step.show(d)
        # the gradient of a maximum is that at the maximiser, held fixed (Danskin's theorem)
        moved = self._attacked(step.plan, step.model, x.detach(), step.batch, step.rng) - x.detach()
        return F.cross_entropy(step.logits(x + moved), step.batch.y, reduction="sum")

    def _attacked(
        self, plan: SearchPlan, model: nn.Module, x: torch.Tensor, batch: Batch, rng: torch.Generator
    ) -> torch.Tensor:
        """The input that the adversary makes of network input ``x``, float (B, 3, S, S) in [0, 1]."""
        config, compute = self.config, plan.ctx.compute
        limit, length = config.adversarial_epsilon, config.adversarial_step_size
        return attack(model, x, batch.y, limit, length, config.adversarial_steps, rng, compute)

    def surrogate_batches(self, per_epoch: int) -> int:
        """Return the batches of ``train_epochs``."""
        return max(1, round(self.config.train_epochs * per_epoch))

    def round_steps(self, number: int, images: int, moving: int | None = None) -> tuple[Steps, ...]:
        """Return the steps of a round: adversarial training, then noise steps on every image."""
        return self.train_steps(images), self.noise_steps(images, moving)

    def ended(self, plan: SearchPlan, state: State) -> None:
        """Record the error on the adversarial training batches."""
        state["error"] = self.training_error(plan, state)
