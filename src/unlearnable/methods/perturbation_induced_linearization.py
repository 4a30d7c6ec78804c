"""Perturbation-induced linearization (PIL): noise that a linear classifier reads, found against it."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field

from unlearnable.methods.clean_surrogate import CleanSurrogate, CleanSurrogateConfig
from unlearnable.methods.config import Config
from unlearnable.methods.registry import register
from unlearnable.methods.search_plan import NoiseStep
from unlearnable.methods.typed_settings import takes


class PerturbationInducedLinearizationConfig(CleanSurrogateConfig):
    """Settings of perturbation_induced_linearization.

    Attributes:
        surrogate: The network that the noise is found against: a linear one without biases.
        balance: Weight of the loss of the noise alone; the loss of the images has the rest.
        steps: Sign steps per batch.
        lr: Learning rate of the surrogate.
        max_rounds: Rounds of that many steps.
        stop_error: Error of the surrogate on protected images, in [0, 1], below which the search stops; 0 for
            never (the paper). It rises while the noise hides the class in the image.
    """

    surrogate: str = "linear"
    balance: float = Field(default=0.9, ge=0, le=1)
    pretrain_epochs: float = Field(default=30.0, gt=0)
    steps: int = Field(default=30, ge=1)
    init: Literal["zero", "uniform"] = "uniform"
    lr: float = Field(default=0.003, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    clip: float = Field(default=0.0, ge=0)
    max_rounds: int = Field(default=1, ge=1)
    stop_error: float = Field(default=0.0, ge=0, le=1)


@register
class PerturbationInducedLinearization(CleanSurrogate[PerturbationInducedLinearizationConfig]):
    """Perturbation-induced linearization (PIL; Liu et al., ICLR 2026), against a linear surrogate.

    "Perturbation-Induced Linearization: Constructing Unlearnable Data with Solely Linear Classifiers",
    arXiv:2601.19967. The surrogate f is linear, without biases, and trained on clean images. The
    published image is x - p, and the steps lower

        0.9 CE(f(p), y) + 0.1 KL(uniform, softmax f(x - p))

    so the noise alone shows the class, and the image no longer does. Here the noise is d = -p, and f(p) is
    computed as f(x) - f(x + d), which it is for a linear surrogate without biases. This way the noise goes
    through the same lifting, clipping and transformations as the image. Departures from the authors' code:
    the training images may be transformed, the rate falls to zero, and those of error_minimizing.
    """

    name: ClassVar[str] = "perturbation_induced_linearization"
    shared: ClassVar[bool] = True
    Config: ClassVar[type[Config]] = PerturbationInducedLinearizationConfig

    @takes(PerturbationInducedLinearizationConfig)
    def __init__(self, **settings: Any) -> None: ...

    def noise_loss(self, step: NoiseStep, d: torch.Tensor) -> torch.Tensor:
        """Return the summed loss of the noise alone and of the published images."""
        with torch.no_grad():
            clean = step.logits(step.show(torch.zeros_like(d)))
        published = step.logits(step.show(d))
        shows = F.cross_entropy(clean - published, step.batch.y, reduction="sum")
        uniform = torch.full_like(published, 1 / published.shape[1])
        hides = F.kl_div(published.log_softmax(1), uniform, reduction="sum")
        return self.config.balance * shows + (1 - self.config.balance) * hides
