"""What does not change during a search with a surrogate."""

from __future__ import annotations

from typing import Any

import torch

from unlearnable.data.view import View
from unlearnable.methods.context import Context, Surrogate
from unlearnable.methods.settings import ErrorMinimizingConfig
from unlearnable.training.look import Look
from unlearnable.training.transforms import Transform


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
        config: ErrorMinimizingConfig,
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
        self.train_batches = config.train_batches or max(1, round(config.train_epochs * self.per_epoch))
        self.own = torch.from_numpy(view.own).nonzero()[:, 0]
        self.searched = self._searched(config.share if config.form == "classwise" else 1.0)
        self.noise_batches = config.passes * -(-len(self.searched) // self.batch)
        self.pixels = ctx.hold(view.pixels)
        index = {name: label for label, name in enumerate(self.classes)}
        self.labels = torch.tensor([index[view.classes[label]] for label in view.labels])
        self.grey = torch.from_numpy(view.grey)
        side = view.pixels.shape[-1]
        transform = Transform(config.transforms, (config.crop_min, 1.0))
        self.look = Look(int(config.resolution), side, config.grid, view.frame, transform, config.interpolation, ctx.compute, config.jpeg)

    def _searched(self, share: float) -> torch.Tensor:
        if share >= 1:
            return self.own
        chosen = []
        for label in range(len(self.view.classes)):
            mine = self.own[torch.from_numpy(self.view.labels)[self.own] == label]
            keep = max(1, round(share * len(mine)))
            chosen.append(mine[torch.randperm(len(mine), generator=self.ctx.rng("share", self.view.classes[label]))[:keep]])
        return torch.cat(chosen).sort().values

    def model(self, state: dict[str, Any]) -> Surrogate:
        """Return the surrogate that lives in a state."""
        return self.ctx.surrogate(state, self.config.surrogate, len(self.classes), self.config.recipe())

    def batch_of(self, index: torch.Tensor, noise: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return x in [0, 1], each image's own copy of its noise in levels (zero for context), labels, grey."""
        device, dtype = self.ctx.compute.device, self.ctx.compute.dtype
        rows = self.rows[index].to(device)
        x = self.pixels[index.to(device)].to(dtype) / 255
        d = noise[rows.clamp(min=0)] * (rows >= 0).view(-1, 1, 1, 1)
        return x, d, self.labels[index].to(device), self.grey[index].to(device)
