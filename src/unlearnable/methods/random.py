"""Random noise: the control that every other method must beat."""

from __future__ import annotations

from typing import Any, ClassVar

import torch

from unlearnable.data.view import View
from unlearnable.methods.base import Method
from unlearnable.methods.config import Config
from unlearnable.methods.context import Context
from unlearnable.methods.fitted import Fitted
from unlearnable.methods.registry import register
from unlearnable.methods.steps import Progress, State
from unlearnable.methods.typed_settings import takes
from unlearnable.noise import Noise


class RandomConfig(Config):
    """Settings of random noise. Those of rounds do not change it; records of earlier versions have them."""


@register
class Random(Method[RandomConfig]):
    """Uniform noise in +-epsilon: the control (Huang et al., ICLR 2021, Section 4.1).

    It is drawn once per image, or once per pattern of a class. A draw belongs to its image's id or its
    class's name, so adding or removing images changes no other noise. Noise for images that come later is
    drawn the same way.
    """

    name: ClassVar[str] = "random"
    Config: ClassVar[type[Config]] = RandomConfig

    @takes(RandomConfig)
    def __init__(self, **settings: Any) -> None: ...

    def start(self, view: View, ctx: Context) -> State:
        """Draw all the noise: there is nothing to search for."""
        return {"noise": self._draw(self.keys(view), ctx)}

    def advance(self, state: State, view: View, ctx: Context) -> Progress:
        """End the only round."""
        return Progress(1, 1, round_ended=True)

    def finish(self, state: State) -> torch.Tensor:
        """Return the draws."""
        noise: torch.Tensor = state["noise"]
        return noise

    def extend(self, fitted: Fitted, view: View, ctx: Context) -> Noise:
        """Return noise for new images or classes, drawn with the seed of the run."""
        return self.to_noise(self._draw(self.keys(view), ctx), view, ctx.seed)

    def _draw(self, keys: tuple[str, ...], ctx: Context) -> torch.Tensor:
        limit, side = self.config.budget.epsilon, self.config.side
        drawn = torch.empty(len(keys), 3, side, side, dtype=torch.int8)
        for row, key in enumerate(keys):
            rng = ctx.rng("noise", key)
            drawn[row] = torch.randint(-limit, limit + 1, (3, side, side), generator=rng, dtype=torch.int8)
        return drawn
