"""The benchmark sets of the field by name, read from their published files, which are verified by checksum and never unpickled.

Images that the archives hold as arrays come as they are: 32 px (28 px for Fashion-MNIST), in the order of the files.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unlearnable.budget import UInt8Array
from unlearnable.data.image_set import ImageSet, table
from unlearnable.data.photo import Photo
from unlearnable.errors import DataError, UsageError

Pair = tuple[UInt8Array, "np.ndarray[Any, Any]"]
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")


@dataclass(frozen=True)
class Benchmark:
    """A data set that everybody knows.

    Args:
        base: Address of the folder that its files are published in.
        files: Name and MD5, as published, of the files of each part.
        read: Turns the bytes of a part's files, by name, into (images, labels).
        classes: Names of the classes, by label; numbers where the files name none.
        unpacked: Names below ``data_dir`` at which a part may also lie unpacked.
    """

    base: str
    files: dict[str, dict[str, str]]
    read: Callable[[dict[str, bytes], str], Pair]
    classes: tuple[str, ...]
    unpacked: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class BenchmarkSource:
    """One part of a benchmark: images in one array, ids ``train/00042``."""

    images: UInt8Array

    def _image(self, id: str) -> UInt8Array:
        image: UInt8Array = self.images[int(id.rpartition("/")[2])]
        return image

    def load(self, id: str) -> tuple[Photo, str]:
        """Return an image and the hash of its pixels."""
        image = self._image(id)
        return Photo(image), hashlib.sha256(image.tobytes()).hexdigest()

    def stamp(self, id: str) -> str:
        """The files are verified when they are read, so the hash of the pixels is at hand."""
        return hashlib.sha256(self._image(id).tobytes()).hexdigest()

    def origin(self, id: str) -> Photo:
        """The image."""
        return Photo(self._image(id))


def benchmark(name: str, part: str = "train", *, data_dir: str | Path | None = None, download: bool = False) -> ImageSet:
    """Open a benchmark.

    Args:
        name: ``cifar10``, ``cifar100``, ``svhn`` or ``fashion-mnist``.
        part: ``train`` or ``test``.
        data_dir: Where the published files are, or the unpacked binary files of CIFAR; downloads go there too.
        download: Whether files that are not there are fetched (with pooch).

    Raises:
        UsageError: If there is no benchmark or part of that name.
        DataError: If a file is missing or is not the published one; the message says which files go where.
    """
    if name not in BENCHMARKS or part not in ("train", "test"):
        raise UsageError(f"There is no benchmark {name!r} with a part {part!r}.", f"There are: {', '.join(BENCHMARKS)}; train and test.")
    found = BENCHMARKS[name]
    folder = Path(data_dir) if data_dir is not None else Path.home() / ".cache" / "unlearnable"
    data = _unpacked(found, part, folder) or _published(name, found, part, folder, download)
    try:
        images, labels = found.read(data, part)
    except (ValueError, KeyError, IndexError, OSError, EOFError) as error:
        raise DataError(f"The files of {name} in {folder} are not what they should be ({error}).", _where(found, part, folder)) from error
    return table(((f"{part}/{i:05d}", found.classes[int(label)]) for i, label in enumerate(labels)), BenchmarkSource(images))


def _unpacked(found: Benchmark, part: str, folder: Path) -> dict[str, bytes] | None:
    paths = [folder / name for name in found.unpacked.get(part, ())]
    return {path.name: path.read_bytes() for path in paths} if paths and all(path.is_file() for path in paths) else None


def _published(name: str, found: Benchmark, part: str, folder: Path, download: bool) -> dict[str, bytes]:
    data = {}
    for file, checksum in found.files[part].items():
        path = folder / file
        if not path.is_file():
            if not download:
                raise DataError(f"{path} is not there, and nothing is downloaded without being asked.", _where(found, part, folder))
            _fetch(found.base + file, path, checksum, _where(found, part, folder))
        content = path.read_bytes()
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != checksum:
            raise DataError(f"{path} is not the published file of {name}: its MD5 differs.", _where(found, part, folder))
        data[file] = content
    return data


def _fetch(url: str, path: Path, checksum: str, where: str) -> None:
    import pooch

    try:
        pooch.retrieve(url, known_hash=f"md5:{checksum}", fname=path.name, path=path.parent)
    except Exception as error:  # pooch passes on whatever its downloader raises
        raise DataError(f"{url} cannot be downloaded ({type(error).__name__}).", where) from error


def _where(found: Benchmark, part: str, folder: Path) -> str:
    files = "; ".join(f"{found.base}{file} (MD5 {checksum})" for file, checksum in found.files[part].items())
    return f"Put into {folder}: {files}. Or give another folder with --data-dir, or allow the download with --download."


def _cifar(label_bytes: int, members: dict[str, Sequence[str]]) -> Callable[[dict[str, bytes], str], Pair]:
    def read(data: dict[str, bytes], part: str) -> Pair:
        if len(data) == 1 and next(iter(data)).endswith(".tar.gz"):
            with tarfile.open(fileobj=io.BytesIO(next(iter(data.values())))) as archive:
                held = {Path(member.name).name: member for member in archive if member.isfile()}
                data = {name: _member(archive, held[name]) for name in members[part]}
        records = np.frombuffer(b"".join(data[name] for name in members[part]), np.uint8).reshape(-1, label_bytes + 3072)
        images = records[:, label_bytes:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        return np.ascontiguousarray(images), records[:, label_bytes - 1].astype(np.int64)

    return read


def _member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    if file is None:
        raise ValueError(f"{member.name} cannot be read")
    return file.read()


def _svhn(data: dict[str, bytes], part: str) -> Pair:
    from scipy.io import loadmat

    content = loadmat(io.BytesIO(next(iter(data.values()))))
    return np.ascontiguousarray(content["X"].transpose(3, 0, 1, 2)), content["y"].ravel().astype(np.int64) % 10  # 10 stands for 0


def _idx(data: dict[str, bytes], part: str) -> Pair:
    arrays = []
    for content in data.values():
        raw = gzip.decompress(content)
        dimensions = raw[3]
        shape = np.frombuffer(raw, ">u4", count=dimensions, offset=4)
        arrays.append(np.frombuffer(raw, np.uint8, offset=4 + 4 * dimensions).reshape(shape.astype(int)))
    return arrays[0], arrays[1].astype(np.int64)


_CIFAR10_FILES = {"train": tuple(f"data_batch_{i}.bin" for i in range(1, 6)), "test": ("test_batch.bin",)}
_CIFAR100_FILES = {"train": ("train.bin",), "test": ("test.bin",)}
_TORONTO = "https://www.cs.toronto.edu/~kriz/"
_ZALANDO = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
_STANFORD = "http://ufldl.stanford.edu/housenumbers/"

BENCHMARKS = {
    "cifar10": Benchmark(
        _TORONTO, {part: {"cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530"} for part in _CIFAR10_FILES},
        _cifar(1, dict(_CIFAR10_FILES)), CIFAR10,
        {part: tuple(f"cifar-10-batches-bin/{file}" for file in files) for part, files in _CIFAR10_FILES.items()},
    ),
    "cifar100": Benchmark(
        _TORONTO, {part: {"cifar-100-binary.tar.gz": "03b5dce01913d631647c71ecec9e9cb8"} for part in _CIFAR100_FILES},
        _cifar(2, dict(_CIFAR100_FILES)), tuple(f"{label:02d}" for label in range(100)),
        {part: tuple(f"cifar-100-binary/{file}" for file in files) for part, files in _CIFAR100_FILES.items()},
    ),
    "svhn": Benchmark(
        _STANFORD,
        {
            "train": {"train_32x32.mat": "e26dedcc434d2e4c54c9b2d4a06d8373"},
            "test": {"test_32x32.mat": "eb5a983be6a315427106f1b164d9cef3"},
        },
        _svhn, tuple(map(str, range(10))), {},
    ),
    "fashion-mnist": Benchmark(
        _ZALANDO,
        {
            "train": {
                "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
                "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
            },
            "test": {
                "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
                "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
            },
        },
        _idx, FASHION, {},
    ),
}  # fmt: skip
