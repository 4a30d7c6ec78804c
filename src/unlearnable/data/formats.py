"""The file formats of the benchmark sets. Nothing is extracted to disk and nothing is unpickled."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Sequence
from typing import Any

import numpy as np

from unlearnable.budget import UInt8Array

Labels = np.ndarray[Any, np.dtype[np.int64]]
# images, uint8 (N, H, W) or (N, H, W, 3), and their labels, int64 (N,)
Pair = tuple[UInt8Array, Labels]


def members(archive: bytes, names: Sequence[str]) -> list[bytes]:
    """Return the contents of the regular files with exactly these names in a ``.tar.gz``.

    Raises:
        KeyError: If the archive has no regular file of one of the names.
    """
    contents = []
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as opened:
        for name in names:
            member = opened.getmember(name)
            file = opened.extractfile(member) if member.isfile() else None
            if file is None:
                raise KeyError(f"{name} is not a file")
            contents.append(file.read())
    return contents


def cifar10(contents: Sequence[bytes]) -> Pair:
    """Read the binary version of CIFAR-10: records of a label byte and 3 x 32 x 32 pixel bytes."""
    return _records(contents, 1)


def cifar100(contents: Sequence[bytes]) -> Pair:
    """Read the binary version of CIFAR-100: records of a coarse label byte, a fine one, and pixel bytes.

    The fine label is used.
    """
    return _records(contents, 2)


def svhn(contents: Sequence[bytes]) -> Pair:
    """Read SVHN's cropped digits: a MATLAB 5 file with ``X`` (32, 32, 3, N) and ``y`` (N, 1).

    Label 10 in the file is the digit 0.
    """
    from scipy.io import loadmat

    found = loadmat(io.BytesIO(contents[0]), variable_names=["X", "y"])
    return np.ascontiguousarray(found["X"].transpose(3, 0, 1, 2)), found["y"].ravel().astype(np.int64) % 10


def fashion_mnist(contents: Sequence[bytes]) -> Pair:
    """Read two gzipped IDX files of unsigned bytes: images and labels."""
    images, labels = (_idx(gzip.decompress(content)) for content in contents)
    return images, labels.astype(np.int64)


def _records(contents: Sequence[bytes], label_bytes: int) -> Pair:
    records = np.frombuffer(b"".join(contents), np.uint8).reshape(-1, label_bytes + 3072)
    images = records[:, label_bytes:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), records[:, label_bytes - 1].astype(np.int64)


def _idx(raw: bytes) -> UInt8Array:
    if raw[:3] != b"\0\0\x08":
        raise ValueError("not an IDX file of unsigned bytes")
    dimensions = raw[3]
    shape = np.frombuffer(raw, ">u4", count=dimensions, offset=4).astype(int)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
