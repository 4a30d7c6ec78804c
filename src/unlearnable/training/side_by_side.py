"""Faster convolutions of small images on CPUs with tile instructions: a batch as one long image."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

# pixels: up to this width of the result, a row fills too little of a tile of 16 for tiles to be fast
ROW = 4
# with fewer channels, copying costs as much as tiles save
CHANNELS = 256
# the same where the weights are trained too: their gradient gains most
TRAINED = 64


def pays() -> bool:
    """Return whether the CPU has tile instructions (AMX); on other CPUs, rows of any length are as fast."""
    # the function is private, and missing from some builds
    return bool(getattr(torch.cpu, "_is_amx_tile_supported", bool)())


def lay_out(model: nn.Module) -> None:
    """Change a model in place: convolutions with enough channels lay small images side by side."""
    for module in model.modules():
        if type(module) is nn.Conv2d and _fits(module):
            # the weights and their names stay as they are
            module.__class__ = SideBySide


def _fits(conv: nn.Conv2d) -> bool:
    plain = (
        conv.groups == 1
        and conv.dilation == (1, 1)
        and conv.padding_mode == "zeros"
        and not isinstance(conv.padding, str)
    )
    return plain and conv.kernel_size[1] > 1 and min(conv.in_channels, conv.out_channels) >= TRAINED


class SideBySide(nn.Conv2d):
    """A zero-padded convolution that lays the images of a batch side by side, with zeros between them.

    With rows of four pixels, as in the last stage of a ResNet-18 on images of 32 px, three quarters of every
    tile are empty. Rows of a whole batch fill them. Its output and the gradient to its input were the same to
    the bit in our trials; the gradient to its weights is summed in another order.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Convolve a batch, float (N, C, H, W)."""
        count, channels, height, width = input.shape
        kernel, stride, padding = self.kernel_size[1], self.stride[1], self.padding[1]
        assert isinstance(padding, int)
        wanted = (width + 2 * padding - kernel) // stride + 1
        if wanted > ROW or min(channels, self.out_channels) < (
            TRAINED if self.weight.requires_grad else CHANNELS
        ):
            return super().forward(input)
        # an image and the zeros after it are a whole number of strides, so that the kernel meets every image
        # as it would alone
        length = width + padding + -(width + padding) % stride
        side_by_side = (
            F.pad(input, (0, length - width))
            .permute(2, 0, 3, 1)
            .reshape(1, height, count * length, channels)
            .permute(0, 3, 1, 2)
        )
        out = super().forward(side_by_side).permute(0, 2, 3, 1)
        rows, each = out.shape[1], length // stride
        out = F.pad(out, (0, 0, 0, max(0, count * each - out.shape[2])))[:, :, : count * each]
        return (
            out.reshape(rows, count, each, -1)[:, :, :wanted]
            .permute(1, 3, 0, 2)
            .contiguous(memory_format=torch.channels_last)
        )
