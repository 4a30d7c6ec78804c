"""The transformations a trainer applies to a published image, as one differentiable function.

Every training step, noise step and measurement of a search uses it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from unlearnable.lifting import LARGE, Grey, Interpolation, grey_factor, grid_to_view, resample
from unlearnable.training.compute import Compute
from unlearnable.training.stand_ins import StandIn, StandIns
from unlearnable.training.transforms import Draw, Transform


class TrainerView:
    """The path from pixels and noise to network input: ``trainer_view(x, d, grey, draw)``.

    It is t(clip(x + K d)), differentiable in d. K lifts the grid to the photos' own size and resizes the
    result to the view, so the search includes how both weaken the noise; it is the identity where the three
    sizes agree, as in the paper. t is a sampled transformation. Where photos are smaller than the grid, K d
    is scaled by the factor of ``lifting.gain``, which the gradient takes as constant.

    Args:
        size: Side in pixels of the network's input.
        side: Side of the view in pixels (``size * zoom``).
        grid: Side of the grid on which noise lives.
        frame: Usual (height, width) of the photos.
        transform: The trainer's transformations of a batch.
        interpolation: How the grid is lifted.
        compute: Device and precision.
        countermeasures: Stand-ins for what happens to images between publishing and training. Each image goes
            through one of them, all equally likely.
        epsilon: Largest change of a published pixel, in levels.
        grey: Rule for grey photos: ``mean``, the mean over the channels, or ``full``, the mean scaled by
            ``lifting.grey_factor``, which the gradient takes as constant.

    Attributes:
        switched_on: Whether ``draw`` draws countermeasures, as it does unless a search begins without them.
    """

    def __init__(
        self,
        size: int,
        side: int,
        grid: int,
        frame: tuple[int, int],
        transform: Transform,
        interpolation: Interpolation,
        compute: Compute,
        countermeasures: Sequence[StandIn] = (),
        epsilon: float = math.inf,
        grey: Grey = "mean",
    ) -> None:
        self._epsilon, self._grey = epsilon, grey
        self.size, self.grid, self.transform, self.compute = size, grid, transform, compute
        self.countermeasures, self.switched_on = StandIns(tuple(countermeasures), compute), True
        down, across = (torch.tensor(grid_to_view(side, length, grid, interpolation)) for length in frame)
        self.plain = side == grid == size and bool(
            (down == torch.eye(side, grid)).all() and (across == torch.eye(side, grid)).all()
        )
        self._down = down.to(compute.device, compute.dtype)
        self._across = across.to(compute.device, compute.dtype).T.contiguous()
        self._small = (
            None if min(frame) >= grid else _Small(side, grid, frame, interpolation, compute, epsilon)
        )

    @property
    def varies(self) -> bool:
        """Whether two draws may differ."""
        return self.transform.name != "none" or (self.switched_on and bool(self.countermeasures))

    def draw(self, count: int, rng: torch.Generator, transform: Transform | None = None) -> Draw | None:
        """Draw a transformation, and a countermeasure if there are any, for each of ``count`` images.

        Args:
            count: Number of images.
            rng: Generator on the CPU. The draws are sent to the device.
            transform: Transformations other than the trainer's.

        Returns:
            None if nothing changes images.
        """
        draw = (transform or self.transform).draw(count, rng, self.compute)
        if not self.countermeasures or not self.switched_on:
            return draw
        return replace(draw or Draw(), countermeasures=self.countermeasures.draw(count, rng))

    def seen(self, d: torch.Tensor, grey: torch.Tensor | None) -> torch.Tensor:
        """Return the noise in the view, K d, in levels: float (N, C, side, side).

        Args:
            d: float (N, C, h, w) in levels; a pattern smaller than the grid is repeated to cover it.
            grey: bool (N,): photos whose noise is equal in every channel; None if there are none.
        """
        if grey is not None:
            d = torch.where(grey.view(-1, 1, 1, 1), self._of_grey(d), d)
        height, width = d.shape[-2:]
        if height < self.grid or width < self.grid:
            d = d.repeat(1, 1, -(-self.grid // height), -(-self.grid // width))[..., : self.grid, : self.grid]
        if self._small is not None:
            return self._small(d)
        return d if self.plain else self._down @ d @ self._across

    def _of_grey(self, d: torch.Tensor) -> torch.Tensor:
        mean = d.mean(1, keepdim=True)
        if self._grey == "mean":
            return mean
        with torch.no_grad():
            factor: torch.Tensor = grey_factor(d, self._epsilon)
        scaled = factor * mean
        # as at the ends of the range, pixels at the budget still get a gradient
        return scaled + (scaled.clamp(-self._epsilon, self._epsilon) - scaled).detach()

    def __call__(
        self, x: torch.Tensor, d: torch.Tensor, grey: torch.Tensor | None, draw: Draw | None
    ) -> torch.Tensor:
        """Return the network input, float (N, 3, size, size) in [0, 1].

        Args:
            x: uint8 (N, 3, side, side).
            d: Noise in levels.
            grey: bool (N,), or None.
            draw: The result of ``draw``; None for the whole frame, resized, on which errors are measured.
        """
        x = _Published.apply(x, self.seen(d, grey))  # type: ignore[no-untyped-call]
        # files are changed before a trainer crops and flips what they contain
        if draw is not None and draw.countermeasures is not None:
            x = self.countermeasures(x, draw.countermeasures)
        return self.transform(x, self.size, draw).contiguous(memory_format=torch.channels_last)


class _Small:
    """The noise of photos smaller than the grid: lifted, scaled, inside the budget, resized to the view."""

    def __init__(
        self,
        side: int,
        grid: int,
        frame: tuple[int, int],
        interpolation: Interpolation,
        compute: Compute,
        epsilon: float,
    ) -> None:
        def matrix(target: int, source: int, how: Interpolation) -> torch.Tensor:
            return torch.tensor(resample(target, source, how)).to(compute.device, compute.dtype)

        self._lift = [matrix(length, grid, interpolation) for length in frame]
        self._view = [matrix(side, length, "bilinear") for length in frame]
        self._large = matrix(LARGE * grid, grid, interpolation)
        self._epsilon = epsilon

    def __call__(self, d: torch.Tensor) -> torch.Tensor:
        lifted = self._lift[0] @ d @ self._lift[1].T
        with torch.no_grad():
            usual = (self._large @ d @ self._large.T).abs().mean((1, 2, 3), keepdim=True)
            mean = lifted.abs().mean((1, 2, 3), keepdim=True)
            gain = torch.where(mean > 0, usual / mean, 1.0).clamp_min(1.0)
        bounded = (gain * lifted).clamp(-self._epsilon, self._epsilon)
        return self._view[0] @ bounded @ self._view[1].T


class _Published(torch.autograd.Function):
    """clip(x + d, 0, 255) / 255.

    The gradient is taken at the clipped image, as in the paper, so that saturated pixels still get one.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, d: torch.Tensor) -> torch.Tensor:
        return x.to(d.dtype, copy=True).add_(d).clamp_(0, 255).div_(255)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[None, torch.Tensor]:
        return None, gradients[0] / 255
