"""Rows of a Parquet file, read in small batches: memory never holds a whole file.

Parquet is read page by page, so memory holds one page: as many photos as the program that wrote the file put
into it, and at most a row group.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

from unlearnable.errors import DataError, UnlearnableError, UsageError
from unlearnable.jobs.parquet_columns import Columns, columns_of, published
from unlearnable.jobs.tars import clean

ENDING = ".parquet"
# Rows of a batch.
BATCH = 16
# Bytes of a column in one read from the file.
BUFFER = 1 << 20
NO_PHOTO = "it has no photo: the entry is empty"
PATH_ONLY = "the file holds only the path of the photo, not the photo; nothing is downloaded"


def require_arrow() -> None:
    """Refuse Parquet files where the package that reads them is missing.

    Raises:
        UsageError: If it is.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "Parquet files need the package pyarrow.", "Install the extra: pip install 'unlearnable[hub]'."
        ) from error


@dataclass(frozen=True)
class Row:
    """A photo of the file.

    Args:
        id: Its path, or the name of the shard and the number of the row if it has none of its own.
        class_name: Its class; empty if it has none.
        data: Bytes of the file of the photo; empty if the row has none.
        path: Its path in the file.
        reason: Why it has no photo; empty if it has one.
    """

    id: str
    class_name: str
    data: bytes
    path: str | None
    reason: str = ""


class Rows:
    """The rows of one file, and the reason if it cannot be read to its end.

    Args:
        source: The file, open for reading.
        name: Its name for messages.
        asked: Names of the columns of photos and classes; empty to find them by their types.
        class_name: The class of all photos; None if a column has the classes.

    Attributes:
        columns: The role of each column; None if the file cannot be used.
        schema: Schema of the published file (``pyarrow.Schema``); None likewise.
        problem: Why the file cannot be read to its end; empty if it can.
        error: The error if its columns cannot be used, which may be so for all files; None if they can.

    Raises:
        DataError: If the file cannot be read because of its disk or its network.
    """

    def __init__(self, source: BinaryIO, name: str, asked: Sequence[str], class_name: str | None) -> None:
        self._name, self._class_name = name, class_name
        self._stem = name.removesuffix(ENDING)
        self._seen: set[str] = set()
        self.columns: Columns | None = None
        self.schema: Any = None
        self.problem = ""
        self.error: UnlearnableError | None = None
        try:
            self._file = _opened(source, name)
            self.columns = columns_of(self._file.schema_arrow, asked, class_name, name)
            self.schema = published(self._file.schema_arrow, self.columns)
        except _Damaged as damage:
            self.problem = f"it is no Parquet file, or damaged ({damage})"
        except UnlearnableError as error:
            # an error of the disk or the network, not of the columns
            if isinstance(error.__cause__, OSError):
                raise
            self.error, self.problem = error, f"{error.problem} {error.remedy}".strip()

    @property
    def has_paths_only(self) -> bool:
        """Whether no row holds a photo, by the statistics in the file."""
        assert self.columns is not None
        metadata, found = self._file.metadata, 0
        for group in range(metadata.num_row_groups):
            part = metadata.row_group(group)
            for index in range(part.num_columns):
                column = part.column(index)
                if column.path_in_schema == f"{self.columns.image}.bytes":
                    numbers = column.statistics
                    if numbers is None or not numbers.has_null_count or numbers.null_count < part.num_rows:
                        return False
                    found += part.num_rows
        return found > 0

    def __iter__(self) -> Iterator[tuple[Any, list[Row]]]:
        """Yield batches of rows (``pyarrow.RecordBatch``), each with the photos in it.

        Raises:
            DataError: If the file cannot be read because of its disk or its network.
        """
        if self.columns is None:
            return
        number = 0
        try:
            for batch in _batches(self._file, self.columns.copied, self._name):
                rows = self._rows(batch, number)
                number += len(rows)
                yield batch, rows
        except _Damaged as damage:
            self.problem = f"it is damaged ({damage}); rows from {number} on are lost"

    def _rows(self, batch: Any, start: int) -> list[Row]:
        assert self.columns is not None
        images = batch.column(self.columns.image)
        try:
            photos = images.to_pylist()
            label = self.columns.label
            labels = batch.column(label).to_pylist() if label else [None] * len(photos)
        except UnicodeDecodeError as error:
            raise _Damaged("text that is not UTF-8") from error
        return [
            self._row(start + index, photo or {}, label)
            for index, (photo, label) in enumerate(zip(photos, labels, strict=True))
        ]

    def _row(self, number: int, photo: dict[str, Any], label: Any) -> Row:
        data, path = photo.get("bytes"), photo.get("path")
        id = unicodedata.normalize("NFC", path or "")
        if not id or id in self._seen:
            id = f"{self._stem}/{number:06d}"
        self._seen.add(id)
        class_name = self._class_name or self._class_of(label)
        reason = "" if data else PATH_ONLY if path and data is None else NO_PHOTO
        return Row(id, class_name, data or b"", path, reason)

    def _class_of(self, label: Any) -> str:
        """Return the name of a class; empty for an entry that is empty or has no name."""
        assert self.columns is not None
        if isinstance(label, int) and self.columns.names:
            return clean(self.columns.names[label]) if 0 <= label < len(self.columns.names) else ""
        return "" if label is None else clean(str(label))


class _Damaged(Exception):
    """Arrow cannot read a file; the text says why."""


@contextmanager
def _errors(name: str) -> Iterator[None]:
    """Tell damage of a file from errors of its disk or its network."""
    import pyarrow as pa

    try:
        yield
    except MemoryError:
        raise
    except OSError as error:
        # Arrow raises plain errors without a number for bytes that make no sense
        if type(error) is not OSError or error.errno is not None:
            raise DataError(
                f"{name} cannot be read ({error.strerror or error}).",
                "Check the file, then run the command again.",
            ) from error
        raise _Damaged(_line(error)) from error
    except (pa.ArrowException, ValueError, LookupError) as error:
        raise _Damaged(_line(error)) from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__


def _opened(source: BinaryIO, name: str) -> Any:
    import pyarrow.parquet as pq

    with _errors(name):
        return pq.ParquetFile(source, buffer_size=BUFFER, pre_buffer=False, page_checksum_verification=True)


def _batches(file: Any, columns: Sequence[str], name: str) -> Iterator[Any]:
    """Yield batches of some columns; only Arrow's own errors count as damage."""
    with _errors(name):
        batches = file.iter_batches(BATCH, columns=list(columns), use_threads=False)
    while True:
        with _errors(name):
            batch = next(batches, None)
        if batch is None:
            return
        yield batch
