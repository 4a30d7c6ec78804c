"""AR: noise whose pixels follow from their neighbours by a linear rule of their class."""

from __future__ import annotations

from typing import Any, ClassVar

import torch

from unlearnable.lifting import Interpolation
from unlearnable.methods.base import takes
from unlearnable.methods.computed import Computed
from unlearnable.methods.config import Config
from unlearnable.methods.context import Context
from unlearnable.methods.registry import register
from unlearnable.noise import Form, Noise

# side of the window: a pixel follows from the 8 others above and to the left of it
WINDOW = 3
# rows and columns at the start, where the noise still looks like the draws it starts from, cut off
MARGIN = 4
# largest ratio between the strengths of the first and of the last quarter of a stable process
STABLE = 3.0
SHORTEST = 16  # a process is judged over at least this side
# root mean square of the noise over epsilon: the paper's L2 norm of 1 on CIFAR-10, 4.6/255, at epsilon 8/255
STRENGTH = 0.575


class AutoregressiveConfig(Config):
    """Settings of autoregressive."""

    interpolation: Interpolation = "nearest"


@register
class Autoregressive(Computed[AutoregressiveConfig]):
    """Autoregressive noise: AR (Sandoval-Segura et al., NeurIPS 2022, arXiv:2206.03693).

    Section 3: a class has a process for each channel, a window of 3x3 whose last value is the sum of the
    8 others times coefficients that add up to one. The noise of an image starts from its own Gaussian draws
    in two rows and two columns, the process fills the rest, and the start is cut off. A convolution with the
    coefficients of the class maps such noise to zero.

    Departures: coefficients are drawn by class name until the process neither dies out nor explodes over the
    grid, instead of being searched for once; the budget is L-infinity, so the noise is scaled to the paper's
    mean square and values beyond epsilon are clipped; published values are whole levels. Clipping and
    rounding leave a rest that the process does not explain. The process runs over the grid, on photos too.
    """

    name: ClassVar[str] = "autoregressive"
    Config: ClassVar[type[Config]] = AutoregressiveConfig
    usual: ClassVar[Form] = "samplewise"

    @takes(AutoregressiveConfig)
    def __init__(self, **settings: Any) -> None: ...

    def motifs(
        self, names: tuple[str, ...], ctx: Context, earlier: Noise | None = None
    ) -> dict[str, torch.Tensor]:
        """Return the windows of every class, (3, 3, 3): coefficients, and 0 at the value they give."""
        return {name: _stable(self.config.side, ctx.rng("process", name)) for name in names}

    def patterns(self, motif: torch.Tensor, keys: tuple[str, ...], ctx: Context) -> torch.Tensor:
        """Return the process of a class from the draws of each key, in levels, (keys, 3, side, side)."""
        side = self.config.side + MARGIN
        start = torch.stack([torch.randn(3, side, side, generator=ctx.rng("start", key)) for key in keys])
        noise = _filled(start, motif)[..., MARGIN:, MARGIN:]
        size = noise.square().mean((1, 2, 3), keepdim=True).sqrt()
        return STRENGTH * self.config.epsilon * noise / size


def _filled(start: torch.Tensor, windows: torch.Tensor) -> torch.Tensor:
    """Return draws whose first two rows and columns are left, with the rest filled by the process.

    Args:
        start: float (N, C, side, side).
        windows: float (C, 3, 3).
    """
    # the place of a pixel comes first, so that each step reads and writes whole blocks of memory
    filled = start.permute(2, 3, 0, 1).contiguous()
    weights = windows.permute(1, 2, 0).unsqueeze(2)
    side = len(filled)
    for row in range(WINDOW - 1, side):
        for column in range(WINDOW - 1, side):
            above = filled[row - WINDOW + 1 : row + 1, column - WINDOW + 1 : column + 1]
            filled[row, column] = (weights * above).sum((0, 1))
    return filled.permute(2, 3, 0, 1)


def _stable(side: int, rng: torch.Generator) -> torch.Tensor:
    """Return random windows, one for each channel, whose processes stay about equally strong over a side."""
    found: list[torch.Tensor] = []
    side = max(side, SHORTEST)
    half = side // 2
    while len(found) < 3:
        # about one of five is stable
        windows = torch.randn(16, WINDOW, WINDOW, generator=rng)
        windows[:, -1, -1] = 0
        windows /= windows.sum((1, 2), keepdim=True)
        start = torch.randn(1, 1, side + MARGIN, side + MARGIN, generator=rng).expand(1, 16, -1, -1)
        noise = _filled(start, windows)[0, :, MARGIN:, MARGIN:]
        first, last = noise[:, :half, :half].std((1, 2)), noise[:, half:, half:].std((1, 2))
        ratio = last / first
        found += list(windows[(ratio < STABLE) & (ratio > 1 / STABLE)])
    return torch.stack(found[:3])
