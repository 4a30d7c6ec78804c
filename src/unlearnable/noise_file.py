"""The file of a bank of noise: a safetensors file whose bank is memory-mapped."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from unlearnable.budget import Int8Array, UInt8Array
from unlearnable.errors import DataError
from unlearnable.files import write_by

FORMAT = "unlearnable-noise/1"
# The format of noise with an assignment. Readers of format 1 would ignore the assignment and put noise on
# other images, so they must refuse the file.
ASSIGNED = "unlearnable-noise/2"
# each may have a text for every row; a file of a later version may hold more tensors
TEXTS = ("keys", "digests", "classes")
REMEDY = "Make it again with `unlearnable fit` or `unlearnable import`."

Texts = Mapping[str, tuple[str, ...]]


def save(path: Path, bank: Int8Array, texts: Texts, meta: Mapping[str, Any]) -> None:
    """Write a file, completely or not at all.

    Args:
        path: The file.
        bank: int8 (rows, C, h, w).
        texts: Texts for each row, by name, such as its key.
        meta: Everything else, as JSON; ``format`` among it.
    """
    packed = {name: _pack(values) for name, values in texts.items()}
    tensors = {"bank": np.ascontiguousarray(bank), **packed}
    metadata = {"unlearnable": json.dumps(meta, sort_keys=True)}
    write_by(path, lambda draft: save_file(tensors, draft, metadata=metadata))


@contextmanager
def readable(path: Path) -> Iterator[tuple[Int8Array, dict[str, tuple[str, ...]], dict[str, Any]]]:
    """Yield the bank of a file, memory-mapped, the texts of its rows and its other entries.

    Whatever goes wrong inside, such as an entry that is missing, is an error of the file.

    Raises:
        DataError: If the file is missing, damaged, not a noise file, or of a later format.
    """
    if not path.is_file():
        raise DataError(f"There is no noise file {path}.", "Make one with `unlearnable fit` or noise.save.")
    try:
        with safe_open(str(path), framework="np") as file:
            meta = json.loads((file.metadata() or {})["unlearnable"])
            if meta["format"] not in (FORMAT, ASSIGNED):
                raise DataError(
                    f"{path} has a noise format that this version cannot read ({meta['format']}).", REMEDY
                )
            names = set(TEXTS) & set(file.keys())
            texts = {name: _unpack(file.get_tensor(name)) for name in names}
        yield _mapped(path), texts, meta
    except (OSError, SafetensorError, LookupError, ValueError, TypeError) as error:
        raise DataError(f"{path} is not a readable noise file ({error}).", REMEDY) from error


def _mapped(path: Path) -> Int8Array:
    """Return the bank of a noise file, memory-mapped."""
    # safetensors: 8 bytes with the length of the header, the header as JSON, the bytes of the tensors
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        entry = json.loads(file.read(length))["bank"]
    if entry["dtype"] != "I8":
        raise ValueError(f"its bank is {entry['dtype']}, not I8")
    if 0 in entry["shape"]:
        return np.zeros(entry["shape"], np.int8)
    return np.memmap(path, np.int8, "r", 8 + length + entry["data_offsets"][0], tuple(entry["shape"]))


def _pack(texts: tuple[str, ...]) -> UInt8Array:
    packed: UInt8Array = np.frombuffer(json.dumps(texts, ensure_ascii=False).encode(), dtype=np.uint8).copy()
    return packed


def _unpack(packed: UInt8Array) -> tuple[str, ...]:
    return tuple(json.loads(packed.tobytes().decode()))
