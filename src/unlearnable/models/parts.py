"""Pieces that architectures share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from unlearnable.errors import UsageError

# mean and standard deviation of the channels of ImageNet, as torchvision and timm normalise with
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class Normalise(nn.Module):
    """Maps [0, 1] to about zero mean and unit spread, so that a model takes images as they are.

    Published weights were trained with a normalisation of their own. It is saved with the weights, in the
    buffers ``mean`` and ``std``; without them, the mean is 1/2 and the standard deviation 1/4.

    Args:
        mean: Mean of each channel, in [0, 1]; None for the default.
        std: Standard deviation of each channel.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(
        self, mean: Sequence[float] | None = None, std: Sequence[float] = (0.25, 0.25, 0.25)
    ) -> None:
        super().__init__()
        if mean is not None:
            self.adopt(torch.tensor(mean), torch.tensor(std))

    def adopt(self, mean: torch.Tensor, std: torch.Tensor) -> None:
        """Normalise with a mean and a standard deviation of each channel, float with 3 values."""
        self.register_buffer("mean", mean.reshape(3, 1, 1).clone())
        self.register_buffer("std", std.reshape(3, 1, 1).clone())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map a batch."""
        if "mean" not in self._buffers:
            return (x - 0.5) * 4.0
        return (x - self.mean) / self.std


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
