"""UEraser: the hardest of several strong augmentations.

Source: Qin et al., "Learning the unlearnable: Adversarial augmentations suppress unlearnable example
attacks", 2023, arXiv:2303.15127. Plasma: Nicolaou et al., "TorMentor: Deterministic dynamic-path, data
augmentations with fractals", CVPR Workshops 2022, arXiv:2204.03776.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import nn

from unlearnable.countermeasures.base import Countermeasure, setting
from unlearnable.countermeasures.registry import register
from unlearnable.countermeasures.trivialaugment import TrivialAugment
from unlearnable.training.compute import Compute
from unlearnable.training.frozen import freeze

# the authors' code: probability of each of the first three operations, and ranges of plasma
PROBABILITY, ROUGHNESS, INTENSITY = 0.5, (0.3, 0.7), (0.5, 1.0)


@register
@dataclass(frozen=True)
class UEraser(Countermeasure):
    """Augments each image several times, and trains on the copy with the largest loss (Qin et al. 2023).

    A copy goes through plasma brightness, plasma contrast and a channel shuffle, each with probability 0.5,
    and then through TrivialAugment. Departures from the authors' code: the losses that choose a copy are
    those of the model in eval mode, so that running statistics stay unchanged. The hardest copy is chosen in
    every epoch; the authors' example does so in the first 60 of 200 epochs.

    Args:
        copies: Augmented copies of each image (the paper's K). With 1, nothing is chosen.
    """

    name: ClassVar[str] = "ueraser"
    copies: int = setting(5, 1, 100)

    def step(
        self, model: nn.Module, x: torch.Tensor, y: torch.Tensor, rng: torch.Generator, compute: Compute
    ) -> torch.Tensor:
        """Return the copy of each image on which the loss is largest."""
        copies = augmented(x.repeat(self.copies, 1, 1, 1), rng, compute)
        if self.copies == 1:
            return copies
        with torch.no_grad(), compute.autocast():
            logits = freeze(model, compute)(copies.contiguous(memory_format=torch.channels_last))
        losses = F.cross_entropy(logits.to(compute.dtype), y.repeat(self.copies, 1), reduction="none")
        hardest = losses.view(self.copies, -1).argmax(0)
        return copies.view(self.copies, *x.shape)[hardest, torch.arange(len(x), device=x.device)]


def augmented(x: torch.Tensor, rng: torch.Generator, compute: Compute) -> torch.Tensor:
    """Return images after plasma brightness, plasma contrast, channel shuffle and TrivialAugment.

    Args:
        x: float (B, 3, s, s) in [0, 1], on the device.
        rng: Generator for draws.
        compute: Device.
    """
    x, side = x.clone(), x.shape[-1]
    rows = _drawn(len(x), rng, compute)
    intensity = compute.send(_uniform(len(rows), INTENSITY, rng)).view(-1, 1, 1, 1)
    x[rows] = (x[rows] + intensity * (2 * plasma(len(rows), side, rng, compute) - 1)).clamp(0, 1)
    rows = _drawn(len(x), rng, compute)
    x[rows] = ((x[rows] - 0.5) * 4 * plasma(len(rows), side, rng, compute) + 0.5).clamp(0, 1)
    rows = _drawn(len(x), rng, compute)
    order = compute.send(torch.rand(len(rows), 3, generator=rng).argsort(1))
    x[rows] = x[rows].gather(1, order.view(-1, 3, 1, 1).expand(-1, -1, side, side))
    return TrivialAugment().batch(x, x, rng, compute)[0]


def plasma(count: int, side: int, rng: torch.Generator, compute: Compute) -> torch.Tensor:
    """Return fractal fields by the diamond-square algorithm, float (count, 1, side, side) in [0, 1].

    Corners are uniform. At level k = 1, 2, ... a new node is (1 - w) times the mean of its neighbours plus w
    times a uniform draw, with w = roughness^k. The nodes between the corners, level 0, are plain means.

    Args:
        count: Number of fields, each with a roughness of its own.
        side: Side in pixels.
        rng: Generator for draws.
        compute: Device.
    """
    roughness = compute.send(_uniform(count, ROUGHNESS, rng)).view(-1, 1, 1)
    field, level = compute.send(torch.rand(count, 2, 2, generator=rng)), 0
    while field.shape[-1] < side:
        weight = roughness**level if level else torch.zeros_like(roughness)
        length = 2 * field.shape[-1] - 1
        field = _finer(field, compute.send(torch.rand(count, length, length, generator=rng)), weight)
        level += 1
    return field[:, None, :side, :side]


def _finer(field: torch.Tensor, draws: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return fields with a node between every two, float (N, 2 n - 1, 2 n - 1)."""
    out = torch.empty_like(draws)
    out[:, ::2, ::2] = field
    # the diamond step: centres of four corners
    centres = (field[:, :-1, :-1] + field[:, :-1, 1:] + field[:, 1:, :-1] + field[:, 1:, 1:]) / 4
    centres = torch.lerp(centres, draws[:, 1::2, 1::2], weight)
    out[:, 1::2, 1::2] = centres
    # the square step: nodes between two corners and two centres; at the border, one centre
    share = torch.full((field.shape[1], 1), 1 / 4, device=field.device, dtype=field.dtype)
    share[0], share[-1] = 1 / 3, 1 / 3
    padded = F.pad(centres, (0, 0, 1, 1))
    across = (field[:, :, :-1] + field[:, :, 1:] + padded[:, :-1] + padded[:, 1:]) * share
    out[:, ::2, 1::2] = torch.lerp(across, draws[:, ::2, 1::2], weight)
    padded = F.pad(centres, (1, 1))
    down = (field[:, :-1] + field[:, 1:] + padded[:, :, :-1] + padded[:, :, 1:]) * share.T
    out[:, 1::2, ::2] = torch.lerp(down, draws[:, 1::2, ::2], weight)
    return out


def _drawn(count: int, rng: torch.Generator, compute: Compute) -> torch.Tensor:
    # drawn on the host, so that nothing waits for the device
    return compute.send((torch.rand(count, generator=rng) < PROBABILITY).nonzero()[:, 0])


def _uniform(count: int, limits: tuple[float, float], rng: torch.Generator) -> torch.Tensor:
    low, high = limits
    return low + (high - low) * torch.rand(count, generator=rng)
