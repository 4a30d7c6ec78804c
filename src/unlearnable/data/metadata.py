"""The harmless part of EXIF and XMP, which ``--keep-metadata`` saves.

It is defined by lists of allowed fields, because no list of dangerous ones would be complete: thumbnails,
previews inside maker notes, depth maps that carry the original, and edit histories may all contain the clean
picture.
"""

from __future__ import annotations

from xml.etree import ElementTree

from PIL import Image

from unlearnable.data.photo import Metadata

EXIF_IFD, GPS_IFD = 0x8769, 0x8825
# ImageDescription, Make, Model, resolutions and their unit, Software, DateTime, Artist, HostComputer,
# Copyright, Windows' title, comment, author, keywords and subject
MAIN = frozenset({270, 271, 272, 282, 283, 296, 305, 306, 315, 316, 33432, 40091, 40092, 40093, 40094, 40095})
MAKER_NOTE, INTEROPERABILITY = 37500, 40965
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


def cleaned(image: Image.Image) -> Metadata:
    """Return the harmless EXIF and XMP (descriptions, rights, licences) of an image that is already upright.

    The EXIF orientation is set to 1, upright.
    """
    found = image.getexif()
    allowed = Image.Exif()
    for tag, value in found.items():
        if tag in MAIN and _short(value):
            allowed[tag] = value
    for ifd, never in ((EXIF_IFD, {MAKER_NOTE, INTEROPERABILITY}), (GPS_IFD, set())):
        part = {tag: value for tag, value in found.get_ifd(ifd).items() if tag not in never and _short(value)}
        if part:
            allowed.get_ifd(ifd).update(part)
            allowed[ifd] = allowed.get_ifd(ifd)
    if allowed:
        allowed[ORIENTATION] = 1
    xmp = image.info.get("xmp", b"")
    return Metadata(
        allowed.tobytes() if allowed else b"", _rights(xmp if isinstance(xmp, bytes) else str(xmp).encode())
    )


def _short(value: object) -> bool:
    return not isinstance(value, bytes | str) or len(value) <= MAX_VALUE


def _rights(xmp: bytes) -> bytes:
    # XMP with a document type is dropped, because its entities could expand without limit
    if not xmp or len(xmp) > MAX_XMP or b"<!" in xmp:
        return b""
    try:
        root = ElementTree.fromstring(xmp.strip(b"\0 \r\n\t"))
    except ElementTree.ParseError:
        return b""
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
