"""One photo in memory, and the one resize of the package. NumPy and Pillow only, so that workers stay small."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from unlearnable.budget import UInt8Array


@dataclass(frozen=True)
class Metadata:
    """What a file says about a photo besides its pixels, cleaned of everything that could hold another picture; empty where absent."""

    exif: bytes = b""
    xmp: bytes = b""


@dataclass(frozen=True)
class Photo:
    """The 8-bit reference of a photo: what is protected, and what the budget is counted from.

    Args:
        pixels: uint8; (H, W) if the photo is grey, (H, W, 2) grey with alpha, (H, W, 3) colour, (H, W, 4)
            colour with alpha.
        profile: ICC profile of the pixels, or None.
        metadata: Kept where it was asked for.
        notes: What a person should know about how the file was read.
    """

    pixels: UInt8Array
    profile: bytes | None = None
    metadata: Metadata = field(default_factory=Metadata)
    notes: tuple[str, ...] = ()

    @property
    def grey(self) -> bool:
        """Whether the photo has one channel besides alpha."""
        return self.pixels.ndim == 2 or self.pixels.shape[2] == 2

    @property
    def alpha(self) -> UInt8Array | None:
        """The alpha channel, uint8 (H, W), or None."""
        return self.pixels[..., -1] if self.pixels.ndim == 3 and self.pixels.shape[2] in (2, 4) else None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return int(self.pixels.shape[0]), int(self.pixels.shape[1])

    @property
    def opaque(self) -> UInt8Array:
        """The pixels without alpha: uint8 (H, W) or (H, W, 3)."""
        if self.pixels.ndim == 2:
            return self.pixels
        return self.pixels[..., 0] if self.grey else self.pixels[..., :3]

    def rgb(self) -> UInt8Array:
        """Return uint8 (H, W, 3), as a trainer's ``convert("RGB")`` sees the photo: alpha dropped, grey repeated."""
        return np.repeat(self.opaque[..., None], 3, axis=2) if self.grey else self.opaque


def squash(pixels: UInt8Array, side: int) -> UInt8Array:
    """Resize uint8 (H, W) or (H, W, C) to a square of ``side`` pixels (antialiased bilinear); unchanged if it has that size."""
    if pixels.shape[:2] == (side, side):
        return pixels
    from PIL import Image  # here, so that a search on images of one size needs no Pillow

    return np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BILINEAR))
