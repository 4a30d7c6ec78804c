"""The files of a record: ``report.json`` for programs and ``report.html`` for people."""

from __future__ import annotations

from pathlib import Path

from unlearnable.files import write
from unlearnable.report.html import page
from unlearnable.report.record import Record


def save(record: Record, folder: Path) -> Path:
    """Write a record and its page into a folder.

    Args:
        record: The measurement.
        folder: A run folder, which the caller holds open, or any other folder; made if need be.

    Returns:
        The path of the page.
    """
    # programs read numbers, so the many megabytes of full size are in the page only
    small = record.model_dump_json(indent=1, exclude={"pictures": {"__all__": {"full"}}})
    write(folder / "report.json", small.encode())
    path = folder / "report.html"
    write(path, page(record).encode())
    return path
