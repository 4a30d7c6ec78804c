"""The kind of a file by its name, or by its first bytes where the name says nothing.

A photo that cannot be read is named, because people would believe it to be
protected. Other files, such as films and sidecar files, are only counted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from unlearnable.data.sniffing import format_of

# every photo has one of these extensions; its content decides how it is decoded
# fmt: off
PHOTOS = frozenset(
    (
        ".jpg", ".jpeg", ".jpe", ".jif", ".jfif", ".jfi", ".pjpeg", ".pjp", ".mpo", ".png", ".apng",
        ".webp", ".tif", ".tiff", ".bmp", ".dib", ".gif", ".avif", ".avifs", ".heic", ".heif", ".heics",
        ".heifs", ".hif",
    )
)
# raw files of cameras, by vendor: Adobe and phones, Canon, Nikon, Sony, Fujifilm, Olympus, Panasonic, Pentax,
# Samsung, Hasselblad, Phase One, Leaf, Mamiya, Minolta, Kodak, Epson, Sigma, Leica, GoPro
RAW = frozenset(
    (
        ".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".sr2", ".srf", ".raf", ".orf", ".ori",
        ".rw2", ".pef", ".srw", ".3fr", ".fff", ".iiq", ".mos", ".mef", ".mrw", ".dcr", ".kdc", ".erf",
        ".x3f", ".rwl", ".gpr",
    )
)
# formats of pictures that are not read
PICTURES = frozenset(
    (
        ".psd", ".psb", ".xcf", ".kra", ".jxl", ".jp2", ".j2k", ".jpf", ".jpx", ".jpm", ".jxr", ".wdp",
        ".hdp", ".exr", ".hdr", ".tga", ".pcx", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".qoi", ".bpg",
    )
)
# fmt: on
# folders that are the database of a photo tool, and hold each photo beside its previews
LIBRARIES = {
    ".photoslibrary": "Apple Photos",
    ".photolibrary": "iPhoto",
    ".migratedphotolibrary": "iPhoto",
    ".aplibrary": "Aperture",
    ".migratedaplibrary": "Aperture",
    ".lrlibrary": "Lightroom",
    ".cocatalog": "Capture One",
}
# pictures by content that are not photos of the user's: a camera's thumbnails of films
NO_PHOTOS = frozenset({".thm"})
# bytes that tell a photo
HEAD = 256
# the usual extension of each format that is read
SUFFIX = {
    "JPEG": ".jpg",
    "PNG": ".png",
    "GIF": ".gif",
    "WEBP": ".webp",
    "TIFF": ".tif",
    "BMP": ".bmp",
    "AVIF": ".avif",
    "HEIF": ".heic",
}
# kinds of other files that a summary names
SHOWN_KINDS = 6
USUAL_ENDING = re.compile(r"\.[a-z0-9_~!-]{1,10}")


def suffix_of(name: str) -> str:
    """Return the extension of a file name in lower case, with its dot; empty if it has none."""
    # as PurePath(name).suffix, in a tenth of the time
    stem, _, ending = name.rpartition("/")[2].rpartition(".")
    return f".{ending}".lower() if stem and ending else ""


def is_photo(name: str) -> bool:
    """Return whether a file of this name is taken for a photo."""
    return suffix_of(name) in PHOTOS


def reason_unreadable(name: str) -> str:
    """Return why a picture of this name cannot be read, and the remedy; empty if it is no such picture."""
    suffix = suffix_of(name)
    if suffix in RAW:
        return "a raw file of a camera, which is not read: export it as JPEG or PNG"
    if suffix in PICTURES:
        return f"a picture in a format that is not read ({suffix}): save it as JPEG or PNG"
    return ""


def library(name: str) -> str:
    """Return the tool whose photo library a folder of this name is; empty if it is none."""
    return LIBRARIES.get(suffix_of(name), "")


def sniffed(path: Path) -> str:
    """Return the extension that a file should have, if its first bytes are those of a photo; else nothing.

    Only for files whose extension is unknown. A file that cannot be read is no photo here.

    Args:
        path: A regular file.
    """
    if suffix_of(path.name) in NO_PHOTOS:
        return ""
    try:
        with open(path, "rb") as file:
            return SUFFIX.get(format_of(file.read(HEAD)) or "", "")
    except OSError:
        return ""


def kind_of_other(name: str) -> str:
    """Return the extension by which a file that is no photo is counted; empty if it has no usual one."""
    suffix = suffix_of(name)
    return suffix if USUAL_ENDING.fullmatch(suffix) else ""


def summary(others: Mapping[str, int]) -> str:
    """Return one sentence about files that are no photos, without its full stop.

    Args:
        others: Number of files by extension; the empty one for files without a usual extension.
    """
    total = sum(others.values())
    common = sorted(others.items(), key=lambda entry: (-entry[1], entry[0]))
    parts = [f"{count:,} {suffix or 'without an extension'}" for suffix, count in common[:SHOWN_KINDS]]
    parts += [f"{len(common) - SHOWN_KINDS} other kinds"] if len(common) > SHOWN_KINDS else []
    what = "1 other file is not a photo" if total == 1 else f"{total:,} other files are not photos"
    return f"{what}: {', '.join(parts)}"
