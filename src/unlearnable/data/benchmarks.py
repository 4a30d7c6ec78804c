"""The benchmark sets of the field by name, read from their published files, which are verified by checksum.

Images come as the files hold them, 32 px (28 px for Fashion-MNIST), with ids in the order of the files:
``train/00042``.
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
from unlearnable.data.benchmark_table import BENCHMARKS, Benchmark, File, Part
from unlearnable.data.formats import Pair, members
from unlearnable.data.image_set import ImageSet, table
from unlearnable.data.photo import Photo
from unlearnable.errors import DataError, UsageError
from unlearnable.files import cache


@dataclass(frozen=True)
class BenchmarkSource:
    """One part of a benchmark, in one array.

    Args:
        images: uint8 (N, H, W) or (N, H, W, 3), in the order of the files.
        classes: Class names in the order of the files' labels, which for Fashion-MNIST is not the alphabet's.
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
        """The pixels are at hand, so the stamp is their hash."""
        return hashing.of_pixels(self._image(id))

    def origin(self, id: str) -> Photo:
        """The image."""
        return Photo(self._image(id))


def benchmark(
    name: str, part: str = "train", *, data_dir: str | Path | None = None, download: bool = False
) -> ImageSet:
    """Open a benchmark.

    Published files must have their published checksum. CIFAR may also lie unpacked, as the ``.bin`` files of
    its binary version: those are checked by size and labels only, because they have no published checksum,
    and their SHA-256 is kept in ``source.files``.

    Args:
        name: ``cifar10``, ``cifar100``, ``svhn`` or ``fashion-mnist``.
        part: ``train`` or ``test``.
        data_dir: Folder of the files, ``~/.cache/unlearnable`` if None; downloads go there too.
        download: Whether files that are not there may be fetched (with pooch).

    Raises:
        UsageError: If there is no benchmark or part of that name.
        DataError: If a file is missing or is not the published one; the message says which files go where.
    """
    if name not in BENCHMARKS or part not in BENCHMARKS[name].parts:
        raise UsageError(
            f"There is no benchmark {name!r} with a part {part!r}.",
            f"There are: {', '.join(BENCHMARKS)}; train and test.",
        )
    found = BENCHMARKS[name]
    wanted = found.parts[part]
    folder = Path(data_dir) if data_dir is not None else cache()
    where = _where(found, wanted, folder)
    unpacked = [folder / member for member in wanted.members]
    archived = all((folder / file.name).is_file() for file in wanted.files)
    if not archived and unpacked and all(path.is_file() for path in unpacked):
        contents = {path.name: path.read_bytes() for path in unpacked}
        pieces = list(contents.values())
    else:
        contents = {file.name: _published(found, file, folder, download, where) for file in wanted.files}
        pieces = (
            members(next(iter(contents.values())), wanted.members)
            if wanted.members
            else list(contents.values())
        )
    try:
        images, labels = _checked(found.decode(pieces), found, wanted)
    except (ValueError, KeyError, IndexError) as error:
        raise DataError(
            f"The files of {name} in {folder} do not hold what they should ({error}).", where
        ) from error
    digests = {file: hashing.of_bytes(content) for file, content in contents.items()}
    entries = ((f"{part}/{index:05d}", found.classes[label]) for index, label in enumerate(labels.tolist()))
    return table(entries, BenchmarkSource(images, found.classes, digests))


def _published(found: Benchmark, file: File, folder: Path, download: bool, where: str) -> bytes:
    path = folder / file.name
    if not path.is_file():
        if not download:
            raise DataError(f"{path} is not there, and nothing is downloaded without being asked.", where)
        _fetch(found.base + file.name, path, file.md5, where)
    content = path.read_bytes()
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != file.md5 and not _repacked(content, file):
        raise DataError(
            f"{path} is not the published file: its checksum is another one.", f"Remove it. {where}"
        )
    return content


def _repacked(content: bytes, file: File) -> bool:
    try:
        return bool(file.content) and hashing.of_bytes(gzip.decompress(content)) == file.content
    except (OSError, EOFError, zlib.error):
        return False


def _checked(pair: Pair, found: Benchmark, wanted: Part) -> Pair:
    images, labels = pair
    if not len(images) == len(labels) == wanted.count:
        raise ValueError(f"{len(images)} images and {len(labels)} labels instead of {wanted.count}")
    if labels.min() < 0 or labels.max() >= len(found.classes):
        raise ValueError(f"label {labels.max()} with {len(found.classes)} classes")
    return pair


def _fetch(url: str, path: Path, md5: str, where: str) -> None:
    import pooch

    pooch.get_logger().setLevel("WARNING")  # it announces every download on stderr
    try:
        pooch.retrieve(url, known_hash=f"md5:{md5}", fname=path.name, path=path.parent)
    except Exception as error:  # pooch passes on whatever its downloader raises
        raise DataError(f"{url} cannot be downloaded ({type(error).__name__}).", where) from error


def _where(found: Benchmark, wanted: Part, folder: Path) -> str:
    files = "; ".join(
        f"{found.base}{file.name} ({file.size:,} bytes, MD5 {file.md5})" for file in wanted.files
    )
    unpacked = f" or, unpacked, {wanted.members[0]} and its neighbours" if wanted.members else ""
    return (
        f"Put into {folder}: {files}{unpacked}. Or name the folder that has them with --data-dir (data_dir=), "
        "or allow the download with --download (download=True)."
    )
