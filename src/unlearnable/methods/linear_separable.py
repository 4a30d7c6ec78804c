"""LSP: linearly separable noise, in random patches of a class's own colours."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from pydantic import Field

from unlearnable.lifting import Interpolation
from unlearnable.methods.computed import Computed
from unlearnable.methods.config import NoiseConfig
from unlearnable.methods.context import Context
from unlearnable.methods.registry import register
from unlearnable.methods.typed_settings import takes
from unlearnable.noise import Form, Noise

# root mean square of the noise over epsilon: the paper's 6/255 at epsilon 8/255
STRENGTH = 0.75


class LinearSeparableConfig(NoiseConfig):
    """Settings of linear_separable.

    Attributes:
        grid: Patches along each side of the frame; 4 gives patches of 8 px on images of 32 px (the paper).
        spread: Standard deviation of the values of a class around its corner, which are -1 and 1. Every image
            has its own values, sample-wise.
    """

    grid: int = Field(default=4, ge=1)
    spread: float = Field(default=0.4, ge=0)
    interpolation: Interpolation = "nearest"


@register
class LinearSeparable(Computed[LinearSeparableConfig]):
    """Random patches that a linear classifier tells apart: LSP (Yu et al., KDD 2022, arXiv:2111.00898).

    Section 4, Algorithm 1: every class has a corner of a hypercube of (patches, channels), every image a
    Gaussian point near the corner of its class. Each coordinate is duplicated to a patch, and the noise of
    an image is scaled to a root mean square of 6/255.

    Departures: corner and point are drawn by class name and id instead of by position; points have the same
    deviation in all directions, where the paper's have random covariances of about this size; values beyond
    epsilon are clipped, and the scale follows epsilon.
    """

    name: ClassVar[str] = "linear_separable"
    Config: ClassVar[type[NoiseConfig]] = LinearSeparableConfig
    usual: ClassVar[Form] = "samplewise"

    @takes(LinearSeparableConfig)
    def __init__(self, **settings: Any) -> None: ...

    def motifs(
        self, names: tuple[str, ...], ctx: Context, earlier: Noise | None = None
    ) -> dict[str, torch.Tensor]:
        """Return the corner of every class: -1 or 1 in (3, grid, grid)."""
        shape = 3, self.config.side, self.config.side
        return {name: 2.0 * torch.randint(2, shape, generator=ctx.rng("corner", name)) - 1 for name in names}

    def patterns(self, motif: torch.Tensor, keys: tuple[str, ...], ctx: Context) -> torch.Tensor:
        """Return a point near the corner for each key, in levels, (keys, 3, grid, grid)."""
        spread = self.config.spread
        points = torch.stack(
            [motif + spread * torch.randn(motif.shape, generator=ctx.rng("point", key)) for key in keys]
        )
        size = points.square().mean((1, 2, 3), keepdim=True).sqrt()
        return STRENGTH * self.config.epsilon * points / size
