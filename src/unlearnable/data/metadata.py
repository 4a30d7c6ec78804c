"""What is kept of EXIF and XMP where a person asks for it (``--keep-metadata``).

By lists of what is harmless, because what is dangerous has no end: thumbnails, previews inside maker notes,
depth maps that carry the original, edit histories. All of them may hold the clean picture.
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
LARGEST_VALUE = 4096  # bytes: nothing that describes a photo is longer
XMP_KEPT = frozenset(
    {
        "http://purl.org/dc/elements/1.1/",
        "http://ns.adobe.com/xap/1.0/rights/",
        "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
        "http://creativecommons.org/ns#",
        "http://ns.useplus.org/ldf/xmp/1.0/",
    }
)
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
LARGEST_XMP = 1_000_000


def cleaned(image: Image.Image) -> Metadata:
    """Return what may be kept of an upright image's EXIF (orientation 1) and XMP (descriptions, rights, licences)."""
    found = image.getexif()
    kept = Image.Exif()
    for tag, value in found.items():
        if tag in MAIN and _short(value):
            kept[tag] = value
    for ifd, never in ((EXIF_IFD, {MAKER_NOTE, INTEROPERABILITY}), (GPS_IFD, set())):
        part = {tag: value for tag, value in found.get_ifd(ifd).items() if tag not in never and _short(value)}
        if part:
            kept.get_ifd(ifd).update(part)
            kept[ifd] = kept.get_ifd(ifd)
    if kept:
        kept[ORIENTATION] = 1
    xmp = image.info.get("xmp", b"")
    return Metadata(
        kept.tobytes() if kept else b"", _rights(xmp if isinstance(xmp, bytes) else str(xmp).encode())
    )


def _short(value: object) -> bool:
    return not isinstance(value, bytes | str) or len(value) <= LARGEST_VALUE


def _rights(xmp: bytes) -> bytes:
    if not xmp or len(xmp) > LARGEST_XMP or b"<!" in xmp:  # a document type could define entities without end
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
            if _kept(name) and len(value) <= LARGEST_VALUE:
                whole.set(name, value)
        for element in description:
            if _kept(element.tag) and len(ElementTree.tostring(element)) <= LARGEST_VALUE:
                whole.append(element)
    return ElementTree.tostring(out, encoding="utf-8") if len(whole) or len(whole.attrib) > 1 else b""


def _kept(name: str) -> bool:
    return name.startswith("{") and name[1:].partition("}")[0] in XMP_KEPT
