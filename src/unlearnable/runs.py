"""The run folder: everything about a run that must stay private. Mode 0700, beside the sources.

run.json                the request, resolved settings, seed, environment, progress
files.jsonl             one line per published file: id, output, class, hashes, largest change
noise.safetensors       the noise
surrogate.safetensors   the surrogate, to extend sample-wise noise to new photos
checkpoint.safetensors  an unfinished search; deleted when it is finished
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unlearnable.errors import DataError, UsageError
from unlearnable.files import remove_drafts, write


def default_run(photos: Path, protected: Path) -> Path:
    """Return ``PHOTOS.unlearnable/NAME-OF-PROTECTED``, beside the sources."""
    photos, protected = photos.resolve(), protected.resolve()
    return photos.with_name(photos.name + ".unlearnable") / protected.name


def keep_apart(photos: Path, protected: Path, run: Path) -> None:
    """Refuse folders that overlap: sources, published files and the run folder must stay apart.

    Raises:
        UsageError: If one of the folders lies inside another where it must not.
    """
    photos, protected, run = photos.resolve(), protected.resolve(), run.resolve()
    if protected == photos or photos in protected.parents:
        raise UsageError(
            f"PROTECTED ({protected}) lies inside PHOTOS.",
            "Name a folder beside it: source files are never changed.",
        )
    if protected in photos.parents:
        raise UsageError(
            f"PHOTOS ({photos}) lies inside PROTECTED.",
            "Name a folder elsewhere: the originals must not be published.",
        )
    if run == protected or protected in run.parents:
        raise UsageError(
            f"The run folder ({run}) lies inside PROTECTED.",
            "Give a --run outside it: its content would undo the protection.",
        )
    if run == photos or photos in run.parents:
        raise UsageError(f"The run folder ({run}) lies inside PHOTOS.", "Give a --run outside it.")


class RunFolder:
    """One run's folder.

    Args:
        path: The folder; made on ``open``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.noise = path / "noise.safetensors"
        self.checkpoint = path / "checkpoint.safetensors"

    @contextmanager
    def open(self) -> Iterator[RunFolder]:
        """Make the folder and hold its lock. The OS releases the lock when the process exits, even if killed.

        Raises:
            UsageError: If another process works in it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        # the content would help other users of the machine to undo the protection
        self.path.chmod(0o700)
        with open(self.path / "lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UsageError(
                    f"Another process is working in {self.path}.",
                    "Wait until it ends, or name another PROTECTED.",
                ) from error
            remove_drafts(self.path)
            yield self

    def read(self) -> dict[str, Any]:
        """Return ``run.json``, or an empty record if there is none.

        Raises:
            DataError: If it is damaged.
        """
        path = self.path / "run.json"
        try:
            record = json.loads(path.read_text("utf-8")) if path.exists() else {}
        except ValueError as error:
            raise DataError(
                f"{path} is damaged ({error}).", "Delete the run folder and PROTECTED to start over."
            ) from error
        if not isinstance(record, dict):
            raise DataError(f"{path} is damaged.", "Delete the run folder and PROTECTED to start over.")
        return record

    def update(self, **values: Any) -> dict[str, Any]:
        """Change entries of ``run.json`` atomically, and return the record."""
        record = {**self.read(), **values}
        write(
            self.path / "run.json", json.dumps(record, ensure_ascii=False, indent=2, sort_keys=True).encode()
        )
        return record

    def forget(self) -> None:
        """Discard noise, surrogate and settings, but remember the published files and their names."""
        outputs = {id: record["output"] for id, record in self.files().items() if record.get("output")}
        write(
            self.path / "files.jsonl",
            "".join(
                json.dumps(
                    {"id": id, "output": output, "reason": "made with noise of an earlier run"},
                    ensure_ascii=False,
                )
                + "\n"
                for id, output in outputs.items()
            ).encode(),
        )
        for path in (
            self.path / "run.json",
            self.noise,
            self.path / "surrogate.safetensors",
            self.checkpoint,
        ):
            path.unlink(missing_ok=True)

    def files(self) -> dict[str, dict[str, Any]]:
        """Return the records of ``files.jsonl`` by id. A line that a crash cut short is ignored."""
        path = self.path / "files.jsonl"
        records: dict[str, dict[str, Any]] = {}
        if path.exists():
            for line in path.read_text("utf-8", errors="replace").splitlines():
                try:
                    record = json.loads(line)
                    records[record["id"]] = record
                except (ValueError, KeyError, TypeError):
                    continue
        return records

    @contextmanager
    def recording(self) -> Iterator[Any]:
        """Yield a function that appends the record of one file and flushes it."""
        path = self.path / "files.jsonl"
        torn = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
        with open(path, "a", encoding="utf-8") as file:
            # a crash may have cut the last line short, and the next record needs a line of its own
            if torn:
                file.write("\n")

            def append(record: dict[str, Any]) -> None:
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
                file.flush()

            yield append
