"""Labels from a file: CSV with a header, or one JSON object per line."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from unlearnable.data.class_names import problem_of
from unlearnable.errors import DataError

FILES = ("file", "file_name", "filename", "path")
CLASSES = ("class", "label", "class_name")
SEPARATORS = ",;\t"
COLUMNS = (
    f"Name one column {', '.join(FILES[:-1])} or {FILES[-1]}, "
    f"and one column {', '.join(CLASSES[:-1])} or {CLASSES[-1]}."
)

Row = tuple[int, Any, Any]
"""Line number, path and label, as written in the file."""


def read_labels(file: Path) -> dict[str, str]:
    """Return the class of every image that a file names.

    Args:
        file: ``.csv`` or ``.jsonl``. The header shows whether a comma, a semicolon or a tab separates the
            columns of a CSV file.

    Returns:
        Class names by NFC path, in the order of the file.

    Raises:
        DataError: If the file cannot be read or a line is wrong; the message names the line.
    """
    return {path: label for path, (label, _) in labels_and_lines(file).items()}


def labels_and_lines(file: Path) -> dict[str, tuple[str, int]]:
    """Return the class and the line number of every image that a file names; see ``read_labels``.

    Returns:
        (class name, line number) by NFC path, in the order of the file.

    Raises:
        DataError: If the file cannot be read or a line is wrong; the message names the line.
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
        first = found.setdefault(path, (label, line))
        if first[0] != label:
            problem = f"{path} is {label!r} here and {first[0]!r} in line {first[1]}"
            raise _wrong(file, line, problem, "Remove one of the lines.")
    if not found:
        raise DataError(f"{file} names no image.", "Write one line per image, with its path and its class.")
    return found


def _csv(file: Path, text: str) -> Iterator[Row]:
    # names may hold other characters at which str.splitlines would split, such as U+2028
    header = next((line[0] for line in re.finditer(r"[^\r\n]+", text) if line[0].strip()), "")
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
                problem = f"it has {len(cells)} cells, but the header has {len(columns)}"
                raise _wrong(file, line, problem, "Put cells that contain a separator into double quotes.")
            else:
                yield line, cells[at_path], cells[at_label]
    except csv.Error as error:
        raise _wrong(
            file, reader.line_num, f"it is not CSV ({error})", "Check the double quotes of the line."
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
    """Return the names of the column of paths and the column of classes. Other columns are ignored."""
    names = list(names)
    paths, labels = [name for name in names if name in FILES], [name for name in names if name in CLASSES]
    for found, meaning in ((paths, "file"), (labels, "class")):
        if len(found) != 1:
            raise _wrong(file, line, f"{len(found) or 'no'} columns name the {meaning}", COLUMNS)
    return paths[0], labels[0]


def _cells(cells: Iterable[str]) -> list[str]:
    return [cell.strip().strip('"').strip().lower() for cell in cells]


def _path(file: Path, line: int, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _wrong(file, line, "no image is named", "Give the path of an image, relative to the folder.")
    return _composed(file, line, str(PurePosixPath(value)))


def _label(file: Path, line: int, value: Any) -> str:
    label = value.strip() if isinstance(value, str) else value
    # tables write an empty cell, null or NaN for "no value"
    if label is None or label == "" or label != label:
        raise _wrong(file, line, "the image has no label", "Give its class, or remove the line.")
    if problem := problem_of(label):
        raise _wrong(file, line, f"the label {problem[0]}", "Write a class name or a whole number.")
    return _composed(file, line, str(label))


def _composed(file: Path, line: int, text: str) -> str:
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise _wrong(file, line, f"{text!r} is not valid Unicode", "Write it in UTF-8.")
    return unicodedata.normalize("NFC", text)


def _text(file: Path) -> str:
    # checked first, because opening a pipe would wait for ever
    if not os.path.isfile(file):
        raise DataError(f"{file} is not a file.", "Give the CSV or JSONL file with the labels.")
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


def _wrong(file: Path, line: int, problem: str, remedy: str) -> DataError:
    return DataError(f"{file}, line {line}: {problem}.", remedy)
