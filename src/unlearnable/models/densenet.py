"""Densely connected networks with a stem for each size of image.

Huang et al., "Densely Connected Convolutional Networks", CVPR 2017.

DenseNet-BC of section 3: bottlenecks of four times the growth rate, and transitions that halve the number of
channels. Depths are those of Table 1. A pooling window that reaches over the edge counts, so that an odd side
loses nothing and a small one is not reduced to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from unlearnable.models import parts
from unlearnable.models.parts import Normalise, conv_bn
from unlearnable.models.registry import register


class Layer(nn.Module):
    """One layer of a dense block (section 3): its outputs are appended to its inputs.

    BN-ReLU-Conv(1x1)-BN-ReLU-Conv(3x3).
    """

    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        reduce = (*conv_bn(inputs, 4 * growth, 1, 1), nn.ReLU(inplace=True))
        self.new = nn.Sequential(
            nn.BatchNorm2d(inputs), nn.ReLU(inplace=True), *reduce, _conv(4 * growth, growth, 3)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map a batch."""
        return torch.cat((x, self.new(x)), 1)


def _conv(inputs: int, outputs: int, kernel: int) -> nn.Conv2d:
    return conv_bn(inputs, outputs, kernel, 1)[0]


def _transition(inputs: int) -> tuple[nn.Module, ...]:
    """Halve sides and channels."""
    # pooling before a 1x1 convolution gives the same result as after it, for a quarter of the work
    return (
        nn.BatchNorm2d(inputs),
        nn.ReLU(inplace=True),
        nn.AvgPool2d(2, ceil_mode=True),
        _conv(inputs, inputs // 2, 1),
    )


def _densenet(depths: Sequence[int], classes: int, growth: int, stem: str) -> nn.Sequential:
    channels = 2 * growth
    first = parts.stem(stem, channels)
    layers: list[nn.Module] = [
        Normalise(),
        # on CIFAR a convolution alone (section 3)
        first if stem == "imagenet" else first[:1],
    ]
    for block, depth in enumerate(depths):
        if block:
            layers += _transition(channels)
            channels //= 2
        for _ in range(depth):
            layers.append(Layer(channels, growth))
            channels += growth
    layers += [
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(channels, classes),
    ]
    return nn.Sequential(*layers)


@register
def densenet121(classes: int, width: int = 32, stem: str = "cifar") -> nn.Module:
    """DenseNet-121. width=32 (the growth rate) is the published one; stem is cifar, half or imagenet.

    Args:
        classes: Number of outputs.
        width: The growth rate: channels that each layer adds. The stem has twice as many.
        stem: One of the authors' two, ``cifar`` (3x3, stride 1) and ``imagenet`` (7x7 and pooling, stride 4),
            or ``half`` between them (3x3, stride 2).
    """
    return _densenet((6, 12, 24, 16), classes, width, stem)
