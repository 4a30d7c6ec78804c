"""Benchmark sets by name, read from their published files, which are verified by checksum.

Images have their published size, 32 px (28 px for Fashion-MNIST). Ids number the images in the order of the
files: ``train/00042``.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from unlearnable import hashing
from unlearnable.budget import UInt8Array
from unlearnable.data.benchmark_table import BENCHMARKS, Benchmark, Part, PublishedFile
from unlearnable.data.formats import Pair, members
from unlearnable.data.image_set import ImageSet, from_entries
from unlearnable.data.photo import Photo
from unlearnable.errors import DataError, UsageError
from unlearnable.user_cache import user_cache


@dataclass(frozen=True)
class BenchmarkSource:
    """The images of one part of a benchmark, in one array.

    Args:
        images: uint8 (N, H, W) or (N, H, W, 3), in the order of the files.
        classes: Class names by the labels of the files; for Fashion-MNIST they are not in alphabetical order.
        files: SHA-256 of every file that was read, by name.
    """

    images: UInt8Array
    classes: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)

    def _image(self, id: str) -> UInt8Array:
        image: UInt8Array = self.images[int(id.rpartition("/")[2])]
        return image

    def load(self, id: str) -> tuple[Photo, str]:
        """Return an image and the hash of its pixels."""
        return Photo(self._image(id)), self.stamp(id)

    def size(self, id: str) -> tuple[int, int]:
        """Return (height, width)."""
        height, width = self._image(id).shape[:2]
        return height, width

    def stamp(self, id: str) -> str:
        """Return the hash of the pixels, which are in memory anyway."""
        return hashing.of_pixels(self._image(id))

    def origin(self, id: str) -> Photo:
        """Return the image itself."""
        return Photo(self._image(id))


def benchmark(
    name: str, part: str = "train", *, data_dir: str | Path | None = None, download: bool = False
) -> ImageSet:
    """Return one part of a benchmark as an ImageSet.

    Published files must have their published checksum. CIFAR may also be unpacked, as the ``.bin`` files of
    its binary version. Those have no published checksum, so only their sizes and labels are checked. Either
    way, ``source.files`` has the SHA-256 of the files.

    Args:
        name: ``cifar10``, ``cifar100``, ``svhn`` or ``fashion-mnist``.
        part: ``train`` or ``test``.
        data_dir: Folder with the files, ``~/.cache/unlearnable`` if None. Downloads go there too.
        download: Whether missing files may be downloaded (with pooch).

    Raises:
        UsageError: If there is no benchmark or part with that name.
        DataError: If a file is missing or is not the published one. The message lists the files and the
            folder they belong in.
    """
    if name not in BENCHMARKS or part not in BENCHMARKS[name].parts:
        raise UsageError(
            f"There is no benchmark {name!r} with a part {part!r}.",
            f"There are: {', '.join(BENCHMARKS)}; train and test.",
        )
    found = BENCHMARKS[name]
    wanted = found.parts[part]
    folder = Path(data_dir) if data_dir is not None else user_cache("--data-dir")
    remedy = _remedy(found, wanted, folder)
    unpacked = [folder / member for member in wanted.members]
    archived = all((folder / file.name).is_file() for file in wanted.files)
    if not archived and unpacked and all(path.is_file() for path in unpacked):
        contents = {path.name: path.read_bytes() for path in unpacked}
        pieces = list(contents.values())
    else:
        contents = {file.name: _published(found, file, folder, download, remedy) for file in wanted.files}
        pieces = (
            members(next(iter(contents.values())), wanted.members)
            if wanted.members
            else list(contents.values())
        )
    try:
        images, labels = _checked(found.decode(pieces), found, wanted)
    except (ValueError, KeyError, IndexError) as error:
        raise DataError(
            f"The files of {name} in {folder} do not have the published content ({error}).", remedy
        ) from error
    digests = {file: hashing.of_bytes(content) for file, content in contents.items()}
    entries = ((f"{part}/{index:05d}", found.classes[label]) for index, label in enumerate(labels.tolist()))
    return from_entries(entries, BenchmarkSource(images, found.classes, digests))


def _published(found: Benchmark, file: PublishedFile, folder: Path, download: bool, remedy: str) -> bytes:
    path = folder / file.name
    if not path.is_file():
        if not download:
            raise DataError(f"{path} is missing, and nothing is downloaded without being asked for.", remedy)
        _fetch(found.base + file.name, path, file.md5, remedy)
    content = path.read_bytes()
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != file.md5 and not _repacked(content, file):
        raise DataError(
            f"{path} is not the published file: its checksum is different.", f"Remove it. {remedy}"
        )
    return content


def _repacked(content: bytes, file: PublishedFile) -> bool:
    try:
        return (
            bool(file.unpacked_sha256) and hashing.of_bytes(gzip.decompress(content)) == file.unpacked_sha256
        )
    except (OSError, EOFError, zlib.error):
        return False


def _checked(pair: Pair, found: Benchmark, wanted: Part) -> Pair:
    images, labels = pair
    if not len(images) == len(labels) == wanted.count:
        raise ValueError(f"{len(images)} images and {len(labels)} labels instead of {wanted.count}")
    if labels.min() < 0 or labels.max() >= len(found.classes):
        raise ValueError(f"label {labels.max()} with {len(found.classes)} classes")
    return pair


def _fetch(url: str, path: Path, md5: str, remedy: str) -> None:
    import pooch

    # at its own level, pooch announces every download on stderr
    pooch.get_logger().setLevel("WARNING")
    try:
        pooch.retrieve(url, known_hash=f"md5:{md5}", fname=path.name, path=path.parent)
    except Exception as error:
        # pooch lets every exception of its downloader through, so no narrower type catches them all
        raise DataError(f"{url} cannot be downloaded ({type(error).__name__}).", remedy) from error


def _remedy(found: Benchmark, wanted: Part, folder: Path) -> str:
    files = "; ".join(
        f"{found.base}{file.name} ({file.size:,} bytes, MD5 {file.md5})" for file in wanted.files
    )
    unpacked = f", or unpacked: {', '.join(wanted.members)}" if wanted.members else ""
    return (
        f"Put into {folder}: {files}{unpacked}. Or give the folder with these files as --data-dir "
        "(in Python data_dir=), or allow the download with --download (download=True)."
    )
