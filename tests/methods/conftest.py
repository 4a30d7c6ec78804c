"""Images that several tests of methods share."""

from __future__ import annotations

import numpy as np
import pytest

from unlearnable.data.arrays import arrays
from unlearnable.data.image_set import ImageSet


@pytest.fixture(scope="module")
def scenes() -> ImageSet:
    """60 images of 24 px in three classes, each a coloured texture under noise of its own."""
    rng = np.random.default_rng(2)
    base = rng.integers(90, 165, (3, 6, 6, 3)).repeat(4, 1).repeat(4, 2)
    pixels = np.stack([base[i % 3] + rng.normal(0, 15, (24, 24, 3)) for i in range(60)])
    return arrays(pixels.clip(0, 255).astype(np.uint8), ["a", "b", "c"] * 20)
