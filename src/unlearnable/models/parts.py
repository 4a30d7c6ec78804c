"""Pieces that several architectures are made of."""

from __future__ import annotations

import torch
from torch import nn


class Normalise(nn.Module):
    """Map [0, 1] to about zero mean and unit spread, so that a model takes images as they are."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map a batch."""
        return (x - 0.5) * 4.0


def conv_bn(inputs: int, outputs: int, kernel: int, stride: int) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """Return a convolution without bias, He-initialised, and the batch normalisation that follows it."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return conv, nn.BatchNorm2d(outputs)
