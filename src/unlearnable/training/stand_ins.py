"""Differentiable stand-ins for countermeasures, one drawn for each image of a batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from unlearnable.training.compute import Compute
from unlearnable.training.randomness import generator

# images, float (N, 3, S, S) in [0, 1] on the device, a generator on the CPU -> images after a countermeasure
StandIn = Callable[[torch.Tensor, torch.Generator, Compute], torch.Tensor]


@dataclass(frozen=True)
class Choice:
    """One stand-in for every image of a batch.

    Args:
        counts: Images that go through each stand-in; known on the host, so that nothing waits.
        order: int64 (N,) on the device, the images sorted by stand-in.
        back: int64 (N,) on the device, the inverse of ``order``.
        seed: Seed of the draws inside the stand-ins.
    """

    counts: tuple[int, ...]
    order: torch.Tensor
    back: torch.Tensor
    seed: int


@dataclass(frozen=True)
class StandIns:
    """Stand-ins of which each image goes through one, all equally likely. Without any, it is false.

    Args:
        members: The stand-ins.
        compute: Device and precision.
    """

    members: tuple[StandIn, ...]
    compute: Compute

    def __bool__(self) -> bool:
        return bool(self.members)

    def draw(self, count: int, rng: torch.Generator) -> Choice:
        """Draw a stand-in for each of ``count`` images."""
        chosen = torch.randint(len(self.members), (count,), generator=rng)
        order = chosen.argsort(stable=True)
        counts = tuple(torch.bincount(chosen, minlength=len(self.members)).tolist())
        seed = int(torch.randint(2**62, (), generator=rng))
        send = self.compute.send
        return Choice(counts, send(order), send(order.argsort()), seed)

    def __call__(self, x: torch.Tensor, choice: Choice) -> torch.Tensor:
        """Return float (N, 3, S, S) images, each after its own stand-in; no other one is computed.

        The same choice gives the same images.
        """
        parts = torch.split(x[choice.order], list(choice.counts))
        changed = [
            member(part, generator(choice.seed, number), self.compute)
            for number, (member, part) in enumerate(zip(self.members, parts, strict=True))
            if len(part)
        ]
        return torch.cat(changed)[choice.back]
