"""Greyscale (Liu, Zhao and Larson, "Image shortcut squeezing", ICML 2023, arXiv:2301.13838)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from unlearnable.countermeasures.base import Countermeasure, changed
from unlearnable.countermeasures.registry import register


@register
@dataclass(frozen=True)
class Grey(Countermeasure):
    """Images are turned grey: their luminance by ITU-R 601 in each channel (Liu et al., ICML 2023).

    Test images too, since who trains on grey images will look at grey images; the authors' code leaves them
    in colour unless told otherwise.
    """

    name: ClassVar[str] = "grey"
    test_time: ClassVar[bool] = True

    def prepare(
        self, pixels: torch.Tensor, labels: torch.Tensor | None, rng: torch.Generator
    ) -> torch.Tensor:
        """Return grey images, in the integers of Pillow's conversion to ``L``."""

        def luminance(some: torch.Tensor) -> torch.Tensor:
            red, green, blue = some.int().unbind(1)
            return ((19595 * red + 38470 * green + 7471 * blue + 32768) >> 16).unsqueeze(1)

        return changed(pixels, luminance)
