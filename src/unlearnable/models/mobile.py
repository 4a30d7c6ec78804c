"""Two small networks of inverted residual blocks. Their ImageNet weights come inside registry packages.

Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018, Table 2; and
EfficientNet-Lite0, Google's EfficientNet-B0 (Tan and Le, ICML 2019, Table 1) without squeeze-and-excitation,
with ReLU6. The dropout before the last layer is left out: recipes here regularise with augmentation.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from unlearnable.models.parts import IMAGENET, Normalise
from unlearnable.models.registry import register


@dataclass(frozen=True)
class Design:
    """The parts in which the two networks differ.

    Args:
        stages: Expansion, output channels, blocks, stride of the first block, and kernel of each stage.
        same: Whether a stride of 2 pads as TensorFlow does, more at the lower right edge.
        epsilon: Of batch normalisation.
        momentum: Of batch normalisation.
        mean: Mean of each channel that the published weights were trained with, in [0, 1].
        std: Standard deviation of each channel.
    """

    stages: tuple[tuple[int, int, int, int, int], ...]
    same: bool
    epsilon: float
    momentum: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


MOBILENET_V2 = Design(
    (
        (1, 16, 1, 1, 3),
        (6, 24, 2, 2, 3),
        (6, 32, 3, 2, 3),
        (6, 64, 4, 2, 3),
        (6, 96, 3, 1, 3),
        (6, 160, 3, 2, 3),
        (6, 320, 1, 1, 3),
    ),
    False,
    1e-5,
    0.1,
    *IMAGENET,
)
EFFICIENTNET_LITE0 = Design(
    (
        (1, 16, 1, 1, 3),
        (6, 24, 2, 2, 3),
        (6, 40, 2, 2, 5),
        (6, 80, 3, 2, 3),
        (6, 112, 3, 1, 5),
        (6, 192, 4, 2, 5),
        (6, 320, 1, 1, 3),
    ),
    True,
    1e-3,
    0.01,
    # (255 x - 127) / 128
    (127 / 255,) * 3,
    (128 / 255,) * 3,
)


class SameConv(nn.Conv2d):
    """A convolution whose result has ceil(side / stride) pixels; an odd rest of padding goes to the end."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Convolve a batch, float (N, C, H, W)."""
        sides: list[int] = []
        # F.pad begins with the last dimension
        for length, kernel, stride in zip(input.shape[:1:-1], self.kernel_size, self.stride, strict=True):
            missing = max(0, (-(-length // stride) - 1) * stride + kernel - length)
            sides += [missing // 2, missing - missing // 2]
        return super().forward(F.pad(input, sides))


def _unit(
    design: Design, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    """Return a convolution, batch normalisation and ReLU6."""
    if design.same and stride > 1:
        conv: nn.Conv2d = SameConv(inputs, outputs, kernel, stride, groups=groups, bias=False)
    else:
        conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    norm = nn.BatchNorm2d(outputs, design.epsilon, design.momentum)
    return [conv, norm, nn.ReLU6(inplace=True)]


class InvertedResidual(nn.Module):
    """1x1 to more channels, a depthwise convolution, 1x1 to few (Sandler et al., Fig. 3b and Table 1)."""

    def __init__(
        self, design: Design, inputs: int, outputs: int, expansion: int, stride: int, kernel: int
    ) -> None:
        super().__init__()
        inside = inputs * expansion
        self.expand = nn.Sequential(*_unit(design, inputs, inside)) if expansion > 1 else nn.Identity()
        self.depthwise = nn.Sequential(*_unit(design, inside, inside, kernel, stride, inside))
        # the bottleneck is linear
        self.project = nn.Sequential(*_unit(design, inside, outputs)[:-1])
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map a batch."""
        out: torch.Tensor = self.project(self.depthwise(self.expand(x)))
        return x + out if self.adds else out


def _network(design: Design, classes: int, width: int) -> nn.Sequential:
    def scaled(channels: int) -> int:
        # the divisor of both authors; at the published width, every number is a multiple of it already
        return max(8, round(channels * width / 32 / 8) * 8)

    inputs = scaled(32)
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        normalise=Normalise(design.mean, design.std),
        stem=nn.Sequential(*_unit(design, 3, inputs, 3, 2)),
    )
    number = 0
    for expansion, outputs, blocks, stride, kernel in design.stages:
        for block in range(blocks):
            layers[f"block{number}"] = InvertedResidual(
                design, inputs, scaled(outputs), expansion, 1 if block else stride, kernel
            )
            inputs, number = scaled(outputs), number + 1
    last = scaled(1280)
    layers["last"] = nn.Sequential(*_unit(design, inputs, last))
    layers["pool"], layers["flatten"] = nn.AdaptiveAvgPool2d(1), nn.Flatten()
    layers["head"] = nn.Linear(last, classes)
    return nn.Sequential(layers)


@partial(register, name="mobilenet-v2")
def mobilenet_v2(classes: int, width: int = 32) -> nn.Module:
    """MobileNetV2; has published weights. width=32 (the channels of the stem) is the published one."""
    return _network(MOBILENET_V2, classes, width)


@partial(register, name="efficientnet-lite0")
def efficientnet_lite0(classes: int, width: int = 32) -> nn.Module:
    """EfficientNet-Lite0; has published weights. width=32 (the channels of the stem) is the published one."""
    return _network(EFFICIENTNET_LITE0, classes, width)
