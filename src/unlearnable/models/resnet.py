"""ResNet-18 (He et al., CVPR 2016) with a stem for each size of image, and a width."""

from __future__ import annotations

import torch
from torch import nn

from unlearnable.errors import UsageError
from unlearnable.models.parts import Normalise, conv_bn
from unlearnable.models.registry import register


class Block(nn.Module):
    """The basic residual block: two 3x3 convolutions, and a projection where the shape changes (He et al., Fig. 2, option B)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Sequential(*conv_bn(inputs, outputs, 3, stride), nn.ReLU(inplace=True))
        self.second = nn.Sequential(*conv_bn(outputs, outputs, 3, 1))
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else nn.Sequential(*conv_bn(inputs, outputs, 1, stride))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map a batch."""
        out: torch.Tensor = torch.relu(self.second(self.first(x)) + self.shortcut(x))
        return out


def _stem(name: str, width: int) -> nn.Sequential:
    if name == "cifar":
        return nn.Sequential(*conv_bn(3, width, 3, 1), nn.ReLU(inplace=True))
    if name == "half":
        return nn.Sequential(*conv_bn(3, width, 3, 2), nn.ReLU(inplace=True))
    if name == "imagenet":
        return nn.Sequential(*conv_bn(3, width, 7, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1))
    raise UsageError(f"There is no stem {name!r}.", "There are: cifar (stride 1), half (stride 2), imagenet (stride 4).")


@register
def resnet18(classes: int, width: int = 64, stem: str = "cifar") -> nn.Module:
    """ResNet-18; width=64 is the published one; stem=cifar (stride 1), half (3x3, stride 2) or imagenet (7x7, stride 4)."""
    widths = [width, 2 * width, 4 * width, 8 * width]
    blocks: list[nn.Module] = []
    inputs = width
    for stage, outputs in enumerate(widths):
        blocks += [Block(inputs, outputs, 1 if stage == 0 else 2), Block(outputs, outputs, 1)]
        inputs = outputs
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, classes))
    return nn.Sequential(Normalise(), _stem(stem, width), *blocks, *head)
