"""JPEG as a differentiable step, for noise that survives it.

Sources: ITU-T T.81 (JPEG), Annex K, tables K.1 and K.2; the scale of qualities and the filters of chroma are
libjpeg's, which Pillow uses.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from unlearnable.lifting import resample
from unlearnable.training.compute import Compute

LUMA = """
16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62
18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99
"""
CHROMA = (
    """
17 18 24 47 99 99 99 99 18 21 26 66 99 99 99 99 24 26 56 99 99 99 99 99 47 66 99 99 99 99 99 99
"""
    + 32 * " 99"
)
# two blocks: chroma has half the resolution
UNIT = 16
# width of the soft edge of the dead zone, in quantisation steps
SOFTNESS = 0.1


def compressed(x: torch.Tensor, quality: int, compute: Compute) -> torch.Tensor:
    """Return images after JPEG compression with 4:2:0 chroma, differentiable in ``x``.

    The result is that of a file, with rounded coefficients. The gradient is that of a *soft dead zone*: a
    coefficient well below half a quantisation step passes none, because the file loses it, and one above
    passes all of it, because rounding is right on average over images. A straight-through gradient passes
    both alike, and a search then puts noise into coefficients that the file loses.

    Args:
        x: float (N, 3, H, W) in [0, 1], on the device.
        quality: 1 to 100, on Pillow's scale.
        compute: Device and precision.

    Returns:
        float (N, 3, H, W) in [0, 1].
    """
    height, width = x.shape[-2:]
    x = 255 * _filled(x, compute)
    red, green, blue = x[:, :1], x[:, 1:2], x[:, 2:]
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    chroma = F.avg_pool2d(torch.cat([(blue - luma) / 1.772, (red - luma) / 1.402], 1), 2)
    luma = _coded(luma - 128, LUMA, quality, compute) + 128
    chroma = _coded(chroma, CHROMA, quality, compute)
    down, across = (compute.send(torch.tensor(resample(2 * n, n))) for n in chroma.shape[-2:])
    chroma = down @ chroma @ across.mT
    cb, cr = chroma[:, :1], chroma[:, 1:]
    red, blue = luma + 1.402 * cr, luma + 1.772 * cb
    green = (luma - 0.299 * red - 0.114 * blue) / 0.587
    return torch.cat([red, green, blue], 1)[..., :height, :width].div(255).clamp(0, 1)


def _filled(x: torch.Tensor, compute: Compute) -> torch.Tensor:
    """Return images whose last row and column are repeated until whole blocks are full."""
    for axis in (-2, -1):
        side = x.shape[axis]
        if side % UNIT:
            # a product and not an index, whose gradient a GPU would add up in another order every time
            source = torch.arange(-(-side // UNIT) * UNIT).clamp(max=side - 1)
            repeat = compute.send(torch.eye(side)[source])
            x = repeat @ x if axis == -2 else x @ repeat.mT
    return x


def _coded(planes: torch.Tensor, table: str, quality: int, compute: Compute) -> torch.Tensor:
    """Return planes, float (N, C, H, W) around 0, after the quantisation of their blocks of 8x8 pixels."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    steps = torch.tensor([min(255, max(1, (int(one) * scale + 50) // 100)) for one in table.split()])
    # of a block with its pixels in one row
    transform = compute.send(torch.kron(dct(), dct()) / steps.view(64, 1))
    inverse = compute.send(torch.kron(dct(), dct()).T * steps)
    blocks = F.pixel_unshuffle(planes.flatten(0, 1).unsqueeze(1), 8)
    quantised = _Quantised.apply(transform @ blocks.flatten(2))  # type: ignore[no-untyped-call]
    return F.pixel_shuffle((inverse @ quantised).view_as(blocks), 8).view_as(planes)


def dct() -> torch.Tensor:
    """Return the orthonormal 8-point DCT-II, float64 (8, 8); rows are frequencies."""
    angle = torch.outer(torch.arange(8.0), 2 * torch.arange(8.0) + 1).double() * torch.pi / 16
    basis = angle.cos() / 2
    basis[0] /= 2**0.5
    return basis


class _Quantised(torch.autograd.Function):
    """Rounding, with the gradient of q sigmoid((|q| - 1/2) / softness): zero below half a step, one above."""

    @staticmethod
    def forward(ctx: Any, q: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(q)
        return q.round()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        (q,) = ctx.saved_tensors
        size = q.abs()
        open = torch.sigmoid((size - 0.5) / SOFTNESS)
        slope: torch.Tensor = open + size * open * (1 - open) / SOFTNESS
        return gradients[0] * slope
