"""Everything that stays the same during a search against a surrogate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import nn

from unlearnable import countermeasures
from unlearnable.data.view import View
from unlearnable.methods.class_groups import count as outputs_count
from unlearnable.methods.class_groups import outputs
from unlearnable.methods.constraints import Constraints
from unlearnable.methods.context import Context, Surrogate
from unlearnable.methods.settings import SearchConfig
from unlearnable.training import partition
from unlearnable.training.image_store import ImageStore
from unlearnable.training.recipe import Recipe
from unlearnable.training.trainer_view import TrainerView
from unlearnable.training.transforms import Draw, Transform


class Share(NamedTuple):
    """The share of a batch that this process takes, where several search together.

    Args:
        batch: int64 (B,), the positions of all images of the batch, on the host.
        members: int64 (n,), the places in ``batch`` of those that this process owns, on the device.
    """

    batch: torch.Tensor
    members: torch.Tensor


class Batch(NamedTuple):
    """Some images, on the device.

    Args:
        x: uint8 (B, 3, S, S), the pixels of the view.
        rows: int64 (B,), their rows of noise; -1 for context.
        y: int64 (B,), their classes, as outputs of the surrogate.
        grey: bool (B,), photos whose noise is equal in every channel; None if there are none.
        onto: Matrices of 0 and 1, (B, 1, grid, h) and (B, 1, grid, w), that put the rows and the columns of a
            pattern at its offset on the grid, with zeros around it; None where patterns cover the grid.
        share: The batch of which these images are this process's share; None if they are all of it.
    """

    x: torch.Tensor
    rows: torch.Tensor
    y: torch.Tensor
    grey: torch.Tensor | None
    onto: tuple[torch.Tensor, torch.Tensor] | None = None
    share: Share | None = None


class SearchPlan:
    """The batches of a search, and the path from pixels and noise to the surrogate's input.

    Args:
        config: The settings, resolved.
        recipe: How the surrogate is trained.
        train_batches: Training batches in a round that trains.
        rows: int64 (N,), the row of noise of every image, -1 for context. Sample-wise, it is that in the
            noise of this process, and -1 for images of others.
        view: The images.
        ctx: Device, precision, draws.
        classes: The classes that the surrogate knows, if they are not the view's.
        rounds: Rounds that the noise gets, ``max_rounds`` if None.
    """

    def __init__(
        self,
        config: SearchConfig,
        recipe: Recipe,
        train_batches: int,
        rows: torch.Tensor,
        view: View,
        ctx: Context,
        classes: tuple[str, ...] | None = None,
        rounds: int | None = None,
    ) -> None:
        self.config, self.recipe, self.ctx, self.view, self.rows = config, recipe, ctx, view, rows
        self.classes = classes or view.classes
        self.rounds = rounds or int(config.max_rounds)
        self.count = len(view.ids)
        self.batch = min(config.batch, self.count)
        self.per_epoch = max(1, self.count // self.batch)
        self.train_batches = train_batches
        self.everyone = torch.arange(self.count)
        self.own = torch.from_numpy(view.own).nonzero()[:, 0]
        self.searched = self._searched(config.share if config.form == "classwise" else 1.0)
        pixels, self.mine = view.pixels, ctx.mine(view)
        # the images whose error this process measures
        self.measured = self.own if self.mine is None else self.own[self.mine[self.own]]
        self.images = ctx.keep(
            "images", pixels, lambda: ImageStore(torch.from_numpy(pixels), ctx.compute, self.mine)
        )
        index = dict(zip(self.classes, outputs(self.classes, config.groups), strict=True))
        self.outputs = outputs_count(self.classes, config.groups)
        self.labels = torch.tensor([index[view.classes[label]] for label in view.labels])
        self.offsets = self._offsets()
        self.grey = torch.from_numpy(view.grey) if view.grey.any() else None
        self._frozen: tuple[dict[str, Any], int, nn.Module] | None = None
        self._orders: dict[str, tuple[tuple[int, ...], torch.Tensor]] = {}
        self.constraints = Constraints(config, view.frame, ctx.compute)
        chains = countermeasures.alternatives(config.countermeasures)
        stand_ins = [chain.stand_in for chain in chains] if any(chains) else []

        def seen(size: int) -> TrainerView:
            return TrainerView(
                size,
                pixels.shape[-1],
                config.grid,
                view.frame,
                Transform(config.transforms, (config.crop_min, 1.0)),
                config.interpolation,
                ctx.compute,
                stand_ins,
                config.budget.epsilon,
                config.grey,
            )

        self.trainer_view = self._late = seen(int(config.resolution))
        self._early = seen(config.early_resolution) if config.early_resolution else self._late

    def _searched(self, share: float) -> torch.Tensor:
        """Positions of the images whose noise moves: all own ones, or a share of every class."""
        if share >= 1:
            return self.own
        chosen, labels = [], torch.from_numpy(self.view.labels)[self.own]
        for label, name in enumerate(self.view.classes):
            mine = self.own[labels == label]
            order = torch.randperm(len(mine), generator=self.ctx.rng("share", name))
            chosen.append(mine[order[: max(1, round(share * len(mine)))]])
        return torch.cat(chosen).sort().values

    def _offsets(self) -> torch.Tensor | None:
        """The (top, left) of every image's pattern on the grid, int64 (N, 2), as it will be published.

        None if patterns cover the grid.
        """
        assignment, side, grid = self.config.assignment(self.ctx.seed), self.config.side, self.config.grid
        found = [assignment.top_left(id, (side, side), (grid, grid)) for id in self.view.ids]
        return None if assignment.offset == "tile" else torch.tensor(found)

    def begin(self, round: int) -> None:
        """Prepare for a round of the search: the size of images, and whether countermeasures are on."""
        self.trainer_view = self._early if round < self.rounds // 2 else self._late
        self.trainer_view.switched_on = round >= self.config.rounds_without_countermeasures

    def active(self, state: dict[str, Any]) -> torch.Tensor:
        """Return the positions of the images whose noise this round moves, int64 on the host."""
        active: torch.Tensor = state.get("active", self.searched)
        return active

    def noise_batches(self, state: dict[str, Any]) -> int:
        """Return the number of batches in one pass of this round over the images whose noise moves."""
        return -(-len(self.active(state)) // self.batch)

    def order(self, name: str, positions: torch.Tensor, *pass_: int) -> torch.Tensor:
        """Return positions in the order of one pass over them."""
        # drawn once a pass and not once a batch: there may be millions of them
        if name not in self._orders or self._orders[name][0] != pass_:
            self._orders[name] = (pass_, partition.shuffled(positions, self.ctx.rng(name, *pass_)))
        return self._orders[name][1]

    def surrogate(self, state: dict[str, Any]) -> Surrogate:
        """Return the surrogate whose tensors are in a state."""
        return self.ctx.surrogate(state, self.config.learner, self.outputs, self.recipe)

    def frozen(self, state: dict[str, Any]) -> nn.Module:
        """Return the surrogate in eval mode, with a gradient to its input only, until it is trained again."""
        if self._frozen is None or self._frozen[0] is not state or self._frozen[1] != state["round"]:
            self._frozen = (state, state["round"], self.ctx.frozen(self.surrogate(state).model))
        return self._frozen[2]

    def thaw(self) -> None:
        """Forget the frozen copy, because the surrogate is about to change."""
        self._frozen = None

    def batch_of(self, index: torch.Tensor) -> Batch:
        """Return the images at some positions, int64 (B,): of several processes, those that this one owns."""
        send, share = self.ctx.compute.send, None
        if self.mine is not None:
            members = partition.members(index, self.mine)
            share, index = Share(index, send(members)), index[members]
        grey = None if self.grey is None else send(self.grey[index])
        onto = None if self.offsets is None else self._onto(send(self.offsets[index]))
        return Batch(self.images[index], send(self.rows[index]), send(self.labels[index]), grey, onto, share)

    def draw(self, batch: Batch, rng: torch.Generator, transform: Transform | None = None) -> Draw | None:
        """Return transformations of a batch, as ``TrainerView.draw`` does.

        They are drawn for the whole batch, and each process takes those of its own images. So the draws do
        not depend on the number of processes.
        """
        if batch.share is None:
            return self.trainer_view.draw(len(batch.x), rng, transform)
        draw = self.trainer_view.draw(len(batch.share.batch), rng, transform)
        return None if draw is None else draw.of(batch.share.members)

    def whole(self, batch: Batch, d: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return rows, int64 (B,), and noise, (B, 3, h, w), of the images of all processes in a batch.

        Args:
            batch: The share of this process.
            d: float (n, 3, h, w), its noise.
        """
        if batch.share is None:
            return batch.rows, d
        every = d.new_zeros(len(batch.share.batch), *d.shape[1:])
        every[batch.share.members] = d
        # the others add zeros, so a sum over images in the order of the batch has the same bits everywhere
        return self.ctx.compute.send(self.rows[batch.share.batch]), self.ctx.ranks.sum(every)

    def of_all(self, values: torch.Tensor) -> torch.Tensor:
        """Return a value of each image in ``own``, float (M,), from those of the images in ``measured``."""
        if self.mine is None:
            return values
        every = values.new_zeros(len(self.own))
        every[self.mine[self.own].to(values.device)] = values
        return self.ctx.ranks.sum(every)

    def _onto(self, offsets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        # products with 0 and 1 are exact, and on a GPU the same every time; scattered sums are not
        where = offsets.T[:, :, None] + torch.arange(self.config.side, device=offsets.device)
        onto = torch.arange(self.config.grid, device=offsets.device).view(-1, 1) == where[:, :, None, None]
        down, across = onto.to(self.ctx.compute.dtype)
        return down, across

    def show(self, batch: Batch, d: torch.Tensor, draw: Draw | None) -> torch.Tensor:
        """Return the network input for a batch with noise ``d``; differentiable in ``d``.

        Args:
            batch: The images.
            d: float (B, 3, h, w), in levels; every pattern goes to its image's offset.
            draw: One transformation for each image; None for the whole frame, resized.

        Returns:
            float (B, 3, resolution, resolution) in [0, 1].
        """
        if batch.onto is not None:
            d = batch.onto[0] @ d @ batch.onto[1].mT
        return self.trainer_view(batch.x, d, batch.grey, draw)

    def logits(self, model: nn.Module, x: torch.Tensor) -> torch.Tensor:
        """Return the outputs of a model for network input, computed in the precision of the search."""
        with self.ctx.compute.autocast():
            logits: torch.Tensor = model(x)
        return logits.to(self.ctx.compute.dtype)

    def under(self, batch: Batch, d: torch.Tensor) -> torch.Tensor | None:
        """Return the pixels under a batch's noise ``d``, in its shape; None if they do not match it."""
        if not self.trainer_view.plain:
            return None
        if batch.onto is not None:
            return batch.onto[0].mT @ batch.x.to(d.dtype) @ batch.onto[1]
        return batch.x if d.shape == batch.x.shape else None

    def noise_of(self, rows: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Return a copy of the noise of every image, in levels; zero for context, whose row is -1."""
        d = self.ctx.compute.send(noise[rows.clamp(min=0).to(noise.device)]).to(self.ctx.compute.dtype)
        return d if len(self.own) == self.count else d * (rows >= 0).view(-1, 1, 1, 1)


@dataclass(frozen=True)
class NoiseStep:
    """A batch of images, and the network and transformations through which noise steps see it.

    Args:
        plan: The search.
        model: The surrogate, frozen: only its input has a gradient.
        batch: The images, with the classes that the step works on.
        rng: The source of any draw that a loss makes itself.
        draw: One transformation for each image; None for none.
    """

    plan: SearchPlan
    model: nn.Module
    batch: Batch
    rng: torch.Generator
    draw: Draw | None = None

    def show(self, d: torch.Tensor) -> torch.Tensor:
        """Return the network input for the batch with noise ``d``, as ``SearchPlan.show`` does."""
        return self.plan.show(self.batch, d, self.draw)

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        """Return the outputs of the surrogate for network input, in the precision of the search."""
        return self.plan.logits(self.model, x)
