"""VGG.

Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015.

The convolutions are those of Table 1. Departures, all customary on CIFAR: batch normalisation after every
convolution (which makes their biases redundant; there are none), and global average pooling and one linear
layer instead of the two of 4096 units, which hold 120 of the published 133 million parameters, work at one
size of image only, and need dropout. A pooling window that reaches over the edge counts, so that a side that
is not a multiple of 32 loses nothing and a small one is not reduced to nothing.
"""

from __future__ import annotations

from torch import nn

from unlearnable.models.parts import Normalise, check_stem, conv_bn
from unlearnable.models.registry import register

# configuration A: factors of the width of the 3x3 convolutions between two poolings
STAGES = ((1,), (2,), (4, 4), (8, 8), (8, 8))


@register
def vgg11(classes: int, width: int = 64, stem: str = "cifar") -> nn.Module:
    """VGG-11. width=64 is the published one; stem is cifar or imagenet (both stride 1), or half (stride 2).

    Args:
        classes: Number of outputs.
        width: Channels of the first convolution; the last have eight times as many.
        stem: The published network begins the same way at every size; ``half`` gives its first convolution
            a stride of 2.
    """
    check_stem(stem)
    layers: list[nn.Module] = [Normalise()]
    inputs = 3
    for stage in STAGES:
        for factor in stage:
            stride = 2 if len(layers) == 1 and stem == "half" else 1
            layers += [*conv_bn(inputs, factor * width, 3, stride), nn.ReLU(inplace=True)]
            inputs = factor * width
        layers.append(nn.MaxPool2d(2, ceil_mode=True))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, classes))
