"""Several countermeasures, one after the other."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from unlearnable.countermeasures.base import Countermeasure
from unlearnable.errors import UsageError
from unlearnable.training.compute import Compute


@dataclass(frozen=True)
class Chain:
    """Countermeasures in the order in which they are applied; none of them is the identity. ``fit_model`` takes it.

    Raises:
        UsageError: If two of them have a ``step``: each would look for the input of the one step that is
            taken.
    """

    members: tuple[Countermeasure, ...] = ()

    def __post_init__(self) -> None:
        steps = [member.name for member in self.members if type(member).step is not Countermeasure.step]
        if len(steps) > 1:
            raise UsageError(f"{' and '.join(steps)} each change the step of training.", "Use one of them.")

    @property
    def spec(self) -> str:
        """The text that makes this chain, with every setting: ``jpeg:10+cutout:16``, or ``none``."""
        return "+".join(member.spec for member in self.members) or "none"

    @property
    def revisions(self) -> dict[str, int]:
        """The revision of each countermeasure by name."""
        return {member.name: member.revision for member in self.members}

    @property
    def test_time(self) -> bool:
        """Whether one of them prepares test images."""
        return any(member.test_time for member in self.members)

    def prepare(
        self, pixels: torch.Tensor, labels: torch.Tensor | None, rng: torch.Generator
    ) -> torch.Tensor:
        """Return images as they are trained on, or (``labels`` is None) tested on: see ``Countermeasure.prepare``."""
        for member in self.members:
            if labels is not None or member.test_time:
                pixels = member.prepare(pixels, labels, rng)
        return pixels

    def batch(
        self, x: torch.Tensor, y: torch.Tensor, rng: torch.Generator, compute: Compute
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a batch as it is trained on: see ``Countermeasure.batch``."""
        for member in self.members:
            x, y = member.batch(x, y, rng, compute)
        return x, y

    def step(
        self, model: nn.Module, x: torch.Tensor, y: torch.Tensor, rng: torch.Generator, compute: Compute
    ) -> torch.Tensor:
        """Return the input on which the step is taken: see ``Countermeasure.step``."""
        for member in self.members:
            x = member.step(model, x, y, rng, compute)
        return x
