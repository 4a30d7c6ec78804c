"""Classes from a file beside the photos: CSV with a header, or one JSON object per line."""

from __future__ import annotations

import csv
import io
import json
import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from unlearnable.errors import DataError

FILES = ("file", "file_name", "filename", "path")
CLASSES = ("class", "label", "class_name")
SEPARATORS = ",;\t"
COLUMNS = f"Name one column {', '.join(FILES[:-1])} or {FILES[-1]}, and one column {', '.join(CLASSES[:-1])} or {CLASSES[-1]}."

Row = tuple[int, Any, Any]
"""Line number, path and label, as they stand in the file."""


def read_labels(file: Path) -> dict[str, str]:
    """Read the class of every image that a file names.

    Args:
        file: ``.csv`` (separated by comma, semicolon or tab, told by its header) or ``.jsonl``.

    Returns:
        NFC path with ``/`` to class name, in the order of the file.

    Raises:
        DataError: If the file cannot be read or a line of it makes no sense; the message names the line.
    """
    return {path: label for path, (label, _) in labels_and_lines(file).items()}


def labels_and_lines(file: Path) -> dict[str, tuple[str, int]]:
    """Read labels as ``read_labels`` does, each with the number of its line.

    Args:
        file: ``.csv`` or ``.jsonl``.

    Returns:
        NFC path with ``/`` to class name and line number.

    Raises:
        DataError: If the file cannot be read or a line of it makes no sense; the message names the line.
    """
    readers: dict[str, Callable[[Path, str], Iterator[Row]]] = {".csv": _csv, ".jsonl": _jsonl}
    read = readers.get(file.suffix.lower())
    if read is None:
        raise DataError(
            f"{file} is neither .csv nor .jsonl.",
            "Give a CSV file with a header, or one JSON object per line.",
        )
    found: dict[str, tuple[str, int]] = {}
    for line, raw_path, raw_label in read(file, _text(file)):
        path, label = _path(file, line, raw_path), _label(file, line, raw_label)
        before = found.setdefault(path, (label, line))
        if before[0] != label:
            what = f"{path} is {label!r} here and {before[0]!r} in line {before[1]}"
            raise _wrong(file, line, what, "Keep one line per image.")
    if not found:
        raise DataError(f"{file} names no image.", "Give it one line per image, with its path and its class.")
    return found


def _csv(file: Path, text: str) -> Iterator[Row]:
    header = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(
        SEPARATORS, key=lambda mark: sum(cell in FILES + CLASSES for cell in _cells(header.split(mark)))
    )
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    columns: list[str] = []
    try:
        for cells in reader:
            line = reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns = _cells(cells)
                at_path, at_label = (columns.index(name) for name in _columns(file, line, columns))
            elif len(cells) != len(columns):
                what = f"{len(cells)} cells where the header has {len(columns)}"
                raise _wrong(file, line, what, "Put cells that hold a separator into double quotes.")
            else:
                yield line, cells[at_path], cells[at_label]
    except csv.Error as error:
        raise _wrong(
            file, reader.line_num, f"it is not CSV ({error})", "Check the double quotes in it."
        ) from error


def _jsonl(file: Path, text: str) -> Iterator[Row]:
    for line, content in enumerate(text.split("\n"), 1):
        if not content.strip():
            continue
        try:
            record = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise _wrong(
                file, line, f"it is not JSON ({error})", "Put one JSON object on each line."
            ) from error
        if not isinstance(record, dict):
            raise _wrong(
                file,
                line,
                "it is not a JSON object",
                'Write lines such as {"file": "a.jpg", "class": "cats"}.',
            )
        at_path, at_label = _columns(file, line, record)
        yield line, record[at_path], record[at_label]


def _columns(file: Path, line: int, names: Iterable[str]) -> tuple[str, str]:
    """The one column of paths and the one of classes; others, such as captions, do not matter."""
    names = list(names)
    paths, labels = [name for name in names if name in FILES], [name for name in names if name in CLASSES]
    for found, what in ((paths, "file"), (labels, "class")):
        if len(found) != 1:
            raise _wrong(file, line, f"{len(found) or 'no'} columns name the {what}", COLUMNS)
    return paths[0], labels[0]


def _cells(cells: Iterable[str]) -> list[str]:
    return [cell.strip().strip('"').strip().lower() for cell in cells]


def _path(file: Path, line: int, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _wrong(file, line, "no image is named", "Give the path of an image, relative to the folder.")
    return _composed(file, line, str(PurePosixPath(value.replace("\\", "/"))))


def _label(file: Path, line: int, value: Any) -> str:
    number = (
        isinstance(value, int | float) and not isinstance(value, bool) and value == value
    )  # NaN is how tables write "nothing"
    label = str(value).strip() if number or isinstance(value, str) else ""
    if not label:
        raise _wrong(file, line, "the image has no label", "Give its class, or remove the line.")
    return _composed(file, line, label)


def _composed(file: Path, line: int, text: str) -> str:
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise _wrong(file, line, f"{text!r} is not valid Unicode", "Write it in UTF-8.")
    return unicodedata.normalize("NFC", text)


def _text(file: Path) -> str:
    if not os.path.isfile(file):  # asked before it is opened: a pipe would wait for ever
        raise DataError(f"{file} is not a file.", "Give the CSV or JSONL file that holds the labels.")
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DataError(
            f"{file} cannot be read ({error.strerror}).", "Check that you may read it."
        ) from error
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _wrong(
            file, line, f"it is not {encoding.removesuffix('-sig').upper()}", "Save the file as UTF-8."
        ) from error


def _wrong(file: Path, line: int, what: str, remedy: str) -> DataError:
    return DataError(f"{file}, line {line}: {what}.", remedy)
