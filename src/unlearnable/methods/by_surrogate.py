"""A search against a surrogate: the hooks that a method may override, and the three kinds of steps.

One noise step, for the images x of a batch with the classes y, their noise d in levels, and the surrogate f,
which does not change:

    g = sum over draws of transformations t of the gradient in d of the noise loss(f, x, d, t)
    d <- constrain(clip(x + d) - x + direction * length * sign(g))

``constrain`` projects onto the constraints of the search and into the budget (``constraints.py``); without
constraints, only into the budget. The default noise loss is the cross-entropy of f(t(x + d)) for the classes
``target(y)``.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import replace
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import nn

from unlearnable.methods.rounds import Rounds
from unlearnable.methods.search_plan import Batch, NoiseStep, SearchPlan
from unlearnable.methods.settings import SearchConfig
from unlearnable.methods.steps import State, Steps
from unlearnable.training import partition
from unlearnable.training.loop import train_step
from unlearnable.training.transforms import Draw
from unlearnable.training.whole_batch import WholeBatch

S = TypeVar("S", bound=SearchConfig)
SHORTEST = 0.05  # of ``step_size``: the length at which a cosine schedule ends


class BySurrogate(Rounds[S]):
    """A search in rounds that train a surrogate, move the noise, and measure the error.

    A subclass gives ``round_steps`` and ``surrogate_batches``, and overrides hooks: ``train_batch``,
    ``noise_loss``, ``target``, ``aimed``, ``frozen``, ``direction``, ``recipe``, ``skip_below``,
    ``moves_in_training``, ``ended``.
    The class docstring cites paper, section and equation.
    """

    @property
    def direction(self) -> int:
        """Sign of a noise step along the gradient of the noise loss: down (-1) or up (1)."""
        return -1

    @property
    def moves_in_training(self) -> bool:
        """Whether the backward pass of a training batch also moves its noise."""
        return False

    @property
    def skip_below(self) -> float:
        """Loss below which a measurement excludes an image from the round's noise steps; 0 excludes none."""
        return 0.0

    @abstractmethod
    def surrogate_batches(self, per_epoch: int) -> int:
        """Return the number of training batches of a round that trains, given those of one epoch."""

    def target(self, y: torch.Tensor, classes: int) -> torch.Tensor:
        """Return the classes for the noise loss, int64 (B,), for images of the classes ``y``."""
        return y

    def aimed(
        self, plan: SearchPlan, state: State, model: nn.Module, batch: Batch, rng: torch.Generator
    ) -> Batch:
        """Return the images of a noise step with the rows of noise and the classes that it works on.

        Args:
            plan: The search.
            state: Its state.
            model: The surrogate, frozen.
            batch: The images, with their own rows and classes.
            rng: The source of every draw of this step.
        """
        return batch._replace(y=self.target(batch.y, plan.outputs))

    def frozen(self, plan: SearchPlan, state: State) -> nn.Module:
        """Return the network of the noise steps, in eval mode, with a gradient to its input only.

        A step averages the gradients of several networks if this is an ``nn.ModuleList``.
        """
        return plan.frozen(state)

    def train_batch(
        self, plan: SearchPlan, model: nn.Module, batch: Batch, d: torch.Tensor, rng: torch.Generator
    ) -> torch.Tensor:
        """Return the input of the surrogate's training step: the transformed protected images.

        Args:
            plan: The search; ``plan.show`` turns images and noise into network input.
            model: The surrogate.
            batch: The images.
            d: float (B, 3, h, w), their noise in levels; zero for context.
            rng: The source of every draw of this step.

        Returns:
            float (B, 3, S, S) in [0, 1], on the device.
        """
        return plan.show(batch, d, plan.draw(batch, rng))

    def noise_loss(self, step: NoiseStep, d: torch.Tensor) -> torch.Tensor:
        """Return the loss that a noise step lowers (or raises), a scalar that is differentiable in ``d``.

        It is a sum over the images, never a mean, so that an image's step does not depend on its batch mates.

        Args:
            step: The images, with the classes that ``target`` returned, and how the surrogate sees them.
            d: float (B, 3, h, w), their noise in levels.
        """
        return F.cross_entropy(step.logits(step.show(d)), step.batch.y, reduction="sum")

    def train_steps(self, images: int) -> Steps:
        """Return the surrogate's training batches in one round."""
        size = min(self.config.batch, images)
        count = self.surrogate_batches(max(1, images // size))
        return Steps(self.train, count * size, count)

    def noise_steps(self, images: int, moving: int | None = None) -> Steps:
        """Return the noise steps of one round, batch by batch. Arguments are those of ``round_steps``."""
        if moving is None:
            moving = round(self.config.share * images) if self.form == "classwise" else images
        passes, size = self.config.passes, min(self.config.batch, images)
        return Steps(self.move, passes * moving, passes * -(-moving // size))

    def train(self, plan: SearchPlan, state: State, number: int) -> None:
        """Train the surrogate on batch ``number`` of this round.

        The noise changes only with ``moves_in_training``.
        """
        count = state["round"] * plan.train_batches + number
        surrogate = plan.surrogate(state)
        plan.thaw()
        for group in surrogate.optimizer.param_groups:
            group["lr"] = plan.recipe.rate(count, plan.train_batches)
        batch = self.training_images(plan, count)
        d = plan.noise_of(batch.rows, state["noise"]).requires_grad_(self.moves_in_training)
        x = self.train_batch(plan, surrogate.model, batch, d, plan.ctx.rng("train", count))
        compute, clip = plan.ctx.compute, plan.recipe.clip
        whole = None if batch.share is None else WholeBatch(plan.ctx.ranks, len(batch.share.batch))
        right = train_step(surrogate.model, surrogate.optimizer, x, batch.y, compute, clip, whole=whole)[1]
        if self.moves_in_training:
            length = self.direction * self.step_length(state["round"], plan.rounds)
            # a process may own no image of the batch
            gradient = torch.zeros_like(d) if d.grad is None else d.grad
            self.put_back(plan, state, batch, self.stepped(plan, batch, d.detach(), gradient, length))
        # a sum on the device: reading it here would wait for the step to finish
        state["right"] = right if number == 0 else state["right"] + right

    def training_images(self, plan: SearchPlan, count: int) -> Batch:
        """Return the images of training batch ``count`` of the search."""
        epoch, step = divmod(count, plan.per_epoch)
        order = plan.order("order", plan.everyone, epoch)
        return plan.batch_of(partition.batch(order, step, plan.batch))

    def training_error(self, plan: SearchPlan, state: State) -> float:
        """Return the share of this round's training batches that the surrogate got wrong, in [0, 1]."""
        return 1 - float(state["right"]) / (plan.train_batches * plan.batch)

    def measure(self, plan: SearchPlan, state: State, number: int) -> None:
        """Measure the error on every protected image, in eval mode and without random transformations.

        With ``skip_below``, choose the images whose noise this round moves: those with a loss at or above it,
        and the closest below it to fill the last batch, because batches of one shape are faster.
        """
        model, losses, wrong = plan.frozen(state), [], []
        with torch.inference_mode():
            for index in torch.split(plan.measured, plan.batch):
                batch = plan.batch_of(index)
                logits = plan.logits(model, plan.show(batch, plan.noise_of(batch.rows, state["noise"]), None))
                losses.append(F.cross_entropy(logits, batch.y, reduction="none"))
                wrong.append(logits.argmax(1) != batch.y)
        state["error"] = float(plan.of_all(torch.cat(wrong).double()).mean())
        if self.skip_below:
            found = plan.of_all(torch.cat(losses)).cpu()
            batches = -(-int((found >= self.skip_below).sum()) // plan.batch)
            highest = found.argsort(descending=True, stable=True)[: batches * plan.batch]
            state["active"] = plan.own[highest].sort().values

    def move(self, plan: SearchPlan, state: State, number: int) -> None:
        """Move the noise of batch ``number`` of this round by T sign steps. The surrogate does not change."""
        noise = state["noise"]
        which, start = divmod(number, plan.noise_batches(state))
        order = plan.order("noise order", plan.active(state), state["round"], which)
        batch = plan.batch_of(partition.batch(order, start, plan.batch))
        model = self.frozen(plan, state)
        rng = plan.ctx.rng("noise", state["round"], number)
        batch = self.aimed(plan, state, model, batch, rng)
        d = plan.noise_of(batch.rows, noise)
        if len(d):
            d = self.sign_steps(NoiseStep(plan, model, batch, rng), d, state["round"])
        self.put_back(plan, state, batch, d)

    def put_back(self, plan: SearchPlan, state: State, batch: Batch, d: torch.Tensor) -> None:
        """Store the noise of a batch, float (B, 3, h, w) in levels, in its rows; context has none."""
        noise = state["noise"]
        if self.config.form == "samplewise":
            if len(plan.own) < plan.count:
                mine = batch.rows >= 0
                batch, d = batch._replace(rows=batch.rows[mine]), d[mine]
            noise[batch.rows.to(noise.device)] = d.to(noise)
            return
        # Class-wise, a step is the mean over the class's images. A product with 0 and 1 sums in the same
        # order every time; a scattered sum on a GPU does not.
        rows, d = plan.whole(batch, d)
        mine = (rows == torch.arange(len(noise), device=noise.device).view(-1, 1)).to(noise.dtype)
        counts = mine.sum(1).view(-1, 1, 1, 1)
        mean = (mine @ d.flatten(1)).view_as(noise) / counts.clamp(min=1)
        noise.copy_(plan.constraints.whole(torch.where(counts > 0, mean, noise)))

    def sign_steps(self, step: NoiseStep, d: torch.Tensor, round: int) -> torch.Tensor:
        """Return the noise of a batch after T sign steps: the formula of the module. ``d`` is not changed.

        Nothing in the loop waits for the device, so all transformations are drawn before the first step.
        """
        plan, config = step.plan, self.config
        length = self.direction * self.step_length(round, plan.rounds)
        samples = config.samples if plan.trainer_view.varies else 1
        draws = [[plan.draw(step.batch, step.rng) for _ in range(samples)] for _ in range(config.steps)]
        under = plan.under(step.batch, d)
        for some in draws:
            d = self._moved(plan, d, self._gradient(step, d, some), length, under)
        return d

    def stepped(
        self, plan: SearchPlan, batch: Batch, d: torch.Tensor, gradient: torch.Tensor, length: float
    ) -> torch.Tensor:
        """Return the noise of a batch after one sign step of a signed length, in levels, along a gradient."""
        return self._moved(plan, d, gradient, length, plan.under(batch, d))

    def _moved(
        self,
        plan: SearchPlan,
        d: torch.Tensor,
        gradient: torch.Tensor,
        length: float,
        under: torch.Tensor | None,
    ) -> torch.Tensor:
        # the paper starts each step from the clipped image, so noise that clipping removes does not count
        start = d if under is None else (under + d).clamp_(0, 255).sub_(under)
        return plan.constraints(start + length * plan.constraints.direction(gradient).sign())

    def _gradient(self, step: NoiseStep, d: torch.Tensor, draws: list[Draw | None]) -> torch.Tensor:
        """The gradient of the noise loss in the noise: a sum over transformations, a mean over networks."""
        d, total = d.detach().requires_grad_(True), None
        networks = list(step.model) if isinstance(step.model, nn.ModuleList) else [step.model]
        for draw in draws:
            # one network at a time, so that memory does not grow with their number
            for network in networks:
                loss = self.noise_loss(replace(step, model=network, draw=draw), d)
                gradient = torch.autograd.grad(loss, d)[0]
                total = gradient if total is None else total + gradient
        assert total is not None
        return total / len(networks)

    def step_length(self, round: int, rounds: int) -> float:
        """Return the length of a sign step, in levels, in one round out of ``rounds``."""
        config = self.config
        if config.step_schedule == "constant":
            return config.step_size
        share = (1 + math.cos(math.pi * round / rounds)) / 2
        return config.step_size * (SHORTEST + (1 - SHORTEST) * share)
