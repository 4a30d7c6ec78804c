"""A small convolutional network without residual connections: a different family, fast on a CPU."""

from __future__ import annotations

from torch import nn

from unlearnable.models.parts import Normalise, conv_bn
from unlearnable.models.registry import register


@register
def cnn(classes: int, width: int = 32, depth: int = 4) -> nn.Module:
    """A plain stack of 3x3 convolutions, similar to VGG; each stage halves the image.

    Args:
        classes: Number of outputs.
        width: Channels of the first stage; each of the next three doubles them.
        depth: Number of stages.
    """
    layers: list[nn.Module] = [Normalise()]
    inputs = 3
    for stage in range(depth):
        outputs = width * 2 ** min(stage, 3)
        layers += [*conv_bn(inputs, outputs, 3, 1), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
        inputs = outputs
    return nn.Sequential(
        *layers,
        *conv_bn(inputs, inputs, 3, 1),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(inputs, classes),
    )
