"""How a model is trained: length, batch, optimiser, schedule and transformation."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import nn

from unlearnable.training.sgd import SGD
from unlearnable.training.transforms import Transform


@dataclass(frozen=True)
class Recipe:
    """How a model is trained.

    Args:
        epochs: Passes over the data.
        batch: Images per step (all of them when there are fewer).
        lr: Largest learning rate.
        momentum: Momentum of SGD.
        weight_decay: Weight decay of SGD.
        clip: Largest norm of the gradient; 0 for no limit.
        schedule: ``constant``, ``cosine`` to zero, ``onecycle``: linear warm-up over a fifth of the steps,
            then cosine, or ``steps``: a tenth from three quarters of the training on, and a hundredth in its
            last tenth.
        transform: Random transformations of each batch.
        margin: Subtracted from the logit of the true class during training; see ``margin_head``.
    """

    epochs: int = 60
    batch: int = 128
    lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    clip: float = 0.0
    schedule: Literal["constant", "cosine", "onecycle", "steps"] = "cosine"
    transform: Transform = field(default_factory=Transform)
    margin: float = 0.0

    def optimizer(self, model: nn.Module) -> torch.optim.SGD:
        """Return the optimiser of a model's parameters."""
        parameters = list(model.parameters())
        # on a GPU, one kernel for all parameters: launching one for each takes longer
        fused = all(one.is_cuda for one in parameters)
        return SGD(
            parameters, lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay, fused=fused
        )

    def rate(self, step: int, steps: int) -> float:
        """Return the learning rate of one step out of ``steps``."""
        if self.schedule == "constant":
            return self.lr
        if self.schedule == "steps":
            return self.lr * (0.01 if step >= 0.9 * steps else 0.1 if step >= 0.75 * steps else 1.0)
        warm = 0.2 * steps if self.schedule == "onecycle" else 0.0
        if step < warm:
            return self.lr * (step + 1) / (warm + 1)
        return self.lr * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1.0, steps - warm)))
