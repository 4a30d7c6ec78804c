"""Projected gradient descent on the input: the attack of adversarial training.

Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks", ICLR 2018, arXiv:1706.06083,
section 2.1.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from unlearnable.training.compute import Compute
from unlearnable.training.frozen import freeze


def attack(
    model: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    epsilon: float,
    step: float,
    steps: int,
    rng: torch.Generator,
    compute: Compute,
) -> torch.Tensor:
    """Return images near ``x`` on which the loss is large.

    From a random start within the budget, x' <- clip(x' + step sign(gradient)), where clip projects onto the
    budget and onto [0, 1]. Gradients are those of a frozen copy in eval mode, so the model's mode, running
    statistics and gradients stay as they are.

    Args:
        model: The model to attack.
        x: float (B, 3, s, s) in [0, 1], on the device.
        y: int64 (B,), or float (B, classes) with the probabilities of the classes.
        epsilon: How far a pixel may move, in levels of 1/255.
        step: Length of a step, in levels.
        steps: Number of steps.
        rng: The source of the random start.
        compute: Device and precision.

    Returns:
        float (B, 3, s, s) in [0, 1], at most ``epsilon`` levels from ``x``.
    """
    low, high = (x - epsilon / 255).clamp(0, 1), (x + epsilon / 255).clamp(0, 1)
    start = compute.send((2 * torch.rand(x.shape, generator=rng) - 1) * (epsilon / 255))
    moved = torch.clamp(x + start, low, high)
    frozen = freeze(model, compute)
    for _ in range(steps):
        moved = moved.contiguous(memory_format=torch.channels_last).requires_grad_(True)
        with torch.enable_grad(), compute.autocast():
            logits = frozen(moved)
        # a sum, so that an image's gradient does not depend on its batch mates
        loss = F.cross_entropy(logits.to(compute.dtype), y, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, moved)
        moved = torch.clamp(moved.detach() + (step / 255) * gradient.sign(), low, high)
    return moved
