"""Inception-ResNet-v1, the paper's recogniser of faces.

Szegedy et al., "Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning", AAAI
2017, Figures 10 to 14, with the embedding layer of recognisers: 512 features without bias, and batch
normalisation. Departure: every convolution and every pooling is padded, so that crops of any size leave
something to see.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from unlearnable.models.parts import Normalise
from unlearnable.models.registry import register

# an output and a kernel, (height, width), with a stride
Convolution = tuple[int, tuple[int, int], int]
FEATURES = 512


def _chain(inputs: int, *steps: Convolution) -> nn.Sequential:
    """Return convolutions without bias, each followed by batch normalisation and a ReLU."""
    layers: list[nn.Module] = []
    for outputs, kernel, stride in steps:
        padding = kernel[0] // 2, kernel[1] // 2
        conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
        layers += [conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        inputs = outputs
    return nn.Sequential(*layers)


def _pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, 2, 1)


class Reduction(nn.Module):
    """Branches side by side, each of which halves the sides; their channels are joined."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map a batch."""
        return torch.cat([branch(x) for branch in self.branches], 1)


class Residual(nn.Module):
    """Branches side by side, joined by a 1x1 convolution whose result is scaled and added to the input.

    Args:
        channels: Channels of the input and of the result.
        scale: Factor of the sum (section 3.3).
        last: Whether this is the last block, which has no ReLU.
        branches: The convolutions of each branch.
    """

    def __init__(
        self, channels: int, scale: float, *branches: Sequence[Convolution], last: bool = False
    ) -> None:
        super().__init__()
        self.branches = nn.ModuleList(_chain(channels, *steps) for steps in branches)
        self.join = nn.Conv2d(sum(steps[-1][0] for steps in branches), channels, 1)
        self.scale, self.last = scale, last

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map a batch."""
        x = x + self.scale * self.join(torch.cat([branch(x) for branch in self.branches], 1))
        return x if self.last else x.relu()


@register
def inception_resnet_v1(classes: int, width: int = 32) -> nn.Sequential:
    """Inception-ResNet-v1 (Szegedy et al., AAAI 2017) with an embedding of 512, the paper's for faces.

    Args:
        classes: Number of outputs.
        width: Channels of the first convolution; all others are in proportion.
    """
    one, three = (1, 1), (3, 3)

    def c(channels: int) -> int:
        return max(1, channels * width // 32)

    # channels of the three stages; a reduction passes on those of its input through the pooling
    a = c(256)
    b = c(384) + c(256) + a
    d = c(384) + 2 * c(256) + b
    blocks_a = [
        Residual(
            a,
            0.17,
            [(c(32), one, 1)],
            [(c(32), one, 1), (c(32), three, 1)],
            [(c(32), one, 1), (c(32), three, 1), (c(32), three, 1)],
        )
        for _ in range(5)
    ]
    blocks_b = [
        Residual(b, 0.1, [(c(128), one, 1)], [(c(128), one, 1), (c(128), (1, 7), 1), (c(128), (7, 1), 1)])
        for _ in range(10)
    ]
    blocks_c = [
        Residual(
            d,
            0.2,
            [(c(192), one, 1)],
            [(c(192), one, 1), (c(192), (1, 3), 1), (c(192), (3, 1), 1)],
            last=number == 5,
        )
        for number in range(6)
    ]
    layers: list[nn.Module] = [
        Normalise(),
        *_chain(3, (c(32), three, 2), (c(32), three, 1), (c(64), three, 1)),
        _pool(),
        *_chain(c(64), (c(80), one, 1), (c(192), three, 1), (a, three, 2)),
        *blocks_a,
        Reduction(
            _chain(a, (c(384), three, 2)),
            _chain(a, (c(192), one, 1), (c(192), three, 1), (c(256), three, 2)),
            _pool(),
        ),
        *blocks_b,
        Reduction(
            _chain(b, (c(256), one, 1), (c(384), three, 2)),
            _chain(b, (c(256), one, 1), (c(256), three, 2)),
            _chain(b, (c(256), one, 1), (c(256), three, 1), (c(256), three, 2)),
            _pool(),
        ),
        *blocks_c,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(d, c(FEATURES), bias=False),
        nn.BatchNorm1d(c(FEATURES)),
        nn.Linear(c(FEATURES), classes),
    ]
    return nn.Sequential(*layers)
