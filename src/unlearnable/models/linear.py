"""A linear classifier on pixels, without biases: two layers with nothing between them."""

from __future__ import annotations

from torch import nn

from unlearnable.models.registry import register


@register
def linear(classes: int, width: int = 128, side: int = 32) -> nn.Module:
    """A linear classifier on pixels in two layers without biases (Liu et al., ICLR 2026, arXiv:2601.19967).

    Nothing is subtracted from its input, so the output of a sum is the sum of the outputs. The authors have
    as many units between the layers as classes; with at least that many, the two layers are any linear map.

    Args:
        classes: Number of outputs.
        width: Units between the two layers.
        side: Side in pixels to which images are averaged, or repeated, first.
    """
    return nn.Sequential(
        nn.AdaptiveAvgPool2d(side),
        nn.Flatten(),
        nn.Linear(3 * side * side, width, bias=False),
        nn.Linear(width, classes, bias=False),
    )
