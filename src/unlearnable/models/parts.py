"""Pieces that architectures share."""

from __future__ import annotations

import torch
from torch import nn

from unlearnable.errors import UsageError


class Normalise(nn.Module):
    """Maps [0, 1] to about zero mean and unit spread, so that a model takes images as they are."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map a batch."""
        return (x - 0.5) * 4.0


def conv_bn(inputs: int, outputs: int, kernel: int, stride: int) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """Return a convolution without bias, He-initialised, and the batch normalisation that follows it."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return conv, nn.BatchNorm2d(outputs)


def stem(name: str, width: int) -> nn.Sequential:
    """Return the layers before the first block, for a size of image.

    Args:
        name: ``cifar`` (3x3, stride 1), ``half`` (3x3, stride 2) or ``imagenet`` (7x7 and pooling, stride 4:
            He et al., CVPR 2016, Table 1, and Huang et al., CVPR 2017, Table 1).
        width: Number of output channels.

    Raises:
        UsageError: If no stem has that name.
    """
    check_stem(name)
    if name == "imagenet":
        return nn.Sequential(*conv_bn(3, width, 7, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1))
    return nn.Sequential(*conv_bn(3, width, 3, 1 if name == "cifar" else 2), nn.ReLU(inplace=True))


def check_stem(name: str) -> None:
    """Raise UsageError if no stem has that name."""
    if name not in ("cifar", "half", "imagenet"):
        raise UsageError(
            f"There is no stem {name!r}.",
            "Choose cifar (stride 1), half (stride 2) or imagenet (stride 4).",
        )
