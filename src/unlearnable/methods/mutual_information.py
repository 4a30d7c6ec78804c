"""Mutual-information noise (MI-UE): features of a class move together, and away from other classes."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field, field_validator

from unlearnable.errors import UsageError
from unlearnable.methods.config import Config
from unlearnable.methods.error_minimizing import ErrorMinimizing
from unlearnable.methods.registry import register
from unlearnable.methods.search_plan import NoiseStep
from unlearnable.methods.settings import ErrorMinimizingConfig
from unlearnable.methods.typed_settings import takes
from unlearnable.training.weights import split


class MutualInformationConfig(ErrorMinimizingConfig):
    """Settings of mutual_information.

    Attributes:
        temperature: t, by which cosines are divided.
    """

    temperature: float = Field(default=0.1, gt=0)

    @field_validator("shared_backward")
    @classmethod
    def _apart(cls, shared: bool) -> bool:
        """Refuse to share a backward pass: the surrogate is trained with another loss."""
        if shared:
            raise UsageError(
                "shared_backward is true, but mutual_information trains and moves noise by different losses.",
                "Leave shared_backward out.",
            )
        return shared


@register
class MutualInformation(ErrorMinimizing):
    """Mutual-information unlearnable examples (MI-UE; Zhu et al., ICLR 2026): features of a class alike.

    "Why Do Unlearnable Examples Work: A Novel Perspective of Mutual Information", arXiv:2603.03725.
    The surrogate is trained as in error_minimizing. A noise step lowers, with z the input of the
    surrogate's last layer,

        sum over i of  -log (sum over j of the class of i, exp(cos(z_i, z_j) / t) / sum over j, exp(...))

    where j runs over the other images of the batch. So the step of an image depends on its batch mates,
    unlike in other methods. Departures: an image without another one of its class in the batch adds its
    cross-entropy, or a photo that comes later alone would get no noise; and those of error_minimizing.
    """

    name: ClassVar[str] = "mutual_information"
    Config: ClassVar[type[Config]] = MutualInformationConfig
    config: MutualInformationConfig

    @takes(MutualInformationConfig)
    def __init__(self, **settings: Any) -> None: ...

    def noise_loss(self, step: NoiseStep, d: torch.Tensor) -> torch.Tensor:
        """Return the summed contrastive loss of the features."""
        plan, y = step.plan, step.batch.y
        backbone, head = plan.ctx.keep("layers", step.model, lambda: split(step.model))
        z = plan.logits(backbone, step.show(d))
        apart = F.cross_entropy(plan.logits(head, z), y, reduction="none")
        alone = (y == y[:, None]).sum(1) == 1
        return torch.where(alone, apart, contrastive(z, y, self.config.temperature)).sum()


def contrastive(z: torch.Tensor, y: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return the loss of the class docstring for every image, float (B,); 0 for one alone in its class.

    Args:
        z: float (B, D), features.
        y: int64 (B,), classes.
        temperature: t.
    """
    z = F.normalize(z, dim=1)
    itself = torch.eye(len(y), dtype=torch.bool, device=y.device)
    same = (y == y[:, None]) & ~itself
    # an image that is alone is compared with itself, because a sum over nothing has no gradient
    alone = ~same.any(1)
    scaled = z @ z.T / temperature
    over_same, over_all = (
        scaled.masked_fill(~torch.where(alone[:, None], itself, chosen), -torch.inf).logsumexp(1)
        for chosen in (same, ~itself)
    )
    return over_all - over_same
