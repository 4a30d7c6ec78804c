"""The three things that a round of a search against a surrogate consists of, as functions of a plan and a state."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from unlearnable.budget import Budget
from unlearnable.methods.plan import Batch, Plan
from unlearnable.training.loop import train_step
from unlearnable.training.transforms import Draw

State = dict[str, Any]


def train(plan: Plan, state: State, count: int) -> None:
    """Train the surrogate on one batch of protected images (or clean ones), the noise fixed; ``count`` batches came before."""
    model, recipe = plan.model(state), plan.config.recipe()
    for group in model.optimizer.param_groups:
        group["lr"] = recipe.rate(count, plan.train_batches)
    epoch, place = divmod(count, plan.per_epoch)
    index = plan.order("order", plan.everyone, epoch)[place * plan.batch : (place + 1) * plan.batch]
    batch = plan.batch_of(index)
    draw = plan.trainer_view.draw(len(index), plan.ctx.rng("train", count))
    d = plan.noise_of(batch.rows, state["noise"])
    x = plan.show(batch, torch.zeros_like(d) if plan.config.clean else d, draw)
    right = train_step(model.model, model.optimizer, x, batch.y, plan.ctx.compute, plan.config.clip)[1]
    state["right"] = (
        right if count % plan.train_batches == 0 else state["right"] + right
    )  # on the device: nobody waits for it here


def training_error(plan: Plan, state: State) -> float:
    """Return the share of this round's training batches that the surrogate got wrong, in [0, 1], augmented as they were."""
    return 1 - float(state["right"]) / (plan.train_batches * plan.batch)


def measure(plan: Plan, state: State) -> None:
    """Measure every protected image in eval mode under the fixed look: the error, and which images are not settled yet."""
    model, losses, wrong = plan.frozen(state), [], []
    with torch.inference_mode():
        for index in torch.split(plan.own, plan.batch):
            batch = plan.batch_of(index)
            x = plan.show(batch, plan.noise_of(batch.rows, state["noise"]), None)
            with plan.ctx.compute.autocast():
                logits = model(x)
            losses.append(F.cross_entropy(logits.to(plan.ctx.compute.dtype), batch.y, reduction="none"))
            wrong.append(logits.argmax(1) != batch.y)
    state["error"] = float(torch.cat(wrong).double().mean())
    if plan.config.settled_below:
        found = torch.cat(losses).cpu()
        # whole batches, filled up with those that are nearest to the threshold
        count = min(
            len(found), -(-int((found >= plan.config.settled_below).sum()) // plan.batch) * plan.batch
        )
        state["active"] = plan.own[found.argsort(descending=True, stable=True)[:count]].sort().values


def move(plan: Plan, state: State, place: int) -> None:
    """Move the noise of one batch by T sign steps (Eq. 3), the surrogate fixed and in eval mode."""
    config, noise = plan.config, state["noise"]
    which, start = divmod(place, plan.noise_batches(state))
    order = plan.order("noise order", plan.active(state), state["round"], which)
    batch = plan.batch_of(order[start * plan.batch : (start + 1) * plan.batch])
    batch = batch._replace(y=config.aim(batch.y, len(plan.classes)))
    rng = plan.ctx.rng("noise", state["round"], place)
    d = descend(plan, plan.frozen(state), batch, plan.noise_of(batch.rows, noise), state["round"], rng)
    if config.form == "samplewise":
        noise[batch.rows.to(noise.device)] = d.to(noise)
    else:
        # a product with 0 and 1, and not a scattered sum: on a GPU its order, and so its rounding, is the
        # same every time
        mine = (batch.rows == torch.arange(len(noise), device=noise.device).view(-1, 1)).to(noise.dtype)
        counts = mine.sum(1).view(-1, 1, 1, 1)
        mean = (mine @ d.flatten(1)).view_as(noise) / counts.clamp(min=1)
        noise.copy_(torch.where(counts > 0, mean, noise))


def descend(
    plan: Plan, model: nn.Module, batch: Batch, d: torch.Tensor, round: int, rng: torch.Generator
) -> torch.Tensor:
    """Return the noise of a batch after T sign steps. Nothing in the loop waits for the device, and only the noise gets a gradient.

    Args:
        plan: The search.
        model: The surrogate, frozen.
        batch: The images; ``y`` is the class whose loss is lowered, or raised where ``config.direction`` is
            1.
        d: float (B, 3, h, w), their noise in levels.
        round: The round, for the length of a step.
        rng: Where transformations are drawn from, all of them before the first step.
    """
    config, budget = plan.config, Budget(plan.config.epsilon)
    length = config.direction * config.step_length(round, plan.rounds)
    samples = config.samples if config.transforms != "none" else 1
    draws = [[plan.trainer_view.draw(len(d), rng) for _ in range(samples)] for _ in range(config.steps)]
    under = plan.under(batch, d)
    for step in range(config.steps):
        gradient = _gradient(plan, model, batch, d, draws[step])
        # the paper starts each step from the clipped image, so noise that clipping ate does not count
        start = d if under is None else (under + d).clamp_(0, 255).sub_(under)
        d = budget.project(start + length * gradient.sign())
    return d


def _gradient(
    plan: Plan, model: nn.Module, batch: Batch, d: torch.Tensor, draws: list[Draw | None]
) -> torch.Tensor:
    """The gradient of the loss in the noise, summed over transformations."""
    d, total = d.detach().requires_grad_(True), None
    for draw in draws:
        x = plan.show(batch, d, draw)
        with plan.ctx.compute.autocast():
            logits = model(x)
        # summed, so that an image's step does not depend on its batch mates
        loss = F.cross_entropy(logits.to(plan.ctx.compute.dtype), batch.y, reduction="sum")
        gradient = torch.autograd.grad(loss, d)[0]
        total = gradient if total is None else total + gradient
    assert total is not None
    return total
