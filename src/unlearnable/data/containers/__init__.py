"""Image files taken apart: one file for each format that is read."""

from __future__ import annotations

from unlearnable.data.containers import bmp, gif, isobmff, jpeg, png, tiff, webp
from unlearnable.data.containers.base import Container, Data, Unsupported
from unlearnable.data.containers.isobmff import MissingReader

__all__ = ["Container", "Data", "MissingReader", "Unsupported", "taken_apart"]

READERS = {
    "JPEG": jpeg.read,
    "PNG": png.read,
    "WEBP": webp.read,
    "TIFF": tiff.read,
    "BMP": bmp.read,
    "GIF": gif.read,
}


def taken_apart(data: Data, format: str) -> Container:
    """Return an image file taken apart. Nothing is decoded yet.

    Args:
        data: Bytes of the file.
        format: One of the names that ``sniffing.format_of`` returns.

    Raises:
        Unsupported: If it is an intact image of a kind that is not read.
        MissingReader: If the package for HEIC is not installed.
        ValueError: If the file is damaged. The decoders of AVIF and HEIC raise other exceptions too.
    """
    return READERS[format](data) if format in READERS else isobmff.read(data, format)
