"""A Parquet file that is written in small row groups: memory never holds a whole file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO

from unlearnable import hashing

# A row group is written once it has so many bytes of photos, or rows; `datasets` reads one group at a time.
GROUP_BYTES, GROUP_ROWS = 32 << 20, 1000
# Rows between two checks of the size of a page. Readers hold whole pages, and Arrow's usual 1024 rows would
# hold too many photos.
PAGE_ROWS = 8


class RowWriter:
    """A Parquet file that is being written: the same rows give the same bytes.

    Args:
        stream: The file.
        schema: Its schema (``pyarrow.Schema``).
        image: The column of photos.
    """

    def __init__(self, stream: BinaryIO, schema: Any, image: str) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._schema, self._image = schema, image
        self._sink = _Sink(stream)
        target = pa.PythonFile(self._sink, mode="w")
        self._file = pq.ParquetWriter(target, schema, write_batch_size=PAGE_ROWS)
        self._group: list[Any] = []
        self._bytes = 0
        self.rows = 0

    def __enter__(self) -> RowWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *more: object) -> None:
        if kind is not None:
            # Arrow would write the end of the file when the writer is collected, to a stream that is closed
            self._sink.stream = None
            self._file.close()

    def add(self, batch: Any, kept: Sequence[int], photos: Sequence[tuple[bytes, str | None]]) -> None:
        """Add rows of a batch.

        Args:
            batch: The batch as it was read.
            kept: Positions of the rows in it.
            photos: Bytes and path of the protected photo of each.
        """
        import pyarrow as pa

        if not kept:
            return
        images = [{"bytes": data, "path": path} for data, path in photos]
        arrays = [
            pa.array(images, field.type)
            if field.name == self._image
            else _taken(batch.column(field.name), kept)
            for field in self._schema
        ]
        self._group.append(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
        self._bytes += sum(len(data) for data, _ in photos)
        self.rows += len(kept)
        if self._bytes >= GROUP_BYTES or sum(map(len, self._group)) >= GROUP_ROWS:
            self._flush()

    def close(self) -> dict[str, Any]:
        """Write the end of the file, and return its size and its SHA-256."""
        self._flush()
        self._file.close()
        return {"bytes": self._sink.bytes, "sha256": self._sink.hash.hexdigest()}

    def _flush(self) -> None:
        import pyarrow as pa

        if self._group:
            table = pa.Table.from_batches(self._group, self._schema)
            self._file.write_table(table, row_group_size=len(table))
        self._group, self._bytes = [], 0


def _taken(column: Any, kept: Sequence[int]) -> Any:
    import pyarrow as pa

    try:
        return column.take(pa.array(kept, pa.int64()))
    except pa.ArrowNotImplementedError:
        # Arrow cannot select rows of a column of string views
        values = column.to_pylist()
        return pa.array([values[position] for position in kept], column.type)


class _Sink:
    """A file for Arrow to write to: it counts and hashes the bytes, and leaves the stream open."""

    closed = False

    def __init__(self, stream: BinaryIO) -> None:
        # None after an attempt that failed
        self.stream: BinaryIO | None = stream
        self.hash, self.bytes = hashing.running(), 0

    def write(self, data: Any) -> int:
        data = bytes(memoryview(data))
        if self.stream is not None:
            self.hash.update(data)
            self.stream.write(data)
        self.bytes += len(data)
        return len(data)

    def tell(self) -> int:
        return self.bytes

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass
