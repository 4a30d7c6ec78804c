"""AR: noise whose pixels follow from their neighbours by a linear rule of their class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch

from unlearnable.lifting import Interpolation
from unlearnable.methods.computed import Numbered
from unlearnable.methods.config import NoiseConfig
from unlearnable.methods.context import Context
from unlearnable.methods.registry import register
from unlearnable.methods.typed_settings import takes
from unlearnable.noise import Form

# side of the window: a pixel follows from the 8 others above and to the left of it
WINDOW = 3
# rows and columns at the start, where the noise still looks like the draws it starts from, cut off
MARGIN = 4
# largest ratio between the strengths of the first and of the last quarter of a stable process
STABLE = 3.0
# smallest difference between neighbours over the strength of the noise; white noise has 1.4
ROUGH = 0.9
SHORTEST = 16  # a process is judged over at least this side
DRAWN = 512  # windows that are drawn at a time; about one of thirty qualifies
FEWEST = 8  # candidates for a class
# largest part of its noise that a process may leave unexplained, after clipping and rounding
EXPLAINED = 0.5
# root mean square of the noise over epsilon: the paper's L2 norm of 1 on CIFAR-10, 4.6/255, at epsilon 8/255
STRENGTH = 0.575


class AutoregressiveConfig(NoiseConfig):
    """Settings of autoregressive."""

    interpolation: Interpolation = "nearest"


@register
class Autoregressive(Numbered[AutoregressiveConfig]):
    """Autoregressive noise: AR (Sandoval-Segura et al., NeurIPS 2022, arXiv:2206.03693).

    Section 3: a class has a process for each channel, a window of 3x3 whose last value is the sum of the
    8 others times coefficients that add up to one. The noise of an image starts from its own Gaussian draws
    in two rows and two columns, the process fills the rest, and the start is cut off. A convolution with the
    coefficients of the class maps such noise to zero.

    Departures: the paper searches once for processes that leave much of each other's noise unexplained; here
    the seed draws candidates whose noise neither dies out nor explodes over the grid and is rough, and each
    class takes those that are furthest apart from the processes of earlier classes. The budget is L-infinity,
    so the noise is scaled to the paper's mean square and values beyond epsilon are clipped; published values
    are whole levels. Clipping and rounding leave a rest that the process does not explain. The process runs
    over the grid, on photos too.
    """

    name: ClassVar[str] = "autoregressive"
    Config: ClassVar[type[NoiseConfig]] = AutoregressiveConfig
    usual: ClassVar[Form] = "samplewise"

    @takes(AutoregressiveConfig)
    def __init__(self, **settings: Any) -> None: ...

    def listed(self, count: int, ctx: Context) -> Sequence[torch.Tensor]:
        """Return windows (3, 3, 3), one a channel: coefficients, and 0 at the value they give."""
        windows = torch.empty(count, 3, WINDOW, WINDOW)
        noises: list[torch.Tensor] = []
        for number in range(count):
            drawn, noise = _candidates(self.config.side, ctx.rng("process", number))
            picked: list[int] = []
            for channel in range(3):
                apart = torch.ones(len(drawn))
                if number:
                    rivals, theirs = windows[:number, channel], torch.stack([one[channel] for one in noises])
                    apart = torch.minimum(_rest(drawn, theirs).amin(1), _rest(rivals, noise).amin(0))
                # each of the three channels has a process of its own
                apart[picked] = -1
                picked.append(int(apart.argmax()))
            windows[number] = drawn[picked]
            noises.append(noise[picked])
        return list(windows)

    def matching(self, row: torch.Tensor, motifs: Sequence[torch.Tensor]) -> int | None:
        """Return the number of the process that leaves the least of a row unexplained."""
        rests = [
            sum(float(_rest(motif[c : c + 1], row[c : c + 1])) for c in range(3)) / 3 for motif in motifs
        ]
        return rests.index(min(rests)) if min(rests) < EXPLAINED else None

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


def _candidates(side: int, rng: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Return windows (n, 3, 3) whose noise is rough and about equally strong all over, and that noise."""
    side = max(side, SHORTEST)
    half = side // 2
    found: list[torch.Tensor] = []
    noises: list[torch.Tensor] = []
    while sum(map(len, found)) < FEWEST:
        windows = torch.randn(DRAWN, WINDOW, WINDOW, generator=rng)
        windows[:, -1, -1] = 0
        windows /= windows.sum((1, 2), keepdim=True)
        start = torch.randn(1, 1, side + MARGIN, side + MARGIN, generator=rng).expand(1, DRAWN, -1, -1)
        noise = _filled(start, windows)[0, :, MARGIN:, MARGIN:]
        ratio = noise[:, half:, half:].std((1, 2)) / noise[:, :half, :half].std((1, 2))
        steps = [noise.diff(dim=axis).square().mean((1, 2)).sqrt() for axis in (1, 2)]
        roughness = torch.minimum(*steps) / noise.square().mean((1, 2)).sqrt()
        # one that has exploded to no number at all is neither
        good = (ratio < STABLE) & (ratio > 1 / STABLE) & (roughness > ROUGH)
        found.append(windows[good])
        noises.append(noise[good])
    return torch.cat(found), torch.cat(noises)


def _rest(windows: torch.Tensor, noises: torch.Tensor) -> torch.Tensor:
    """Return the part of each noise (m, h, w) that each window (n, 3, 3) leaves unexplained, (n, m).

    It is a root mean square over that of the noise: 0 for noise of the window's own process.
    """
    filters = -windows
    filters[:, -1, -1] = 1
    rest = torch.nn.functional.conv2d(noises.unsqueeze(1), filters.unsqueeze(1))
    sizes = noises.square().mean((1, 2)).sqrt()
    return rest.square().mean((2, 3)).sqrt().T / sizes
