"""The three things that a round of the min-min search consists of, as functions of a plan and a state."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from unlearnable.budget import Budget
from unlearnable.methods.plan import Plan
from unlearnable.training.loop import train_step

State = dict[str, Any]


def train(plan: Plan, state: State, count: int) -> None:
    """Train the surrogate on one batch of protected images, the noise fixed; ``count`` batches came before."""
    model = plan.model(state)
    epoch, place = divmod(count, plan.per_epoch)
    order = torch.randperm(plan.count, generator=plan.ctx.rng("order", epoch))
    index = order[place * plan.batch : (place + 1) * plan.batch]
    x, d, y, grey = plan.batch_of(index, state["noise"])
    x = plan.look(x, d, grey, plan.ctx.rng("train", count))
    right = train_step(model.model, model.optimizer, x, y, plan.ctx.compute, plan.config.clip)[1]
    state["right"] = right if count % plan.train_batches == 0 else state["right"] + right  # on the device: nobody waits for it here


def training_error(plan: Plan, state: State) -> float:
    """Return the share of this round's training batches that the surrogate got wrong, in [0, 1], augmented as they were."""
    return 1 - float(state["right"]) / (plan.train_batches * plan.batch)


def measured_error(plan: Plan, state: State) -> float:
    """Return the share of the protected images that the surrogate gets wrong, in eval mode under the fixed look, in [0, 1]."""
    model, wrong = plan.model(state).model.eval(), 0
    with torch.inference_mode():
        for index in torch.split(plan.own, plan.batch):
            x, d, y, grey = plan.batch_of(index, state["noise"])
            with plan.ctx.compute.autocast():
                wrong += int((model(plan.look(x, d, grey, None)).argmax(1) != y).sum())
    return wrong / len(plan.own)


def move(plan: Plan, state: State, place: int) -> None:
    """Move the noise of one batch by T sign steps (Eq. 3), the surrogate fixed and in eval mode."""
    config = plan.config
    which, start = divmod(place, plan.noise_batches // config.passes)
    order = plan.searched[torch.randperm(len(plan.searched), generator=plan.ctx.rng("noise order", state["round"], which))]
    index = order[start * plan.batch : (start + 1) * plan.batch]
    model = plan.model(state).model.eval().requires_grad_(False)
    noise, rows = state["noise"], plan.rows[index].to(plan.ctx.compute.device)
    x, d, y, grey = plan.batch_of(index, noise)
    rng = plan.ctx.rng("noise", state["round"], place)
    length = config.step_length(state["round"], plan.rounds)
    for _ in range(config.steps):
        gradient = _gradient(plan, model, (x, d, y, grey), rng)
        # the paper starts each step from the clipped image, so noise that clipping ate does not count
        base_d = (((x + d / 255).clamp(0, 1) - x) * 255) if plan.look.plain and d.shape == x.shape else d
        d = Budget(config.epsilon).project(base_d - length * gradient.sign())
    model.requires_grad_(True)
    if config.form == "samplewise":
        noise[rows] = d
    else:
        counts = torch.bincount(rows, minlength=len(noise)).to(noise.dtype).view(-1, 1, 1, 1)
        mean = torch.zeros_like(noise).index_add_(0, rows, d) / counts.clamp(min=1)
        noise.copy_(torch.where(counts > 0, mean, noise))


def _gradient(plan: Plan, model: nn.Module, batch: tuple[torch.Tensor, ...], rng: torch.Generator) -> torch.Tensor:
    """The gradient of the loss in the noise, summed over ``samples`` transformations."""
    x, d, y, grey = batch
    d = d.detach().requires_grad_(True)
    total = torch.zeros_like(d)
    for _ in range(plan.config.samples if plan.config.transforms != "none" else 1):
        with plan.ctx.compute.autocast():
            logits = model(plan.look(x, d, grey, rng))
        # summed, so that an image's step does not depend on its batch mates
        loss = F.cross_entropy(logits.to(plan.ctx.compute.dtype), y, reduction="sum")
        total += torch.autograd.grad(loss, d)[0]
    return total
