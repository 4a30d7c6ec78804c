"""A shard that is one Parquet file: read, protected and written in small batches of rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from unlearnable.errors import DataError
from unlearnable.jobs.file_shard import FileShard, Found, NothingToWrite, extension_of
from unlearnable.jobs.parquet import ENDING, Row, Rows
from unlearnable.jobs.parquet_columns import Columns
from unlearnable.jobs.parquet_writer import RowWriter
from unlearnable.jobs.places import place
from unlearnable.jobs.shard import Attempt, Job
from unlearnable.worker import Task

FOLDERS = re.compile(r"[\\/]")


@dataclass(frozen=True)
class ParquetShard(FileShard):
    """One Parquet file with a column of photos in the layout of Hugging Face.

    Args:
        columns: Names of the columns of photos and classes; empty to find them by their types.
    """

    columns: tuple[str, ...] = ()

    ending = ENDING
    no_class = "it has no class: its entry is empty, or a number without a name"

    @property
    def options(self) -> tuple[Any, ...]:
        """Everything that the published file depends on, except the source file and the job."""
        return self.class_name, list(self.columns)

    def inspected(self) -> Columns | None:
        """Return the role of each column of the file, without reading photos; None for a damaged file.

        Raises:
            UsageError: If it is not clear which columns are meant.
            DataError: If the file has no photos, or only their paths.
        """
        with place(self.folder).reading(self.file) as source:
            rows = self._rows(source)
            if rows.error is not None:
                raise rows.error
            if rows.columns is not None and rows.has_paths_only:
                raise DataError(
                    f"{self.file} holds only the paths of its photos, not the photos.",
                    "Put the photos into the data set before to_parquet: "
                    'data.with_format("arrow").map(datasets.table.embed_table_storage, batched=True). '
                    "Nothing is downloaded.",
                )
            return rows.columns

    def tasks(self, job: Job) -> Iterator[Task]:
        """Yield the photos to protect, read when their turn comes."""
        with place(self.folder).reading(self.file) as source:
            for _, rows in self._rows(source):
                yield from (self._task(job, row) for row in rows if not row.reason)

    def copy(self, job: Job, attempt: Attempt, found: Found, source: BinaryIO, stream: BinaryIO) -> None:
        """Write a Parquet file with the rows whose photos could be protected, and with the same columns."""
        rows = self._rows(source)
        if rows.columns is None:
            found.skipped[self.file] = rows.problem
            raise NothingToWrite
        with RowWriter(stream, rows.schema, rows.columns.image) as writer:
            for batch, some in rows:
                self._add(job, attempt, found, writer, batch, some)
            if rows.problem:
                found.skipped[self.file] = rows.problem
            found.file = {**writer.close(), "left_out": list(rows.columns.left_out)}

    def _add(
        self, job: Job, attempt: Attempt, found: Found, writer: RowWriter, batch: Any, rows: list[Row]
    ) -> None:
        """Add the rows of a batch whose photos can be protected."""
        kept: list[int] = []
        photos: list[tuple[bytes, str | None]] = []
        for position, row in enumerate(rows):
            photo = self._protected(job, attempt, found, row)
            if photo is not None:
                data, record = photo
                found.photos[row.id] = {**record, "output": f"row {writer.rows + len(kept)}"}
                kept.append(position)
                photos.append((data, _renamed(row.path, data)))
            attempt.on_photo()
        writer.add(batch, kept, photos)

    def _protected(
        self, job: Job, attempt: Attempt, found: Found, row: Row
    ) -> tuple[bytes, dict[str, Any]] | None:
        if row.reason:
            found.skipped[row.id] = row.reason
            return None
        return self.protected(job, attempt, found, self._task(job, row))

    def _rows(self, source: BinaryIO) -> Rows:
        return Rows(source, self.file, self.columns, self.class_name)

    def _task(self, job: Job, row: Row) -> Task:
        return self.task(job, row.id, row.class_name, row.data)


def _renamed(path: str | None, data: bytes) -> str | None:
    """Return the path of a published photo: the last part of its own, with its new extension."""
    if not path:
        return path
    last = FOLDERS.split(path)[-1]
    return f"{last.rpartition('.')[0] or last}.{extension_of(data)}"
