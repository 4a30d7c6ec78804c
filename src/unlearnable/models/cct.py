"""A compact convolutional transformer: the one network here that is trained from scratch and attends.

Hassani et al., "Escaping the Big Data Paradigm with Compact Transformers", 2021 (CCT). A vision transformer
(Dosovitskiy et al., ICLR 2021) needs millions of images; convolutions before it, and an average of all tokens
weighted by attention after it, let it learn from thousands. Departures: the convolutions have a stride and
batch normalisation instead of pooling (Xiao et al., "Early Convolutions Help Transformers See Better",
NeurIPS 2021), because with pooling it did not learn with SGD in our trials; positions are sines and cosines,
which fit every size of image; there is no dropout and no stochastic depth.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from unlearnable.errors import UsageError
from unlearnable.models.parts import Normalise, conv_bn
from unlearnable.models.registry import register

# channels of an attention head
HEAD = 32
# scale of the first weights of the last linear layer of each residual branch
RESIDUAL = 0.1
# scale of positions: convolutions return values of about 1
POSITIONS = 0.3


class Tokens(nn.Module):
    """Turns a feature map into tokens with positions: float (N, C, H, W) to (N, H W, C)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map a batch."""
        tokens = x.flatten(2).transpose(1, 2)
        return tokens + POSITIONS * _positions(x.shape[2], x.shape[3], x.shape[1]).to(tokens)


def _positions(height: int, width: int, channels: int) -> torch.Tensor:
    """Return sines and cosines of each row and column, float (H W, C); C is a multiple of 4.

    Vaswani et al., NeurIPS 2017, section 3.5, a quarter of the channels for each of the four.
    """
    rates = 10_000.0 ** -(torch.arange(channels // 4) / max(1, channels // 4))
    rows, columns = (torch.arange(length)[:, None] * rates for length in (height, width))
    rows, columns = rows.repeat_interleave(width, 0), columns.repeat(height, 1)
    return torch.cat((rows.sin(), rows.cos(), columns.sin(), columns.cos()), 1)


class Layer(nn.Module):
    """A layer of a transformer that normalises before attention and before the two linear layers."""

    def __init__(self, width: int, heads: int, ratio: int = 2) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mixed, self.joined = nn.Linear(width, 3 * width), nn.Linear(width, width)
        wide = (nn.Linear(width, ratio * width), nn.Linear(ratio * width, width))
        self.wide = nn.Sequential(wide[0], nn.GELU(), wide[1])
        for linear in (self.mixed, self.joined, *wide):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)
        with torch.no_grad():
            # with larger first weights, the learning rates of the other networks would be too large for it
            self.joined.weight.mul_(RESIDUAL)
            wide[1].weight.mul_(RESIDUAL)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map tokens, float (N, T, C)."""
        parts = self.mixed(self.before(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        found = F.scaled_dot_product_attention(*parts.unbind(0))
        x = x + self.joined(found.transpose(1, 2).flatten(2))
        out: torch.Tensor = x + self.wide(self.between(x))
        return out


class AttentionPool(nn.Module):
    """Averages tokens with weights that a linear layer gives them ("sequence pooling", section 3.2)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        # without a bias, which softmax would cancel
        self.weight = nn.Linear(width, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map float (N, T, C) to (N, C)."""
        pooled: torch.Tensor = (self.weight(x).softmax(1) * x).sum(1)
        return pooled


@register
def cct(classes: int, width: int = 128, depth: int = 4, stages: int = 2) -> nn.Module:
    """A compact convolutional transformer; small enough to train from scratch on thousands of images.

    Args:
        classes: Number of outputs.
        width: Channels of a token; one attention head for every 32.
        depth: Number of transformer layers.
        stages: Number of convolutions before them; each halves the image.
    """
    heads = max(1, width // HEAD)
    if width % 4 or width % heads:
        raise UsageError(
            f"The width of cct is {width}, but must be a multiple of 4 and of its number of heads, {heads}.",
            "Give a multiple of 32, such as width=128.",
        )
    layers: list[nn.Module] = [Normalise()]
    inputs = 3
    for stage in range(stages):
        outputs = width if stage == stages - 1 else max(4, width // 2)
        layers += [*conv_bn(inputs, outputs, 3, 2), nn.ReLU(inplace=True)]
        inputs = outputs
    layers += [Tokens(), *(Layer(width, heads) for _ in range(depth))]
    return nn.Sequential(*layers, nn.LayerNorm(width), AttentionPool(width), nn.Linear(width, classes))
