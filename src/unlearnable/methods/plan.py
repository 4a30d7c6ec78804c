"""What does not change during a search with a surrogate."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import nn

from unlearnable.data.view import View
from unlearnable.methods.context import Context, Surrogate
from unlearnable.methods.settings import SurrogateConfig
from unlearnable.training.frozen import freeze
from unlearnable.training.image_store import ImageStore
from unlearnable.training.trainer_view import TrainerView
from unlearnable.training.transforms import Draw, Transform


class Batch(NamedTuple):
    """Some images on the device: pixels uint8 (B, 3, S, S), rows int64 (B,), labels int64 (B,), grey bool (B,) or None.

    ``spots`` is where their patterns lie, None where they cover the grid: matrices of 0 and 1, (B, 1, grid,
    h) and (B, 1, grid, w), that put the rows and the columns of a pattern at their place on the grid, with
    zeros around them.
    """

    x: torch.Tensor
    rows: torch.Tensor
    y: torch.Tensor
    grey: torch.Tensor | None
    spots: tuple[torch.Tensor, torch.Tensor] | None = None


class Plan:
    """What does not change during a search: which images are in which batch, and how they are looked at.

    Args:
        config: The settings, resolved.
        rows: int64 (N,), the row of noise of every image, -1 for context.
        view: The images.
        ctx: Device, precision, draws.
        classes: The surrogate's outputs, if they are not the view's classes.
        rounds: Rounds that the noise has, ``max_rounds`` if None.
    """

    def __init__(
        self,
        config: SurrogateConfig,
        rows: torch.Tensor,
        view: View,
        ctx: Context,
        classes: tuple[str, ...] | None = None,
        rounds: int | None = None,
    ) -> None:
        self.config, self.ctx, self.view, self.rows = config, ctx, view, rows
        self.classes = classes or view.classes
        self.rounds = rounds or int(config.max_rounds)
        self.count = len(view.ids)
        self.batch = min(config.batch, self.count)
        self.per_epoch = max(1, self.count // self.batch)
        self.train_batches = config.surrogate_batches(self.per_epoch)
        self.everyone = torch.arange(self.count)
        self.own = torch.from_numpy(view.own).nonzero()[:, 0]
        self.searched = self._searched(config.share if config.form == "classwise" else 1.0)
        self.images = ctx.keep(
            "images", view.pixels, lambda: ImageStore(torch.from_numpy(view.pixels), ctx.compute)
        )
        index = {name: label for label, name in enumerate(self.classes)}
        self.labels = torch.tensor([index[view.classes[label]] for label in view.labels])
        self.corners = self._corners()
        self.grey = torch.from_numpy(view.grey) if view.grey.any() else None
        self._frozen: tuple[dict[str, Any], int, nn.Module] | None = None
        self._orders: dict[str, tuple[tuple[int, ...], torch.Tensor]] = {}
        side = view.pixels.shape[-1]
        transform = Transform(config.transforms, (config.crop_min, 1.0))
        self.trainer_view = TrainerView(
            int(config.resolution),
            side,
            config.grid,
            view.frame,
            transform,
            config.interpolation,
            ctx.compute,
            config.jpeg,
        )

    def _searched(self, share: float) -> torch.Tensor:
        if share >= 1:
            return self.own
        chosen = []
        for label in range(len(self.view.classes)):
            mine = self.own[torch.from_numpy(self.view.labels)[self.own] == label]
            keep = max(1, round(share * len(mine)))
            chosen.append(
                mine[
                    torch.randperm(len(mine), generator=self.ctx.rng("share", self.view.classes[label]))[
                        :keep
                    ]
                ]
            )
        return torch.cat(chosen).sort().values

    def _corners(self) -> torch.Tensor | None:
        """The (top, left) of every image's pattern on the grid, int64 (N, 2), as they will be published; None if it covers the grid."""
        assignment, side, grid = self.config.assignment(self.ctx.seed), self.config.side, self.config.grid
        found = [assignment.corner(id, (side, side), (grid, grid)) for id in self.view.ids]
        return None if assignment.place == "tile" else torch.tensor(found)

    def active(self, state: dict[str, Any]) -> torch.Tensor:
        """Return the positions of the images whose noise this round moves, int64."""
        return state["active"].cpu() if self.config.settled_below and "active" in state else self.searched

    def noise_batches(self, state: dict[str, Any]) -> int:
        """Return the number of batches in one pass of this round over the images whose noise moves."""
        return -(-len(self.active(state)) // self.batch)

    def order(self, name: str, positions: torch.Tensor, *pass_: int) -> torch.Tensor:
        """Return some positions in the order of one pass over them. Drawn once a pass, not once a batch: there may be millions."""
        if name not in self._orders or self._orders[name][0] != pass_:
            self._orders[name] = (
                pass_,
                positions[torch.randperm(len(positions), generator=self.ctx.rng(name, *pass_))],
            )
        return self._orders[name][1]

    def model(self, state: dict[str, Any]) -> Surrogate:
        """Return the surrogate that lives in a state."""
        return self.ctx.surrogate(state, self.config.surrogate, len(self.classes), self.config.recipe())

    def frozen(self, state: dict[str, Any]) -> nn.Module:
        """Return the surrogate of a round for everything but its training: it is trained first, and then stays as it is."""
        if self._frozen is None or self._frozen[0] is not state or self._frozen[1] != state["round"]:
            self._frozen = (state, state["round"], freeze(self.model(state).model, self.ctx.compute))
        return self._frozen[2]

    def batch_of(self, index: torch.Tensor) -> Batch:
        """Return the images of some positions."""
        send = self.ctx.compute.send
        grey = None if self.grey is None else send(self.grey[index])
        spots = None if self.corners is None else self._spots(send(self.corners[index]))
        return Batch(self.images[index], send(self.rows[index]), send(self.labels[index]), grey, spots)

    def _spots(self, corners: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        # products with 0 and 1, and not scattered sums: exact, and on a GPU the same every time
        where = corners.T[:, :, None] + torch.arange(self.config.side, device=corners.device)
        onto = torch.arange(self.config.grid, device=corners.device).view(-1, 1) == where[:, :, None, None]
        down, across = onto.to(self.ctx.compute.dtype)
        return down, across

    def show(self, batch: Batch, d: torch.Tensor, draw: Draw | None) -> torch.Tensor:
        """Return what the network is shown of a batch with noise ``d``, (B, 3, h, w) in levels: every pattern at its image's place."""
        if batch.spots is not None:
            d = batch.spots[0] @ d @ batch.spots[1].mT
        return self.trainer_view(batch.x, d, batch.grey, draw)

    def under(self, batch: Batch, d: torch.Tensor) -> torch.Tensor | None:
        """Return the pixels that a batch's noise ``d`` is added to, of its shape; None if it does not lie on them one to one."""
        if not self.trainer_view.plain:
            return None
        if batch.spots is not None:
            return batch.spots[0].mT @ batch.x.to(d.dtype) @ batch.spots[1]
        return batch.x if d.shape == batch.x.shape else None

    def noise_of(self, rows: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Return a copy for every image of its row of noise, in levels; zero for context, whose row is -1."""
        d = self.ctx.compute.send(noise[rows.clamp(min=0).to(noise.device)]).to(self.ctx.compute.dtype)
        return d if len(self.own) == self.count else d * (rows >= 0).view(-1, 1, 1, 1)
