"""The list of the files that a run has published in one folder: a JSON object a line, the last one counts."""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unlearnable import hashing
from unlearnable.data.litter import is_litter
from unlearnable.errors import DataError
from unlearnable.file_index import Records, closed, indexed
from unlearnable.files import is_draft, write
from unlearnable.indexing import parsed

FILES, FOLDER = "files.jsonl", "folder.json"


@dataclass(frozen=True)
class FileList:
    """The list of one published folder.

    Args:
        path: The file of the list, ``files.jsonl``.
        protected: The published folder, absolute; None for a list of an unfinished run of earlier versions.
        encoding: How its files are written: format, quality, metadata; empty if nothing has been written.
        origin: The list that describes the same files under the folder's former name; it is copied when
            something is written.
    """

    path: Path
    protected: Path | None = None
    encoding: Mapping[str, Any] = field(default_factory=dict)
    origin: FileList | None = None

    @classmethod
    def load(cls, folder: Path) -> FileList:
        """Return the list in a folder of the run folder, with the record beside it.

        Raises:
            DataError: If the record is damaged.
        """
        path = folder / FOLDER
        try:
            record = json.loads(path.read_text("utf-8"))
            return cls(folder / FILES, Path(record["protected"]), dict(record["encoding"]))
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path} is damaged ({error}).", f"Delete {folder}, and publish into another folder."
            ) from error

    def records(self) -> Records:
        """Return the records by id. A line that a crash cut short is ignored."""
        path = self.path if self.origin is None else self.origin.path
        return indexed(path)

    def outputs(self) -> Mapping[str, str]:
        """Return the path below the published folder of every listed photo, by id."""
        return self.records().outputs

    def describes(self, folder: Path) -> bool:
        """Return whether the files in a folder are those of this list, by name and most of them by content.

        That is how a published folder is recognised after it was moved or copied.
        """
        found, records = published_files(folder), self.records()
        if not found or not all(map(records.wrote, found)):
            return False
        # a file may have got another name since, or belong to another photo
        digests = {record.get("output"): record.get("output_digest") for record in records.values()}
        if not found.keys() <= digests.keys():
            return False
        intact = sum(hashing.of_file(path) == digests[name] for name, path in found.items())
        return 2 * intact > len(found)

    @contextmanager
    def recording(self) -> Iterator[Any]:
        """Yield a function that appends the record of one file and flushes it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        torn = self.path.exists() and not _ends_with_line_feed(self.path)
        with open(self.path, "a", encoding="ascii", newline="\n") as file:
            # a crash may have cut the last line short, and the next record needs a line of its own
            if torn and self.path.stat().st_size:
                file.write("\n")

            def append(record: Mapping[str, Any]) -> None:
                file.write(_line(record))
                file.flush()

            yield append

    def forget(self) -> None:
        """Discard all knowledge of the files but their names, so that each is written again."""
        reason = "made with noise of an earlier run"
        with open(self.path, "rb") as lines:
            records = [record for _, _, record in parsed(lines, self.path.stat().st_size)]
        named = {(record["id"], record["output"]): None for record in records if record.get("output")}
        rows = ({"id": id, "output": output, "reason": reason} for id, output in named)
        closed(self.path)
        write(self.path, "".join(map(_line, rows)).encode("ascii"))


def published_files(folder: Path) -> dict[str, Path]:
    """Return the files in a published folder by their path below it, sorted, without drafts and litter.

    Args:
        folder: The folder; it need not exist.
    """
    return {name: Path(path) for name, path in sorted(files_below(folder))}


def files_below(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the files of ``published_files``, in the order of the disk: path below the folder, and path."""
    waiting = [("", str(folder))]
    while waiting:
        below, place = waiting.pop()
        try:
            entries = os.scandir(place)
        except OSError:
            continue
        with entries:
            for entry in entries:
                if is_litter(entry.name):
                    continue
                name = f"{below}/{entry.name}" if below else entry.name
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((name, entry.path))
                elif not is_draft(entry.name) and entry.is_file():
                    # some file systems return names in another Unicode form than they were given
                    yield unicodedata.normalize("NFC", name), entry.path


def same_folder(one: Path, other: Path) -> bool:
    """Return whether two paths are one folder, also where case does not matter in names."""
    try:
        return one == other or os.path.samefile(one, other)
    except OSError:
        return False


def _ends_with_line_feed(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.seek(0, os.SEEK_END) > 0 and file.seek(-1, os.SEEK_END) >= 0 and file.read(1) == b"\n"


def _line(record: Mapping[str, Any]) -> str:
    # ASCII, so that every name survives, whatever characters it holds
    return json.dumps(record) + "\n"
