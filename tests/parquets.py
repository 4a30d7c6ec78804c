"""Parquet files in the layout of Hugging Face, for the tests of shards; only where pyarrow is installed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from shards import png

NAMES = ["cats", "dogs"]
PHOTOS = pa.struct({"bytes": pa.binary(), "path": pa.string()})


def metadata(**features: dict[str, Any]) -> dict[bytes, bytes]:
    """The metadata of a schema that `datasets` would write."""
    return {b"huggingface": json.dumps({"info": {"features": features}}).encode()}


IMAGE = {"_type": "Image"}
LABEL = {"_type": "ClassLabel", "names": NAMES}


def photo(number: int) -> dict[str, Any]:
    """One photo with its path."""
    return {"bytes": png(number, format="jpeg"), "path": f"{number:06d}.jpg"}


def write(
    path: Path,
    photos: Sequence[Any],
    labels: Sequence[Any] | None = None,
    group: int = 4,
    page: int = 1024,
    meta: dict[bytes, bytes] | None = None,
    **more: Any,
) -> Path:
    """Write a file with the columns image and label, and more columns given as arrays of Arrow or lists."""
    labels = [index % 2 for index in range(len(photos))] if labels is None else labels
    columns = {"image": pa.array(photos, PHOTOS), "label": pa.array(labels)}
    columns |= {name: one if isinstance(one, pa.Array) else pa.array(one) for name, one in more.items()}
    meta = metadata(image=IMAGE, label=LABEL) if meta is None else meta
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        pa.table(columns).replace_schema_metadata(meta), path, row_group_size=group, write_batch_size=page
    )
    return path


def sample(path: Path, start: int, count: int, **more: Any) -> Path:
    """Write a file with so many photos of cats and dogs by turns."""
    labels = [index % 2 for index in range(start, start + count)]
    return write(path, [photo(index) for index in range(start, start + count)], labels, **more)


def rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a file."""
    found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return found
