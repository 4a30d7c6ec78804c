"""BMP, with or without alpha."""

from __future__ import annotations

import io

from PIL import BmpImagePlugin, Image

from unlearnable.data.containers.base import Container, Data, Unsupported

# length of the header of the oldest kind, whose sides have two bytes
OLD_HEADER = 12
# least length of a header with a mask of alpha, and the place of that mask
WITH_ALPHA, ALPHA_MASK = 56, 66
# kinds of compression that mean masks
MASKED = (b"\3\0\0\0", b"\6\0\0\0")


def read(data: Data) -> Container:
    """Return a BMP file taken apart.

    Raises:
        Unsupported: If it has 16 bits per pixel, some of them alpha, which Pillow leaves out.
        ValueError: If the header is damaged.
    """
    head = data[0:26]
    if len(head) < 26:
        raise ValueError("it is truncated")
    if int.from_bytes(head[14:18], "little") == OLD_HEADER:
        width, height = int.from_bytes(head[18:20], "little"), int.from_bytes(head[20:22], "little")
    else:
        width = int.from_bytes(head[18:22], "little", signed=True)
        # a negative height says that the first row is the upper one
        height = abs(int.from_bytes(head[22:26], "little", signed=True))
    if width <= 0 or height <= 0:
        raise ValueError("its header is damaged")
    bits = int.from_bytes(data[28:30], "little")
    masked = int.from_bytes(head[14:18], "little") >= WITH_ALPHA and data[30:34] in MASKED
    if bits == 16 and masked and any(data[ALPHA_MASK : ALPHA_MASK + 4]):
        raise Unsupported("is a BMP file of 16 bits with transparency, which is not read")

    def load() -> Image.Image:
        image = BmpImagePlugin.BmpImageFile(io.BytesIO(data[0 : len(data)]))
        image.load()
        # programs that do not know of alpha leave it at 0; nobody means a picture that cannot be seen
        if image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 0):
            return image.convert("RGB")
        return image

    return Container("BMP", (width, height), load)
