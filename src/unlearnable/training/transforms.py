"""A trainer's random transformations of a batch, as differentiable tensor code.

Every geometric transformation here (crop, random resized crop, flip) is one affine sampling grid, so an image
and its noise go through a single bilinear sampling, and its gradient is the expectation-over-transformation
gradient (Athalye et al., ICML 2018). Drawing is separate from arithmetic: draws are made on the CPU and sent
to the device before a loop, so that nothing in the loop waits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F

from unlearnable.errors import UsageError
from unlearnable.training.compute import Compute
from unlearnable.training.stand_ins import Choice

Name = Literal["none", "flip-crop", "photo", "aligned"]
# ``aligned``: largest change of scale, and largest shift in shares of the frame. Landmarks of a detector that
# sees the photo with noise move by about one pixel of 112.
SCALED, SHIFTED, TURNED = 0.04, 0.03, 3.0


@dataclass(frozen=True)
class Draw:
    """One sampled transformation for every image of a batch, on the device.

    Args:
        maps: float (N, 2, 3), affine maps from pixels of the result to positions in the frame; None for the
            whole frame, resized.
        colours: float (3, N, 1, 1, 1), factors of brightness, contrast and saturation; None for colours as
            they are.
        hues: float (N, 1, 1, 1), turns of the hue in [-0.5, 0.5]; None for hues as they are.
        countermeasures: The countermeasure that changes each image before all this; None for none.
    """

    maps: torch.Tensor | None = None
    colours: torch.Tensor | None = None
    hues: torch.Tensor | None = None
    countermeasures: Choice | None = None

    def of(self, members: torch.Tensor) -> Draw:
        """Return the transformations of some of the images, int64 (n,) on the device."""
        if self.countermeasures is not None:
            # countermeasures may draw for all images that go through them
            raise NotImplementedError("Countermeasures of a part of a batch.")

        def some(values: torch.Tensor | None, dimension: int = 0) -> torch.Tensor | None:
            return None if values is None else values.index_select(dimension, members)

        return Draw(some(self.maps), some(self.colours, 1), some(self.hues))


@dataclass(frozen=True)
class Transform:
    """A family of random transformations.

    Args:
        name: ``none`` (the identity: the paper's search), ``flip-crop`` (shift by up to an eighth and flip:
            the usual recipe for CIFAR), ``photo`` (random resized crop and flip: the usual recipe for
            photos), ``aligned`` (flip, and the small shift, turn and change of scale between two alignments
            of the same face).
        scale: ``photo`` only: smallest and largest share of the frame's area that a crop retains.
        jitter: Largest relative change of brightness, contrast and saturation; 0 for none.
        rotation: Largest angle in degrees by which the frame is also turned; 0 for none.
        hue: Largest turn of the hue, as a share of the colour circle in [0, 0.5]; 0 for none.
    """

    name: Name = "none"
    scale: tuple[float, float] = (0.35, 1.0)
    jitter: float = 0.0
    rotation: float = 0.0
    hue: float = 0.0

    def __post_init__(self) -> None:
        if self.name not in get_args(Name):
            raise UsageError(
                f"There is no transformation {self.name!r}.", f"Choose {', '.join(get_args(Name))}."
            )
        if not 0 < self.scale[0] <= self.scale[1] <= 1:
            raise UsageError(
                f"scale is {self.scale}, but must be two shares of an area.",
                "Give two numbers in (0, 1], the smaller first.",
            )
        if not 0 <= self.hue <= 0.5:
            raise UsageError(
                f"hue is {self.hue}, but must be between 0 and 0.5.",
                "Give a share of the colour circle, such as 0.2; 0 leaves hues unchanged.",
            )

    def draw(self, count: int, rng: torch.Generator, compute: Compute) -> Draw | None:
        """Return a transformation for each of ``count`` images, on the device; None for the identity."""
        if self.name == "none" and not self.rotation and not self.jitter and not self.hue:
            return None
        maps = self._maps(count, rng)
        if self.rotation:
            maps[:, :, :2] = maps[:, :, :2] @ _turns(self.rotation, count, rng)
        maps, colours, hues = compute.send(maps), None, None
        if self.jitter:
            colours = compute.send(1 + self.jitter * (2 * torch.rand(3, count, 1, 1, 1, generator=rng) - 1))
        if self.hue:
            hues = compute.send(self.hue * (2 * torch.rand(count, 1, 1, 1, generator=rng) - 1))
        return Draw(maps, colours, hues)

    def _maps(self, count: int, rng: torch.Generator) -> torch.Tensor:
        if self.name == "none":
            return torch.eye(2, 3).expand(count, 2, 3).clone()
        maps = torch.zeros(count, 2, 3)
        flip = 1.0 - 2.0 * (torch.rand(count, generator=rng) < 0.5).float()
        if self.name == "flip-crop":
            maps[:, 0, 0], maps[:, 1, 1] = flip, 1.0
            # whole pixels at 32 px, like padding by 4 and cropping; in units of half the frame
            maps[:, :, 2] = torch.randint(-4, 5, (count, 2), generator=rng) / 16.0
            return maps
        if self.name == "aligned":
            scale = 1 + SCALED * (2 * torch.rand(count, generator=rng) - 1)
            maps[:, 0, 0], maps[:, 1, 1] = flip * scale, scale
            maps[:, :, :2] = maps[:, :, :2] @ _turns(TURNED, count, rng)
            # in units of half the frame
            maps[:, :, 2] = 2 * SHIFTED * (2 * torch.rand(count, 2, generator=rng) - 1)
            return maps
        low, high = self.scale
        area = low + (high - low) * torch.rand(count, generator=rng)
        ratio = torch.exp((2 * torch.rand(count, generator=rng) - 1) * math.log(4 / 3)).sqrt()
        width, height = (area.sqrt() * ratio).clamp(max=1.0), (area.sqrt() / ratio).clamp(max=1.0)
        centre = 2 * torch.rand(count, 2, generator=rng) - 1
        maps[:, 0, 0], maps[:, 1, 1] = width * flip, height
        maps[:, 0, 2], maps[:, 1, 2] = centre[:, 0] * (1 - width), centre[:, 1] * (1 - height)
        return maps

    def __call__(self, x: torch.Tensor, size: int, draw: Draw | None) -> torch.Tensor:
        """Transform a batch.

        Args:
            x: float (N, C, S, S) in [0, 1].
            size: Side of the result in pixels.
            draw: The result of ``draw`` for this batch; None for the whole frame, resized.

        Returns:
            float (N, C, size, size).
        """
        if not len(x):
            # a process may own no image of a batch, and some functions refuse to do nothing
            return x.new_zeros(0, x.shape[1], size, size)
        if draw is None or draw.maps is None:
            return (
                x
                if x.shape[-1] == size
                else F.interpolate(x, (size, size), mode="bilinear", antialias=x.shape[-1] > size)
            )
        grid = F.affine_grid(draw.maps, [len(x), x.shape[1], size, size], align_corners=False)
        x = F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        x = x if draw.colours is None else _recolour(x, *draw.colours)
        return x if draw.hues is None else _turned(x, draw.hues)


def _turns(largest: float, count: int, rng: torch.Generator) -> torch.Tensor:
    """Return ``count`` turns by up to ``largest`` degrees, float (N, 2, 2)."""
    angle = math.radians(largest) * (2 * torch.rand(count, generator=rng) - 1)
    return torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1).view(count, 2, 2)


def _recolour(
    x: torch.Tensor, brightness: torch.Tensor, contrast: torch.Tensor, saturation: torch.Tensor
) -> torch.Tensor:
    x = (x * brightness).clamp(0, 1)
    x = (x - x.mean((1, 2, 3), keepdim=True)) * contrast + x.mean((1, 2, 3), keepdim=True)
    grey = x.mean(1, keepdim=True)
    return ((x - grey) * saturation + grey).clamp(0, 1)


def _turned(x: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
    """Return images with their hues turned, and the value and saturation of HSV unchanged."""
    high, low = x.amax(1, keepdim=True), x.amin(1, keepdim=True)
    span = high - low
    red, green, blue = x[:, :1], x[:, 1:2], x[:, 2:]
    safe = span.clamp(min=1e-6)
    hue = torch.where(
        high == red,
        (green - blue) / safe,
        torch.where(high == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    # channel n = V - V S clip(min(k, 4 - k), 0, 1), k = (n + 6 H) mod 6; n is 5, 3, 1 for red, green, blue
    # computed on the device: a list of numbers would be copied there, and the copy waits
    first = 5 - 2 * torch.arange(3, device=x.device).view(3, 1, 1)
    sextants = (first + hue + 6 * turns) % 6
    return high - span * torch.minimum(sextants, 4 - sextants).clamp(0, 1)
