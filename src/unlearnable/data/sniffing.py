"""The kind of a file by its first bytes: the formats that are read, and what other files are."""

from __future__ import annotations

# bytes that are looked at
HEAD = 4096
# bytes of the second header of a BMP file, in every version
BMP_HEADERS = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
AVIF_BRANDS = frozenset({b"avif", b"avis"})
# Files by how they begin. Longer beginnings come first where one begins like another.
OTHERS = (
    (b"%!", "PostScript"),
    (b"\xc5\xd0\xd3\xc6", "PostScript"),
    (b"%PDF", "PDF"),
    (b"8BPS", "a Photoshop document"),
    (b"gimp xcf", "a GIMP document"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"FUJIFILMCCD-RAW", "the raw data of a camera"),
    (b"IIRO", "the raw data of a camera"),
    (b"IIRS", "the raw data of a camera"),
    (b"MMOR", "the raw data of a camera"),
    (b"IIU\0", "the raw data of a camera"),
    (b"FOVb", "the raw data of a camera"),
    (b"\0MRM", "the raw data of a camera"),
    (b"II\xbc", "JPEG XR"),
    (b"\xd7\xcd\xc6\x9a", "a Windows metafile"),
    (b"\x01\0\0\0\x58\0\0\0", "a Windows metafile"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an OLE document, such as of Office or FlashPix"),
    (b"\0\0\1\0", "a Windows icon"),
    (b"\0\0\2\0", "a Windows cursor"),
    (b"icns", "a macOS icon"),
    (b"DDS ", "a DirectX texture"),
    (b"v/1\x01", "OpenEXR"),
    (b"#?RADIANCE", "a Radiance picture"),
    (b"qoif", "a QOI picture"),
    (b"BPG\xfb", "a BPG picture"),
    (b"SIMPLE  =", "a FITS picture"),
    (b"\x0a\x05\x01\x08", "a PCX picture"),
    (b"AT&TFORM", "DjVu"),
    (b"PK", "a ZIP archive, or a document that is one"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "Zstandard"),
    (b"\x1aE\xdf\xa3", "a Matroska or WebM film"),
    (b"FLV\x01", "a Flash film"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a Windows Media film"),
    (b"\0\0\1\xba", "an MPEG film"),
    (b"\0\0\1\xb3", "an MPEG film"),
    (b"ID3", "sound"),
    (b"OggS", "sound or a film (Ogg)"),
    (b"fLaC", "sound"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\xcf\xfa\xed\xfe", "a program"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\x89HDF", "HDF5"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x80\x02", "a Python pickle"),
    (b"\x80\x04", "a Python pickle"),
    (b"\x80\x05", "a Python pickle"),
    (b"\0\5\x16\7", "the side data of a file from macOS (AppleDouble)"),
    (b"version https://git-lfs", "a pointer of Git LFS; `git lfs pull` fetches the photo"),
    (b"bplist", "a property list"),
    (b"{\\rtf", "a text document"),
)
# markup, after blanks and in any case
MARKUP = ((b"<!doctype html", "HTML"), (b"<html", "HTML"), (b"<svg", "SVG"), (b"<?xml", "XML"))


def format_of(head: bytes) -> str | None:
    """Return Pillow's name of the format of a file; None if it is none that is read.

    Args:
        head: The first bytes of the file, 64 or more.
    """
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    # the letters after a TIFF header are those of Canon's raw files
    if head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")) and head[8:10] != b"CR":
        return "TIFF"
    # two letters are not enough: the second header must have a length that exists
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in BMP_HEADERS:
        return "BMP"
    if head[4:8] == b"ftyp":
        brands = _brands(head)
        # AVIF first: both kinds of files may name the brands that they share
        if AVIF_BRANDS & brands:
            return "AVIF"
        if HEIC_BRANDS & brands:
            return "HEIF"
    return None


def what_it_is(head: bytes) -> str:
    """Return what a file is that has no format that is read; empty if its first bytes do not tell.

    Args:
        head: The first bytes of the file, up to 4,096.
    """
    for beginning, kind in OTHERS:
        if head.startswith(beginning):
            return kind
    if head[:4] == b"RIFF":
        return "an AVI film" if head[8:12] == b"AVI " else "sound" if head[8:12] == b"WAVE" else "RIFF"
    if head[4:8] == b"ftyp":
        return "the raw data of a camera" if head[8:12] == b"crx " else "a film (MP4 or QuickTime)"
    if head[4:8] in (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"):
        return "a film (QuickTime)"
    if head[:1] == b"\x47" and head[188:189] == b"\x47" and head[376:377] == b"\x47":
        return "an MPEG film"
    if head[8:10] == b"CR" and head[:2] == b"II":
        return "the raw data of a camera"
    if head[128:132] == b"DICM":
        return "DICOM"
    if head[257:262] == b"ustar":
        return "a tar archive"
    if not head.strip(b"\0"):
        return "zeros only, as after an interrupted copy"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    for beginning, kind in MARKUP:
        if text[: len(beginning)].lower() == beginning:
            return "SVG" if kind == "XML" and b"<svg" in head else kind
    return "text" if _is_text(head) else ""


def _brands(head: bytes) -> set[bytes]:
    box = head[8 : min(int.from_bytes(head[:4]), 256)]
    # the first is the main one, then comes its version
    return {box[:4], *(box[at : at + 4] for at in range(8, len(box) - 3, 4))}


def _is_text(head: bytes) -> bool:
    try:
        # the last character may be cut off
        text = head[: max(len(head) - 3, 1)].decode()
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character in "\t\r\n\f" for character in text)
