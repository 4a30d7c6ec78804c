"""Residual networks with a stem for each size of image, and a width.

He et al., "Deep Residual Learning for Image Recognition", CVPR 2016.

Stages, blocks and widths are those of Table 1, the stages at strides 1, 2, 2, 2 after the stem. At stem=cifar
they are the networks that the literature calls ResNet-18, 34 and 50 on CIFAR; the paper's own CIFAR networks
(its section 4.2) are narrower and have three stages.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from unlearnable.models import parts
from unlearnable.models.parts import Normalise, conv_bn
from unlearnable.models.registry import register


class Block(nn.Module):
    """The basic residual block (He et al., Fig. 2): two 3x3 convolutions.

    A projection follows where the shape changes (option B).
    """

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Sequential(*conv_bn(inputs, width, 3, stride), nn.ReLU(inplace=True))
        self.second = nn.Sequential(*conv_bn(width, width, 3, 1))
        self.shortcut = _shortcut(inputs, width, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map a batch."""
        # in place: the branch's output is used nowhere else
        out: torch.Tensor = self.second(self.first(x)).add_(self.shortcut(x)).relu_()
        return out


class Bottleneck(nn.Module):
    """The bottleneck block: 1x1 to fewer channels, 3x3, 1x1 to four times as many (He et al., Fig. 5, right).

    The stride is that of the 3x3 convolution, as in most implementations since; the authors stride in the
    first 1x1. The number of parameters is the same.
    """

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = self.expansion * width
        self.first = nn.Sequential(*conv_bn(inputs, width, 1, 1), nn.ReLU(inplace=True))
        self.second = nn.Sequential(*conv_bn(width, width, 3, stride), nn.ReLU(inplace=True))
        self.third = nn.Sequential(*conv_bn(width, outputs, 1, 1))
        self.shortcut = _shortcut(inputs, outputs, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map a batch."""
        out: torch.Tensor = self.third(self.second(self.first(x))).add_(self.shortcut(x)).relu_()
        return out


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    same = stride == 1 and inputs == outputs
    return nn.Identity() if same else nn.Sequential(*conv_bn(inputs, outputs, 1, stride))


def _resnet(
    block: type[Block | Bottleneck], depths: Sequence[int], classes: int, width: int, stem: str
) -> nn.Sequential:
    blocks: list[nn.Module] = []
    inputs = width
    for stage, depth in enumerate(depths):
        for number in range(depth):
            blocks.append(block(inputs, width * 2**stage, 2 if stage and number == 0 else 1))
            inputs = block.expansion * width * 2**stage
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, classes))
    # the stem is drawn last: published noise depends on the order of the draws
    return nn.Sequential(Normalise(), parts.stem(stem, width), *blocks, *head)


@register
def resnet18(classes: int, width: int = 64, stem: str = "cifar") -> nn.Module:
    """ResNet-18. width=64 is the published one; stem is cifar, half or imagenet (stride 1, 2 or 4)."""
    return _resnet(Block, (2, 2, 2, 2), classes, width, stem)


@register
def resnet34(classes: int, width: int = 64, stem: str = "cifar") -> nn.Module:
    """ResNet-34. Settings are those of resnet18."""
    return _resnet(Block, (3, 4, 6, 3), classes, width, stem)


@register
def resnet50(classes: int, width: int = 64, stem: str = "cifar") -> nn.Module:
    """ResNet-50, with bottleneck blocks. Settings are those of resnet18."""
    return _resnet(Bottleneck, (3, 4, 6, 3), classes, width, stem)
