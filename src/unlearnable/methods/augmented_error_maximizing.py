"""Augmented adversarial poisoning (AAP): targeted noise under contrastive augmentation."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from unlearnable.methods.augmented import Augmented, AugmentedConfig
from unlearnable.methods.config import Config
from unlearnable.methods.error_maximizing import ErrorMaximizing, ErrorMaximizingConfig
from unlearnable.methods.registry import register
from unlearnable.methods.typed_settings import takes


class AugmentedErrorMaximizingConfig(AugmentedConfig, ErrorMaximizingConfig):
    """Settings of augmented_error_maximizing.

    Attributes:
        strength: Strength of the augmentation of contrastive learners (SimCLR) that both steps see, after
            ``transforms``; 0 for none. The paper: 0.4 for CIFAR-10, 0.8 for CIFAR-100.
        pretrain_epochs: Epochs of the surrogate on the clean images, at a rate that falls to zero.
        target: ``next`` lowers the loss of another class, which ``shift`` chooses; ``none`` raises the
            loss of the image's class. The paper has both.
        steps: Sign steps per batch.
        step_size: Length of a sign step, in levels. The paper: 2.5 epsilon over ``steps``.
        max_rounds: Rounds of that many steps.
        stop_error: Error of the surrogate on protected images, in [0, 1], at which the search stops; 1 for
            never (the paper).
    """

    strength: float = Field(default=0.4, ge=0, le=1)
    pretrain_epochs: float = Field(default=40.0, gt=0)
    target: Literal["none", "next"] = "next"
    steps: int = Field(default=250, ge=1)
    step_size: float = Field(default=0.08, gt=0)
    batch: int = Field(default=128, ge=2)
    max_rounds: int = Field(default=1, ge=1)
    stop_error: float = Field(default=1.0, ge=0, le=1)


@register
class AugmentedErrorMaximizing(Augmented, ErrorMaximizing):
    """Augmented adversarial poisoning (AAP; Wang et al., NeurIPS 2024), against contrastive learners too.

    "Efficient Availability Attacks against Supervised and Contrastive Learning Simultaneously",
    arXiv:2402.04010. Targeted error-maximizing noise (TAP) whose surrogate is trained
    on clean images under the augmentation of contrastive learners, which the noise steps see too. Departures
    from the authors' code: the learning rate has no warm-up, and those of error_maximizing.
    """

    name: ClassVar[str] = "augmented_error_maximizing"
    Config: ClassVar[type[Config]] = AugmentedErrorMaximizingConfig
    config: AugmentedErrorMaximizingConfig

    @takes(AugmentedErrorMaximizingConfig)
    def __init__(self, **settings: Any) -> None: ...
