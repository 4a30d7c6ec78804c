"""The shape of the noise: the colours, signs and spatial frequencies it may have, and how visible it may be.

A search applies the constraints to the noise after every noise step, to the initial noise, and to the noise
of images that come later. The budget comes last, so no constraint can break it. All of them are functions of
the noise alone: a search that resumes needs no further state. With default settings nothing changes.

    linear    mean over the channels (``channels``), projection onto a band of wavelengths
    free      a second part of the noise, of ``free_levels``, that the two do not bind
    limits    mean shift and low frequencies of each channel
    tie       opposite signs of the two patterns of a class (``signs``)
"""

from __future__ import annotations

import math

import torch

from unlearnable.errors import UsageError
from unlearnable.methods.settings import SearchConfig
from unlearnable.methods.spectrum import Part, cosines, waves
from unlearnable.training.compute import Compute

CHUNK = 256  # patterns of the initial noise that are shaped at a time
ALTERNATIONS = 5  # of the limits and the clip to the budget: limits are then exceeded by a tenth at most


class Constraints:
    """The constraints of a search: ``constraints(d)`` is the noise after them and inside the budget.

    Luminance and paired signs hold exactly, also in published files. The band is an orthogonal projection,
    followed once by the clip to the budget, which puts a part of what it cuts off outside of the band again:
    0.3 to 2% of the energy in searches, and 10% for noise of the largest strength that a step can leave (a
    normal distribution clipped at its standard deviation). Limits and clip alternate, so that noise that
    fills the budget exceeds a limit by a tenth at most. Rounding to whole levels, after the search, moved
    means by up to 0.2 levels.

    Args:
        config: The settings, resolved.
        frame: Usual (height, width) of the photos: wavelengths are those in a photo of this size.
        compute: Device and precision.

    Raises:
        UsageError: If the grid has no frequency in the band.
    """

    def __init__(self, config: SearchConfig, frame: tuple[int, int], compute: Compute) -> None:
        self._config, self._budget = config, config.budget
        self._like = like = torch.empty(0, dtype=compute.dtype, device=compute.device)
        repeated = config.side < config.grid and config.offset == "tile"
        basis, cycles = (waves if repeated else cosines)(config.side)
        # a pattern smaller than the grid covers a share of the picture
        cycles = cycles * config.grid / config.side
        down, across = cycles[:, None], cycles[None, :]
        frequency = torch.hypot(down / frame[0], across / frame[1])
        low, high = config.max_wavelength, config.min_wavelength
        self._band = None
        if low or high:
            inside = (frequency >= (1 / low if low else 0.0)) & (
                frequency <= (1 / high if high else math.inf)
            )
            # a tint has no wavelength
            if not (inside & (frequency > 0)).any():
                raise UsageError(
                    f"No pattern on a grid of {config.grid} over {frame[1]} x {frame[0]} pixels has a "
                    f"wavelength from {high:g} to {low or math.inf:g} pixels.",
                    "Widen min_wavelength and max_wavelength.",
                )
            self._band = Part(inside, basis, basis, like)
        self._low = None
        if config.low_limit != "free":
            self._low = Part(torch.hypot(down, across) <= config.low_cycles, basis, basis, like)
        self._paired = config.signs == "paired"
        self._linear = config.channels == "luminance" or self._band is not None
        self._limits = (config.mean_shift, config.low_limit) != ("free", "free")
        self.active = self._linear or self._paired or self._limits

    def __call__(self, d: torch.Tensor) -> torch.Tensor:
        """Return noise (B, 3, h, w), in levels, under the constraints of a single pattern, in the budget."""
        shaped = self._limited(self._parts(d)) if self.active else d
        inside: torch.Tensor = self._budget.project(shaped)
        return inside if inside.shape == d.shape else inside.expand(d.shape).contiguous()

    def whole(self, bank: torch.Tensor) -> torch.Tensor:
        """Return a bank (rows, 3, h, w) under all constraints; itself if there are none.

        Args:
            bank: Class-wise with ``signs = "paired"``, the two patterns of a class follow each other.
        """
        return self.tied(self(bank)) if self.active else bank

    def started(self, bank: torch.Tensor) -> torch.Tensor:
        """Return initial noise on the host under all constraints, in its type."""
        if not self.active:
            return bank
        parts = torch.split(bank, CHUNK)
        return torch.cat([self.whole(part.to(self._like)).to(bank) for part in parts])

    def direction(self, gradient: torch.Tensor) -> torch.Tensor:
        """Return the gradient of a noise step in the directions that noise may take."""
        return self._projected(gradient) if self._linear and not self._config.free_levels else gradient

    def tied(self, bank: torch.Tensor) -> torch.Tensor:
        """Return a bank whose second pattern of every class is the negative of the first, if so set."""
        if not self._paired:
            return bank
        first = (bank[0::2] - bank[1::2]) / 2
        return torch.stack([first, -first], 1).flatten(0, 1)

    def _projected(self, d: torch.Tensor) -> torch.Tensor:
        # one channel until the end, so that three channels of luminance are equal bit by bit
        if self._config.channels == "luminance":
            d = d.mean(1, keepdim=True)
        return d if self._band is None else self._band(d)

    def _parts(self, d: torch.Tensor) -> torch.Tensor:
        """The noise nearest to ``d`` as one constrained part, or as a constrained and a free one."""
        part, free = self._projected(d), self._config.free_levels
        if not self._linear or not free:
            return part
        rest = self._budget.epsilon - free
        part = part.clip(-rest, rest)
        return part + (d - part).clip(-free, free)

    def _limited(self, d: torch.Tensor) -> torch.Tensor:
        """The noise with means and low frequencies within their limits, in the budget."""
        if not self._limits:
            return d
        # the clip to the budget brings some of them back, each time a fraction of the time before
        for _ in range(ALTERNATIONS):
            d = self._budget.project(self._lowered(self._centred(d)))
        return d

    def _centred(self, d: torch.Tensor) -> torch.Tensor:
        limit = self._config.mean_shift
        if limit == "free":
            return d
        mean = d.mean((-2, -1), keepdim=True)
        return d - (mean - mean.clip(-limit, limit))

    def _lowered(self, d: torch.Tensor) -> torch.Tensor:
        limit = self._config.low_limit
        if self._low is None or limit == "free":
            return d
        low = self._low(d)
        size = low.square().mean((-2, -1), keepdim=True).sqrt()
        return d - low * (1 - limit / size.clamp(min=max(limit, 1e-9)))
