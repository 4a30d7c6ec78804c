"""One photo in memory, and the resize to a square. NumPy and Pillow only, so that workers start fast."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from unlearnable.budget import UInt8Array


@dataclass(frozen=True)
class Metadata:
    """EXIF and XMP of a photo, without anything that could contain another picture. Empty if absent.

    Args:
        exif: EXIF block.
        xmp: XMP packet.
    """

    exif: bytes = b""
    xmp: bytes = b""


@dataclass(frozen=True)
class Photo:
    """The 8-bit reference of a photo: noise is added to it, and the budget is counted from it.

    Args:
        pixels: uint8; (H, W) grey, (H, W, 2) grey with alpha, (H, W, 3) colour, (H, W, 4) colour with alpha.
        profile: ICC profile of the pixels, or None.
        metadata: EXIF and XMP, if they were asked for.
        notes: Remarks for the user on how the file was read.
    """

    pixels: UInt8Array
    profile: bytes | None = None
    metadata: Metadata = field(default_factory=Metadata)
    notes: tuple[str, ...] = ()

    @property
    def grey(self) -> bool:
        """Whether the photo has one channel, not counting alpha."""
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

    def resized(self, size: tuple[int, int]) -> Photo:
        """Return the photo at another (height, width), by Lanczos as sites do; itself at its own size."""
        if size == self.size:
            return self
        from PIL import Image

        image = Image.fromarray(self.pixels)
        # colours are weighted by alpha, so that those of transparent pixels do not bleed into others
        mode = {"LA": "La", "RGBA": "RGBa"}.get(image.mode, image.mode)
        small = image.convert(mode).resize(size[::-1], Image.Resampling.LANCZOS).convert(image.mode)
        note = "resized from {1} x {0} to {3} x {2} pixels".format(*self.size, *size)
        return replace(self, pixels=np.asarray(small), notes=(*self.notes, note))

    def rgb(self) -> UInt8Array:
        """Return uint8 (H, W, 3) like Pillow's ``convert("RGB")``: alpha dropped, grey repeated."""
        return np.repeat(self.opaque[..., None], 3, axis=2) if self.grey else self.opaque


def squash(pixels: UInt8Array, side: int) -> UInt8Array:
    """Return an image resized to a square, antialiased bilinear; unchanged if it has that size already.

    Args:
        pixels: uint8 (H, W) or (H, W, C).
        side: Side of the square in pixels.
    """
    if pixels.shape[:2] == (side, side):
        return pixels
    # imported late, so that a search on images of that size does not need Pillow
    from PIL import Image

    return np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BILINEAR))
