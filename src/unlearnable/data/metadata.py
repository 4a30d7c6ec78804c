"""The harmless part of EXIF and XMP, which ``--keep-metadata`` saves.

It is defined by lists of allowed fields, because no list of dangerous ones would be complete: thumbnails,
previews inside maker notes, depth maps that carry the original, and edit histories may all contain the clean
picture.
"""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from PIL import ExifTags, Image

from unlearnable.data.photo import Metadata

EXIF_IFD, GPS_IFD = 0x8769, 0x8825
# ImageDescription, Make, Model, resolutions and their unit, Software, DateTime, Artist, HostComputer,
# Copyright, Windows' title, comment, author, keywords and subject
MAIN = frozenset({270, 271, 272, 282, 283, 296, 305, 306, 315, 316, 33432, 40091, 40092, 40093, 40094, 40095})
MAKER_NOTE, INTEROPERABILITY = 37500, 40965
# the fields of the EXIF standard that describe exposure, lens and camera. The colour space and the sides in
# pixels are left out, because the published file itself says them.
PHOTO = frozenset(tag for tag in ExifTags.Base if tag in (33434, 33437) or 34850 <= tag <= 42082) - {
    GPS_IFD,
    MAKER_NOTE,
    INTEROPERABILITY,
    *range(40961, 40965),
}
GPS = frozenset(map(int, ExifTags.GPS))
ORIENTATION = 274
# bytes; descriptions of a photo are shorter, pictures hidden in a field are longer
MAX_VALUE = 4096
XMP_ALLOWED = frozenset(
    {
        "http://purl.org/dc/elements/1.1/",
        "http://ns.adobe.com/xap/1.0/rights/",
        "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
        "http://creativecommons.org/ns#",
        "http://ns.useplus.org/ldf/xmp/1.0/",
    }
)
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
MAX_XMP = 1_000_000


def cleaned(image: Image.Image) -> tuple[Metadata, tuple[str, ...]]:
    """Return the harmless EXIF and XMP (descriptions, rights, licences) of an image that is already upright.

    The EXIF orientation is set to 1, upright. A field that cannot be read or written is left out.

    Returns:
        The metadata, and remarks on what is damaged. Nothing in a file raises.
    """
    notes: list[str] = []
    exif = xmp = b""
    try:
        exif, whole = _exif(image.getexif())
        if not whole:
            notes.append("some of its EXIF data cannot be read and was left out")
    except Exception:
        # Pillow raises anything from struct.error to SyntaxError
        notes.append("its EXIF data cannot be read and was left out")
    try:
        found = image.info.get("xmp") or b""
        xmp = _rights(found if isinstance(found, bytes) else str(found).encode())
    except Exception:
        # the parser raises anything from ParseError to LookupError and RecursionError
        notes.append("its XMP data cannot be read and was left out")
    return Metadata(exif, xmp), tuple(notes)


def _exif(found: Image.Exif) -> tuple[bytes, bool]:
    """Return the allowed fields as an EXIF block, and whether all of them could be read and written."""
    allowed, whole = Image.Exif(), True
    for ifd, tags in ((None, MAIN), (EXIF_IFD, PHOTO), (GPS_IFD, GPS)):
        source = found if ifd is None else found.get_ifd(ifd)
        part = {}
        for tag in sorted(tags & set(source)):
            try:
                value = _bytes(source[tag]) if ifd is None else source[tag]
                if _short(value):
                    _block({tag: value}, ifd).tobytes()
                    part[tag] = value
            except Exception:
                # one field of a type that Pillow cannot write must not cost the others
                whole = False
        if ifd is None:
            allowed.update(part)
        elif part:
            allowed.get_ifd(ifd).update(part)
            allowed[ifd] = allowed.get_ifd(ifd)
    if not allowed:
        return b"", whole
    allowed[ORIENTATION] = 1
    return allowed.tobytes(), whole


def _block(fields: dict[int, Any], ifd: int | None) -> Image.Exif:
    block = Image.Exif()
    if ifd is None:
        block.update(fields)
    else:
        block.get_ifd(ifd).update(fields)
        block[ifd] = block.get_ifd(ifd)
    return block


def _bytes(value: Any) -> Any:
    # Pillow reads text as Latin-1 and writes ASCII, with question marks for everything else; bytes it leaves
    # as they are, and in the main block it knows that they are text
    return value.encode("latin-1", "replace") if isinstance(value, str) else value


def _short(value: Any) -> bool:
    if isinstance(value, bytes | str):
        return len(value) <= MAX_VALUE
    # a number takes up to 8 bytes; a table within a field is none of the standard's
    return not isinstance(value, dict) and (not isinstance(value, tuple) or 8 * len(value) <= MAX_VALUE)


def _rights(xmp: bytes) -> bytes:
    # XMP with a document type is dropped, because its entities could expand without limit
    if not xmp or len(xmp) > MAX_XMP or b"<!" in xmp:
        return b""
    root = ElementTree.fromstring(xmp.strip(b"\0 \r\n\t"))
    out = ElementTree.Element("{adobe:ns:meta/}xmpmeta")
    rdf = ElementTree.SubElement(out, f"{{{RDF}}}RDF")
    whole = ElementTree.SubElement(rdf, f"{{{RDF}}}Description", {f"{{{RDF}}}about": ""})
    for description in root.iter(f"{{{RDF}}}Description"):
        for name, value in description.attrib.items():
            if _allowed(name) and len(value) <= MAX_VALUE:
                whole.set(name, value)
        for element in description:
            if _allowed(element.tag) and len(ElementTree.tostring(element)) <= MAX_VALUE:
                whole.append(element)
    return ElementTree.tostring(out, encoding="utf-8") if len(whole) or len(whole.attrib) > 1 else b""


def _allowed(name: str) -> bool:
    return name.startswith("{") and name[1:].partition("}")[0] in XMP_ALLOWED
