"""JPEG as a differentiable step, for noise that survives it."""

from __future__ import annotations

import torch

from unlearnable.errors import UsageError


def encoded(x: torch.Tensor, quality: int) -> torch.Tensor:
    """Return images after JPEG compression, with a smooth stand-in for the gradient of its rounding.

    Chroma is 4:2:0. The transform and its tables are kornia's (after Reich et al., "Differentiable JPEG",
    WACV 2024).

    Args:
        x: float (N, 3, H, W) in [0, 1].
        quality: 1 to 100, on Pillow's scale.

    Returns:
        float (N, 3, H, W) in [0, 1].

    Raises:
        UsageError: If kornia is not installed.
    """
    try:
        from kornia.enhance import jpeg_codec_differentiable
    except ImportError:
        raise UsageError(
            "The setting `jpeg` needs kornia, which is not installed.",
            "Install the extra: pip install 'unlearnable[jpeg]'.",
        ) from None
    whole: torch.Tensor = jpeg_codec_differentiable(
        x.contiguous(), torch.full((len(x),), float(quality), dtype=x.dtype, device=x.device)
    )
    return whole.clamp(0, 1)
