"""The image operations of AutoAugment, RandAugment and TrivialAugment, with a strength for every image.

They compute the same as Pillow, for a whole batch on the device (Cubuk et al., "AutoAugment", CVPR 2019,
table 6). As in the authors' code, geometric operations take the nearest pixel, shear about the upper left
corner, and fill with grey.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from unlearnable.training.compute import Compute

# images, float (B, 3, s, s) in [0, 1], and values, float (B, 1, 1, 1) -> images
Operation = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
# grey of the pixels that come from outside the image
FILL = 128 / 255
# the colour that Fast AutoAugment's code fills squares with
MEAN_COLOUR = (125 / 255, 123 / 255, 114 / 255)


@dataclass(frozen=True)
class Magnitude:
    """The value of an operation at a strength in [0, 1]: ``start + span * strength``.

    Args:
        start: Value at strength 0.
        span: Difference between the values at strength 1 and 0.
        signed: Whether the difference gets a random sign.
        whole: Whether the difference is cut to a whole number, towards zero.
    """

    start: float = 0.0
    span: float = 0.0
    signed: bool = False
    whole: bool = False

    def __call__(self, strength: torch.Tensor, sign: torch.Tensor) -> torch.Tensor:
        """Return the values for float (B,) strengths and signs."""
        change = self.span * strength
        if self.whole:
            # products such as 30 * 0.7 may be a little less than their decimals
            change = (change + 1e-4 * change.sign()).trunc()
        return self.start + change * (sign if self.signed else 1.0)


def space(rotate: float, shear: float, shift: float, blend: float, bits: float) -> dict[str, Magnitude]:
    """Return the magnitude of each operation by name, in the convention of RandAugment in torchvision.

    Brightness, contrast, colour and sharpness change in both directions from their neutral value, which is
    the value at strength 0.

    Args:
        rotate: Largest angle in degrees.
        shear: Largest shift of a row or a column against the next one, in pixels.
        shift: Largest shift as a share of the side.
        blend: Largest relative change of brightness, contrast, colour and sharpness.
        bits: Bits that the strongest posterisation removes from the 8 of a channel.
    """
    return {
        "identity": Magnitude(),
        "autocontrast": Magnitude(),
        "equalize": Magnitude(),
        "rotate": Magnitude(0, rotate, True),
        "shear_x": Magnitude(0, shear, True),
        "shear_y": Magnitude(0, shear, True),
        "translate_x": Magnitude(0, shift, True),
        "translate_y": Magnitude(0, shift, True),
        "color": Magnitude(1, blend, True),
        "contrast": Magnitude(1, blend, True),
        "brightness": Magnitude(1, blend, True),
        "sharpness": Magnitude(1, blend, True),
        "posterize": Magnitude(8, -bits),
        "solarize": Magnitude(256, -256),
    }


def apply(
    x: torch.Tensor,
    kinds: torch.Tensor,
    strengths: torch.Tensor,
    magnitudes: Mapping[str, Magnitude],
    rng: torch.Generator,
    compute: Compute,
) -> torch.Tensor:
    """Return the images after one operation each.

    Args:
        x: float (B, 3, s, s) in [0, 1], on the device.
        kinds: int64 (B,) on the host: position of the operation in ``magnitudes``; -1 for none.
        strengths: float (B,) in [0, 1], on the host.
        magnitudes: Magnitudes of the operations by name.
        rng: Generator for signs.
        compute: Device.

    Returns:
        float (B, 3, s, s) in [0, 1].
    """
    signs, out = 1.0 - 2.0 * torch.randint(0, 2, kinds.shape, generator=rng), x.clone()
    for kind, (name, magnitude) in enumerate(magnitudes.items()):
        # images are selected on the host, so that nothing waits for the device
        rows = (kinds == kind).nonzero()[:, 0]
        if len(rows) and name != "identity":
            selected, values = compute.send(rows), compute.send(magnitude(strengths[rows], signs[rows]))
            values = values.view(-1, 1, 1, 1)
            if name == "cutout":
                middle = compute.send(torch.rand(2, len(rows), 1, 1, 1, generator=rng))
                out[selected] = _cutout(x[selected], values, *middle)
            else:
                out[selected] = OPERATIONS[name](x[selected], values)
    return out


def _levels(x: torch.Tensor) -> torch.Tensor:
    return (x * 255).round()


def _stepwise(x: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    """Return ``out``, a step function of ``x``, with the gradient of the identity: about its mean slope."""
    return x + (out - x).detach() if x.requires_grad else out


def _luminance(x: torch.Tensor) -> torch.Tensor:
    return 0.299 * x[:, :1] + 0.587 * x[:, 1:2] + 0.114 * x[:, 2:]


def _blend(neutral: torch.Tensor, x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    return (neutral + factor * (x - neutral)).clamp(0, 1)


def _smooth(x: torch.Tensor) -> torch.Tensor:
    """Return images after Pillow's filter SMOOTH, which leaves the border unchanged."""
    kernel = torch.ones(3, 3, device=x.device, dtype=x.dtype)
    kernel[1, 1].fill_(5)
    out = x.clone()
    out[..., 1:-1, 1:-1] = F.conv2d(x, (kernel / 13).expand(3, 1, 3, 3), groups=3)
    return out


def _autocontrast(x: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    return torch.where(high > low, (x - low) / (high - low).clamp(min=1e-6), x).clamp(0, 1)


def _equalize(x: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    """Return images whose levels are about equally frequent in each channel, by Pillow's rule in integers."""
    # (3 B, s s)
    levels = _levels(x).long().flatten(2).flatten(0, 1)
    counts = torch.zeros(len(levels), 256, dtype=torch.long, device=x.device).scatter_add_(
        1, levels, torch.ones_like(levels)
    )
    step = (levels.shape[1] - counts.gather(1, levels.amax(1, keepdim=True))) // 255
    table = (step // 2 + counts.cumsum(1) - counts) // step.clamp(min=1)
    out = torch.where(step > 0, table.gather(1, levels).clamp(max=255), levels)
    return _stepwise(x, (out.to(x.dtype) / 255).view(x.shape))


def _posterize(x: torch.Tensor, bits: torch.Tensor) -> torch.Tensor:
    width = torch.exp2(8 - bits.round())
    return _stepwise(x, torch.floor(_levels(x) / width) * width / 255)


def _solarize(x: torch.Tensor, threshold: torch.Tensor) -> torch.Tensor:
    return torch.where(_levels(x) >= threshold, 1 - x, x)


def _warp(x: torch.Tensor, maps: list[list[torch.Tensor | float]]) -> torch.Tensor:
    """Return images with each pixel taken from the position that an affine map gives.

    Args:
        x: float (B, 3, s, s).
        maps: Two rows of three entries. Positions are in units of half the side, and the centre is 0.
    """
    like = next(entry for row in maps for entry in row if isinstance(entry, torch.Tensor)).flatten()
    rows = [
        torch.stack(
            [torch.zeros_like(like) + (e.flatten() if isinstance(e, torch.Tensor) else e) for e in row], 1
        )
        for row in maps
    ]
    grid = F.affine_grid(torch.stack(rows, 1), list(x.shape), align_corners=False)
    return F.grid_sample(x - FILL, grid, mode="nearest", padding_mode="zeros", align_corners=False) + FILL


def _rotate(x: torch.Tensor, degrees: torch.Tensor) -> torch.Tensor:
    angle = degrees * (math.pi / 180)
    return _warp(x, [[angle.cos(), -angle.sin(), 0.0], [angle.sin(), angle.cos(), 0.0]]).clamp(0, 1)


def _cutout(x: torch.Tensor, share: torch.Tensor, down: torch.Tensor, across: torch.Tensor) -> torch.Tensor:
    """Return images with a square in the mean colour, as Fast AutoAugment's code draws it.

    Args:
        x: float (B, 3, s, s).
        share: float (B, 1, 1, 1): side of the square, as a share of the image's; 0 for none.
        down: float (B, 1, 1, 1) in [0, 1): height of its middle.
        across: The same from the left.
    """
    side = x.shape[-1]
    at = torch.arange(side, device=x.device, dtype=x.dtype)

    def inside(middle: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
        start = (side * (middle - share / 2)).clamp(min=0).floor()
        return (where >= start) & (where <= start + side * share)

    hidden = inside(down, at.view(-1, 1)) & inside(across, at) & (share > 0)
    # numbers of Python are arguments of the kernel: a list would be copied to the device, and the copy waits
    planes = zip(MEAN_COLOUR, torch.split(x, 1, 1), strict=True)
    return torch.cat([torch.where(hidden, colour, plane) for colour, plane in planes], 1)


OPERATIONS: dict[str, Operation] = {
    "identity": lambda x, _: x,
    "invert": lambda x, _: 1 - x,
    "autocontrast": _autocontrast,
    "equalize": _equalize,
    "rotate": _rotate,
    "shear_x": lambda x, v: _warp(x, [[1.0, v, v], [0.0, 1.0, 0.0]]).clamp(0, 1),
    "shear_y": lambda x, v: _warp(x, [[1.0, 0.0, 0.0], [v, 1.0, v]]).clamp(0, 1),
    "translate_x": lambda x, v: _warp(x, [[1.0, 0.0, 2 * v], [0.0, 1.0, 0.0]]).clamp(0, 1),
    "translate_y": lambda x, v: _warp(x, [[1.0, 0.0, 0.0], [0.0, 1.0, 2 * v]]).clamp(0, 1),
    "color": lambda x, v: _blend(_luminance(x), x, v),
    "contrast": lambda x, v: _blend(_luminance(x).mean((1, 2, 3), keepdim=True), x, v),
    "brightness": lambda x, v: (x * v).clamp(0, 1),
    "sharpness": lambda x, v: _blend(_smooth(x), x, v),
    "posterize": _posterize,
    "solarize": _solarize,
}
