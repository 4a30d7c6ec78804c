"""WebP: only the chunks of the picture reach the decoder."""

from __future__ import annotations

from typing import Any

from PIL import Image, WebPImagePlugin

from unlearnable.data.containers.base import MAX_PARTS, ONLY_FIRST, Container, Data
from unlearnable.data.containers.ifd import orientation_of

# bits of the chunk VP8X that announce a profile, EXIF and XMP
BESIDE = 0x20 | 0x08 | 0x04


def read(data: Data) -> Container:
    """Return a WebP file taken apart.

    Raises:
        ValueError: If the file has no picture.
    """
    picture: list[bytes | tuple[int, int]] = []
    beside: dict[bytes, bytes] = {}
    frames, size = 0, None
    at, end = 12, min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    for _ in range(MAX_PARTS):
        head = data[at : at + 30]
        kind, length = head[:4], int.from_bytes(head[4:8], "little")
        if at + 8 > end or not kind.isascii() or not kind[:1].isalpha():
            break
        after = at + 8 + length + length % 2
        if kind in (b"ICCP", b"EXIF", b"XMP "):
            beside.setdefault(kind, data[at + 8 : at + 8 + length])
        elif kind == b"VP8X" and length >= 10:
            picture.append(head[:8] + bytes([head[8] & ~BESIDE]) + data[at + 9 : after])
        elif kind in (b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF"):
            picture.append((at, after))
            frames += kind == b"ANMF"
        size = size or _size(kind, head)
        at = after
    if size is None:
        raise ValueError("it has no picture")
    orientation = orientation_of(beside.get(b"EXIF", b""))
    notes = [ONLY_FIRST] if frames > 1 else []
    if orientation is None:
        notes.append("its EXIF data cannot be read and was left out")

    def load() -> Image.Image:
        parts = [part if isinstance(part, bytes) else data[part[0] : part[1]] for part in picture]
        body = b"WEBP" + b"".join(parts)
        return _decoded(b"RIFF" + len(body).to_bytes(4, "little") + body, size)

    return Container(
        "WEBP",
        size,
        load,
        orientation or 1,
        beside.get(b"EXIF", b"") if orientation else b"",
        beside.get(b"XMP ", b""),
        beside.get(b"ICCP"),
        tuple(notes),
    )


def _size(kind: bytes, head: bytes) -> tuple[int, int] | None:
    if kind == b"VP8X" and len(head) >= 18:
        return int.from_bytes(head[12:15], "little") + 1, int.from_bytes(head[15:18], "little") + 1
    if kind == b"VP8 " and head[11:14] == b"\x9d\x01\x2a":
        # the two highest bits are a scale
        return (
            int.from_bytes(head[14:16], "little") & 0x3FFF,
            int.from_bytes(head[16:18], "little") & 0x3FFF,
        )
    if kind == b"VP8L" and head[8:9] == b"\x2f":
        bits = int.from_bytes(head[9:13], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return None


def _decoded(stream: bytes, size: tuple[int, int]) -> Image.Image:
    # Pillow's decoder itself, because Pillow's class compares the size with a limit of the whole process
    module: Any = WebPImagePlugin
    decoder = module._webp.WebPAnimDecoder(stream)
    frame = decoder.get_next()
    if frame is None:
        raise ValueError("it is truncated or damaged")
    mode = decoder.get_info()[-1]
    return Image.frombytes("RGBA" if mode == "RGBA" else "RGB", size, frame[0], "raw", mode)
