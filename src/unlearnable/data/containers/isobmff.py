"""AVIF and HEIC, which share a container."""

from __future__ import annotations

import io
import re
from typing import Any

from PIL import AvifImagePlugin, Image

from unlearnable.data.containers.base import ONLY_FIRST, Container, Data
from unlearnable.data.containers.ifd import orientation_of

# entries of the list of items, up to the kind of the item: EXIF, or XMP as ``mime``
ITEM = re.compile(rb"(infe(?:\x02.{7}|\x03.{9}))(Exif|mime)", re.DOTALL)
# bytes of a file that hold the list of items
HEAD = 1_000_000


class MissingReader(Exception):
    """The package that reads HEIC is not installed."""


def read(data: Data, format: str) -> Container:
    """Return an AVIF or HEIC file taken apart.

    Args:
        data: Bytes of the file.
        format: ``AVIF`` or ``HEIF``.

    Raises:
        MissingReader: If it is HEIC and the extra is not installed.
        ValueError: If the file has no picture. The decoders raise other exceptions too.
    """
    whole = data[0 : len(data)]
    notes = []
    try:
        image = _opened(whole, format)
        orientation = orientation_of(image.info.get("exif") or b"")
    except MissingReader:
        raise
    except Exception:
        # once more without metadata, which may be all that is damaged
        image, orientation = _opened(ITEM.sub(rb"\1skip", whole[:HEAD]) + whole[HEAD:], format), None
    if orientation is None:
        notes.append("its EXIF data cannot be read and was left out")
    if getattr(image, "is_animated", False):
        notes.append(ONLY_FIRST)
    info: dict[Any, Any] = dict(image.info)
    # orientation and metadata are handed on apart
    for key in ("exif", "xmp"):
        image.info.pop(key, None)

    def load() -> Image.Image:
        image.load()
        return image

    return Container(
        format,
        image.size,
        load,
        orientation or 1,
        (info.get("exif") or b"") if orientation else b"",
        info.get("xmp") or b"",
        info.get("icc_profile") or None,
        tuple(notes),
    )


def claimed_pixels(head: bytes) -> int:
    """Return the pixels of the largest picture that the properties in the first bytes of a file announce."""
    found = (match.end() + 4 for match in re.finditer(b"ispe", head))
    sides = ((head[at : at + 4], head[at + 4 : at + 8]) for at in found)
    return max((int.from_bytes(width) * int.from_bytes(height) for width, height in sides), default=0)


def _opened(data: bytes, format: str) -> Image.Image:
    if format == "AVIF":
        return AvifImagePlugin.AvifImageFile(io.BytesIO(data))
    try:
        # without registering it, which would change what Pillow opens in the whole process
        from pillow_heif import HeifImageFile
    except ImportError:
        raise MissingReader from None
    opener: Any = HeifImageFile
    image: Image.Image = opener(io.BytesIO(data))
    return image
