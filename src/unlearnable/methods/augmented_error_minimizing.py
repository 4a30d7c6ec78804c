"""Augmented unlearnable examples (AUE): error-minimizing noise under contrastive augmentation."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from unlearnable.methods.augmented import Augmented, AugmentedConfig
from unlearnable.methods.config import Config
from unlearnable.methods.error_minimizing import ErrorMinimizing
from unlearnable.methods.registry import register
from unlearnable.methods.settings import ErrorMinimizingConfig
from unlearnable.methods.typed_settings import takes


class AugmentedErrorMinimizingConfig(AugmentedConfig, ErrorMinimizingConfig):
    """Settings of augmented_error_minimizing.

    Attributes:
        strength: Strength of the augmentation of contrastive learners (SimCLR) that both steps see, after
            ``transforms``; 0 for none. The paper: 0.6 for CIFAR-10, 1 for more classes.
        train_batches: M, surrogate batches per round; 0 to count in epochs (the paper: 1 epoch).
        steps: T, sign steps per batch. The paper: 5, class-wise 1.
        max_rounds: Rounds after which the search stops.
    """

    strength: float = Field(default=0.6, ge=0, le=1)
    train_batches: int = Field(default=0, ge=0)
    steps: int = Field(default=5, ge=1)
    batch: int = Field(default=128, ge=2)
    weight_decay: float = Field(default=1e-4, ge=0)
    max_rounds: Annotated[int, Field(ge=1)] | Literal["auto"] = 60
    stop_error: float = Field(default=0.0, ge=0, le=1)


@register
class AugmentedErrorMinimizing(Augmented, ErrorMinimizing):
    """Augmented unlearnable examples (AUE; Wang et al., NeurIPS 2024), against contrastive learners too.

    "Efficient Availability Attacks against Supervised and Contrastive Learning Simultaneously",
    arXiv:2402.04010. Error-minimizing noise whose training steps and noise steps both
    see the augmentation of contrastive learners. Departures from the authors' code: the surrogate's learning
    rate is constant, and those of error_minimizing.
    """

    name: ClassVar[str] = "augmented_error_minimizing"
    Config: ClassVar[type[Config]] = AugmentedErrorMinimizingConfig
    config: AugmentedErrorMinimizingConfig

    @takes(AugmentedErrorMinimizingConfig)
    def __init__(self, **settings: Any) -> None: ...
