"""An image file taken apart: the picture, and what lies beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from PIL import Image

ONLY_FIRST = "only the first of several pictures in the file was read"
# bytes; profiles of printers have two or three million, and compressed ones could grow without limit
MAX_PROFILE = 16_000_000
# Parts of a file that are looked at, and bytes between them that belong to none. Files with more are damaged.
MAX_PARTS, MAX_JUNK = 1_000_000, 8_192
# a profile that cannot be unpacked: no reader accepts it
BROKEN_PROFILE = b"broken"


class Data(Protocol):
    """The bytes of a file: ``bytes``, or a file of which only slices are read."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> bytes: ...


class Unsupported(ValueError):
    """An intact image of a kind that is not read. The message completes "FILE ..."."""


@dataclass(frozen=True)
class Container:
    """One image file.

    Args:
        format: Pillow's name of the format.
        size: (width, height) in pixels as stored, before the orientation is applied.
        load: Decodes the picture: an image in a mode of 8 bits, without metadata and not turned.
        orientation: EXIF orientation, 1 to 8.
        exif: EXIF block, a TIFF structure with or without the prefix ``Exif``.
        xmp: XMP packet.
        profile: ICC profile.
        notes: Remarks for the user.
    """

    format: str
    size: tuple[int, int]
    load: Callable[[], Image.Image]
    orientation: int = 1
    exif: bytes = b""
    xmp: bytes = b""
    profile: bytes | None = None
    notes: tuple[str, ...] = ()
