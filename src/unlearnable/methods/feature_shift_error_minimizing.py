"""Feature shift and error-minimizing noise in one budget: against existing and against new networks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field, field_validator
from torch import nn

from unlearnable import models
from unlearnable.data.view import View
from unlearnable.methods.config import Config
from unlearnable.methods.context import Context
from unlearnable.methods.feature_centres import Centres
from unlearnable.methods.feature_shift import FeatureShift, FeatureShiftConfig
from unlearnable.methods.fitted import Fitted
from unlearnable.methods.registry import register
from unlearnable.methods.search_plan import Batch, NoiseStep, SearchPlan
from unlearnable.methods.steps import State, Steps
from unlearnable.methods.typed_settings import takes
from unlearnable.training.recipe import Recipe
from unlearnable.training.transforms import Draw


class FeatureShiftErrorMinimizingConfig(FeatureShiftConfig):
    """Settings of feature_shift_error_minimizing.

    Attributes:
        trained: The network that is trained from scratch during the search.
        trained_size: Side in pixels of its input; that of the pretrained networks is ``resolution``.
        trained_weight: Weight of the gradient of its loss beside that of the shift.
        lr: Learning rate of its training.
    """

    trained: str = "cnn:width=16"
    trained_size: int = Field(default=40, ge=8)
    trained_weight: float = Field(default=1.0, gt=0)
    lr: float = Field(default=0.1, gt=0)

    @field_validator("trained")
    @classmethod
    def _known_too(cls, trained: str) -> str:
        """Refuse an unknown network now rather than after all photos have been read."""
        models.parse(trained)
        return trained

    @property
    def learner(self) -> str:
        """The network that is trained from scratch."""
        return self.trained


@register
class FeatureShiftErrorMinimizing(FeatureShift):
    """Feature shift, and noise that a network trained from scratch learns instead of the photos.

    A round trains a small network g on an epoch of protected images, then takes the sign steps of
    ``feature_shift`` along the sum of two gradients: that of the shift, and that of the cross-entropy of g,
    as in error-minimizing noise (Huang et al., ICLR 2021, Eq. 3). Each is scaled to the same mean absolute
    value first: a sum of the losses followed the shift alone, because g soon learns the images and the noise.
    """

    name: ClassVar[str] = "feature_shift_error_minimizing"
    Config: ClassVar[type[Config]] = FeatureShiftErrorMinimizingConfig
    config: FeatureShiftErrorMinimizingConfig

    @takes(FeatureShiftErrorMinimizingConfig)
    def __init__(self, **settings: Any) -> None: ...

    @property
    def tells_classes_apart(self) -> bool:
        """Whether the search needs two classes or more: the network that is trained does."""
        return True

    def recipe(self) -> Recipe:
        """Return how the network is trained: at a constant rate, because it follows the noise."""
        config = self.config
        return Recipe(
            batch=config.batch, lr=config.lr, momentum=0.9, weight_decay=5e-4, clip=5.0, schedule="constant"
        )

    def surrogate_batches(self, per_epoch: int) -> int:
        """Return the batches of one epoch."""
        return per_epoch

    def round_steps(self, number: int, images: int, moving: int | None = None) -> tuple[Steps, ...]:
        """Return the steps of a round: those of the shift, after an epoch of training."""
        return self.train_steps(images), *super().round_steps(number, images, moving)

    def start(self, view: View, ctx: Context) -> State:
        """Return the state before the first round: that of the shift, and a new network."""
        state = super().start(view, ctx)
        ctx.surrogate(state, self.config.learner, len(view.classes), self.recipe())
        return state

    def frozen(self, plan: SearchPlan, state: State) -> Centres:
        """Return the networks of the shift, with the trained one beside them."""
        found = super().frozen(plan, state)
        found.learner = plan.frozen(state)
        return found

    def train_batch(
        self, plan: SearchPlan, model: nn.Module, batch: Batch, d: torch.Tensor, rng: torch.Generator
    ) -> torch.Tensor:
        """Return the transformed protected images at the size of the trained network."""
        return self._small(super().train_batch(plan, model, batch, d, rng))

    def noise_loss(self, step: NoiseStep, d: torch.Tensor) -> torch.Tensor:
        """Return the loss of the shift, or the cross-entropy if the step is against the trained network."""
        if isinstance(step.model, Centres):
            return super().noise_loss(step, d)
        return F.cross_entropy(step.logits(self._small(step.show(d))), step.batch.y, reduction="sum")

    def scaled_gradient(self, step: NoiseStep, d: torch.Tensor, draws: list[Draw | None]) -> torch.Tensor:
        """Return the sum of the gradients of the two losses, each scaled by itself."""
        assert isinstance(step.model, Centres)
        shift = super().scaled_gradient(step, d, draws)
        against = super().scaled_gradient(replace(step, model=step.model.learner), d, draws)
        return shift + self.config.trained_weight * against

    def _small(self, x: torch.Tensor) -> torch.Tensor:
        size = self.config.trained_size
        if x.shape[-1] <= size:
            return x
        x = F.interpolate(x, (size, size), mode="bilinear", antialias=True)
        return x.contiguous(memory_format=torch.channels_last)

    def surrogate(self, state: State) -> dict[str, torch.Tensor]:
        """Return what noise for later photos needs: the sums of features, and the network's weights."""
        return super().surrogate(state) | {
            key: value for key, value in state.items() if key.startswith("model.")
        }

    def extension(self, fitted: Fitted, view: View, ctx: Context) -> State:
        """Return the state before the first round of photos that came later; the network trains no more."""
        state = super().extension(fitted, view, ctx)
        momenta = {
            name.replace("model.", "momentum.", 1): torch.zeros_like(value)
            for name, value in state.items()
            if name.startswith("model.")
        }
        return state | momenta
