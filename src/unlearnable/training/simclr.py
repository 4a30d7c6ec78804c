"""The augmentation of contrastive learners, with a strength, as differentiable tensor code.

Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations" (SimCLR), ICML 2020,
arXiv:2002.05709, Appendix A, with the strength of Wang et al., NeurIPS 2024, arXiv:2402.04010.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from unlearnable.training.compute import Compute
from unlearnable.training.transforms import Transform

CROP, LEAST = 0.9, 0.05  # the smallest crop is 1 - CROP * strength of the area, and at least LEAST
JITTER, HUE, GREY = 0.4, 0.1, 0.2  # largest change of colours and of the hue, and share turned grey, at 1
JITTERED, MOST = 0.8, 0.99  # share of images whose colours change, at 1, and the most
LUMA = (0.299, 0.587, 0.114)


def augmented(x: torch.Tensor, strength: float, rng: torch.Generator, compute: Compute) -> torch.Tensor:
    """Return images cropped, resized, flipped, with other colours, and some of them grey.

    At strength s: a crop of a share in (1 - 0.9 s, 1) of the area; with probability 0.8 s, brightness,
    contrast and saturation changed by a factor in 1 +- 0.4 s and the hue turned by up to 0.1 s; grey with
    probability 0.2 s. Colours change in this order, where torchvision and kornia draw one.

    Args:
        x: float (B, 3, S, S) in [0, 1], on the device.
        strength: s in [0, 1]; 0 returns the images as they are.
        rng: Generator on the CPU.
        compute: Device and precision.

    Returns:
        float (B, 3, S, S) in [0, 1]; differentiable in ``x``.
    """
    if not strength:
        return x
    smallest = max(LEAST, 1 - CROP * strength)
    transform = Transform("photo", (smallest, 1.0), jitter=JITTER * strength, hue=HUE * strength)
    draw = transform.draw(len(x), rng, compute)
    assert draw is not None
    assert draw.colours is not None
    assert draw.hues is not None
    jittered, grey = (
        compute.send((torch.rand(len(x), 1, 1, 1, generator=rng) < share).float())
        for share in (min(MOST, JITTERED * strength), GREY * strength)
    )
    draw = replace(draw, colours=1 + jittered * (draw.colours - 1), hues=jittered * draw.hues)
    x = transform(x, x.shape[-1], draw)
    weights = compute.send(torch.tensor(LUMA, dtype=compute.dtype)).view(1, 3, 1, 1)
    return x + grey * ((x * weights).sum(1, keepdim=True) - x)
