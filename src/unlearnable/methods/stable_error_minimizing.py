"""Stable error-minimizing noise (SEM): robust noise whose steps see random instead of adversarial changes."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field

from unlearnable.methods.config import Config
from unlearnable.methods.registry import register
from unlearnable.methods.robust_error_minimizing import RobustErrorMinimizing, RobustErrorMinimizingConfig
from unlearnable.methods.search_plan import NoiseStep
from unlearnable.methods.typed_settings import takes


class StableErrorMinimizingConfig(RobustErrorMinimizingConfig):
    """Settings of stable_error_minimizing.

    Attributes:
        random_epsilon: rho_r, how far a noise step's random change may move a pixel of the network's input,
            in levels of 1/255. 0 for no change.
    """

    random_epsilon: float = Field(default=4.0, ge=0, le=127)


@register
class StableErrorMinimizing(RobustErrorMinimizing):
    """Stable error-minimizing noise (SEM; Liu et al., AAAI 2024): REM with random changes in the noise step.

    "Stable Unlearnable Example: Enhancing the Robustness of Unlearnable Examples via Stable Error-Minimizing
    Noise", arXiv:2311.13091. The surrogate is trained adversarially, as in
    robust_error_minimizing. The noise step lowers the loss under a random change of the input:

        min over |d_u| <= rho_u   E_t   E over d_r uniform in +-rho_r   L(f(clip(t(x + d_u) + d_r)), y)

    It costs a small part of REM's, whose attack runs in every noise step. Departures are those of
    robust_error_minimizing.
    """

    name: ClassVar[str] = "stable_error_minimizing"
    Config: ClassVar[type[Config]] = StableErrorMinimizingConfig
    config: StableErrorMinimizingConfig

    @takes(StableErrorMinimizingConfig)
    def __init__(self, **settings: Any) -> None: ...

    def noise_loss(self, step: NoiseStep, d: torch.Tensor) -> torch.Tensor:
        """Return the summed cross-entropy at randomly changed images."""
        x = step.show(d)
        change = (2 * torch.rand(x.shape, generator=step.rng) - 1) * (self.config.random_epsilon / 255)
        # as in REM, the gradient is taken at the changed image, so that saturated pixels still get one
        moved = (x.detach() + step.plan.ctx.compute.send(change)).clamp(0, 1) - x.detach()
        return F.cross_entropy(step.logits(x + moved), step.batch.y, reduction="sum")
