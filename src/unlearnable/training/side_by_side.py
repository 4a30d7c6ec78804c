"""Convolutions of small images on processors with tile instructions: a batch laid side by side, as one long image."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

ROW = 4  # pixels: up to this width of the result, a row fills too little of a tile of 16 for tiles to be fast
CHANNELS = 256  # fewer, and copying costs what tiles save
TRAINED = 64  # the same where the weights learn too: their gradient gains most


def pays() -> bool:
    """Say whether the processor has tile instructions (AMX): with others, rows of any length are as fast."""
    return bool(getattr(torch.cpu, "_is_amx_tile_supported", bool)())  # private, and missing from some builds


def lay_out(model: nn.Module) -> None:
    """Let the convolutions of a model lay small images side by side, where they have enough channels; in place."""
    for module in model.modules():
        if type(module) is nn.Conv2d and _fits(module):
            module.__class__ = SideBySide  # it keeps its weights, and they keep their names


def _fits(conv: nn.Conv2d) -> bool:
    plain = (
        conv.groups == 1
        and conv.dilation == (1, 1)
        and conv.padding_mode == "zeros"
        and not isinstance(conv.padding, str)
    )
    return plain and conv.kernel_size[1] > 1 and min(conv.in_channels, conv.out_channels) >= TRAINED


class SideBySide(nn.Conv2d):
    """A convolution, with padding of zeros, that computes the same on images side by side with zeros between them.

    With rows of four pixels, as in the last stage of a ResNet-18 on images of 32 px, three quarters of every
    tile are empty. Rows of a whole batch fill them. What it returns, and the gradient to its input, were the
    same to the bit in what we tried; the gradient to its weights is summed in another order.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Convolve a batch, (N, C, H, W)."""
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
        strip = (
            F.pad(input, (0, length - width))
            .permute(2, 0, 3, 1)
            .reshape(1, height, count * length, channels)
            .permute(0, 3, 1, 2)
        )
        seen = super().forward(strip).permute(0, 2, 3, 1)
        rows, each = seen.shape[1], length // stride
        seen = F.pad(seen, (0, 0, 0, max(0, count * each - seen.shape[2])))[:, :, : count * each]
        return (
            seen.reshape(rows, count, each, -1)[:, :, :wanted]
            .permute(1, 3, 0, 2)
            .contiguous(memory_format=torch.channels_last)
        )
