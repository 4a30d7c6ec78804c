"""A model with a gradient to its input only. Noise steps call it thousands of times between trainings."""

from __future__ import annotations

import copy
from itertools import pairwise

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from unlearnable.training.compute import Compute


def freeze(model: nn.Module, compute: Compute) -> nn.Module:
    """Return a copy of a model in eval mode, with a gradient to its input and to nothing else.

    Batch normalisation that follows a convolution in a ``Sequential`` is a fixed scale and shift in eval
    mode, and becomes part of the convolution: w' = w s and b' = b - m s with s = g / sqrt(v + e). Where the
    precision is bfloat16, weights are rounded once, here, rather than at every call (autocast rounds weights
    without a gradient at each call).

    Args:
        model: A model on the device of ``compute``.
        compute: Device and precision; the copy is called under ``compute.autocast()`` like the model.

    Returns:
        A module that maps the same input to the same logits, up to rounding.
    """
    frozen = copy.deepcopy(model).eval().requires_grad_(False)
    for block in [module for module in frozen.modules() if isinstance(module, nn.Sequential)]:
        for (before, layer), (after, following) in pairwise(list(block.named_children())):
            if isinstance(layer, nn.Conv2d) and isinstance(following, nn.BatchNorm2d):
                setattr(block, before, fuse_conv_bn_eval(layer, following))
                setattr(block, after, nn.Identity())
    if compute.precision == "bfloat16":
        for module in frozen.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.to(torch.bfloat16)
    # fusing makes new parameters
    frozen = frozen.requires_grad_(False)
    return frozen.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
