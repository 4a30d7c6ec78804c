"""Random noise: the control that every other method has to beat."""

from __future__ import annotations

from typing import ClassVar

import torch

from unlearnable.data.view import View
from unlearnable.methods import base
from unlearnable.methods.config import Config
from unlearnable.methods.context import Context
from unlearnable.methods.fitted import Fitted
from unlearnable.methods.registry import register
from unlearnable.noise import Noise


class RandomConfig(Config):
    """Settings of random noise: those that every method has."""


@register
class Random(base.Method[RandomConfig]):
    """Uniform noise in +-epsilon, drawn once per image, or for each noise of a class: the control (Huang et al., ICLR 2021, Section 4.1).

    A draw belongs to its image's id or its class's name, so adding or removing images changes no other noise.
    Noise for images that come later is drawn the same way.
    """

    name: ClassVar[str] = "random"
    Config: ClassVar[type[Config]] = RandomConfig

    def start(self, view: View, ctx: Context) -> base.State:
        """Draw everything: there is nothing to search for."""
        return {"noise": self._draw(self.keys(view), ctx)}

    def advance(self, state: base.State, view: View, ctx: Context) -> base.Progress:
        """Say that the only round is over."""
        return base.Progress(1, 1, round_ended=True)

    def finish(self, state: base.State) -> torch.Tensor:
        """Return the draws."""
        noise: torch.Tensor = state["noise"]
        return noise

    def extend(self, fitted: Fitted, view: View, ctx: Context) -> Noise:
        """Draw for images or classes that were not there, with the seed of the run."""
        return self.to_noise(self._draw(self.keys(view), ctx), view, ctx.seed)

    def _draw(self, keys: tuple[str, ...], ctx: Context) -> torch.Tensor:
        epsilon, side = self.config.epsilon, self.config.side
        drawn = torch.empty(len(keys), 3, side, side, dtype=torch.int8)
        for row, key in enumerate(keys):
            drawn[row] = torch.randint(
                -epsilon, epsilon + 1, (3, side, side), generator=ctx.rng("noise", key), dtype=torch.int8
            )
        return drawn
