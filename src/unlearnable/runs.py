"""The run folder: everything about a run that must stay private. Mode 0700 where that can be had.

run.json                 the request, resolved settings, seed, environment, progress
files.jsonl              one line per published file: id, output, class, hashes, largest change
files.sqlite             an index of these lines; made anew if it is missing
cache.sqlite             what was learned of photos and published files, so that unchanged ones are not read
published/NAME-HASH/     the same for every further folder: folder.json, files.jsonl, files.sqlite
noise.safetensors        the noise
surrogate.safetensors    the surrogate, to extend sample-wise noise to new photos
checkpoint.safetensors   an unfinished search; deleted when it is finished
checkpoint.parts/        the noise of such a search, where several processes share it
measured/                the finished trainings of a report card
people/                  a page for each person, with links to the photos
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from unlearnable import hashing
from unlearnable.data.file_rows import FILE as CACHE
from unlearnable.errors import DataError, UnlearnableError, UsageError
from unlearnable.events import Event, OnProgress, silent
from unlearnable.file_list import FILES, FOLDER, FileList, same_folder
from unlearnable.files import UNSUPPORTED, remove_drafts, write

STAGE = "run folder"
# files of a run that has not begun
UNUSED = {"lock", CACHE}
ELSEWHERE = "Name another place for the run folder with --run FOLDER (`fit`: another RUN)."


def default_run(photos: Path, protected: Path) -> Path:
    """Return ``PHOTOS.unlearnable/NAME-OF-PROTECTED``, beside the sources.

    Raises:
        UsageError: If one of the folders has no name, such as ``/``.
    """
    photos, protected = photos.resolve(), protected.resolve()
    for folder in (photos, protected):
        if not folder.name:
            raise UsageError(
                f"{folder} has no name, so there is no usual place for the run folder.", ELSEWHERE
            )
    return photos.with_name(photos.name + ".unlearnable") / protected.name


def find_run(photos: Path, protected: Path) -> Path:
    """Return the run folder that published a folder: the default one, or another one beside it.

    ``apply RUN`` may have published it, or it may have been renamed since. Where no run knows it, the default
    is returned, which need not exist.
    """
    default = default_run(photos, protected)
    if (default / "run.json").exists() or (default / FILES).exists():
        return default
    for record in sorted(default.parent.glob("*/run.json")):
        # a damaged run is none of the business of this one
        with suppress(DataError, OSError):
            if RunFolder(record.parent).wrote(protected):
                return record.parent
    return default


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
    if run in protected.parents:
        raise UsageError(
            f"PROTECTED ({protected}) lies inside the run folder, which is private.",
            "Name a folder outside it.",
        )
    if run == photos or photos in run.parents:
        raise UsageError(f"The run folder ({run}) lies inside PHOTOS.", "Give a --run outside it.")


class RunFolder:
    """One run's folder.

    Args:
        path: The folder; made on ``open``.
        writes: Whether this process writes its record: of several that share a search, the first one does.
    """

    def __init__(self, path: Path, writes: bool = True) -> None:
        self.path, self._writes = path, writes
        self.noise = path / "noise.safetensors"
        self.surrogate = path / "surrogate.safetensors"
        self.checkpoint = path / "checkpoint.safetensors"
        self._open = False

    @contextmanager
    def open(self, on_progress: OnProgress = silent, *, repair: bool = False) -> Iterator[RunFolder]:
        """Make the folder and hold its lock; a folder that this object holds already is used as it is.

        The OS releases the lock when the process exits, even if it is killed.

        Args:
            on_progress: Gets a remark where the file system has no modes or no locks.
            repair: Whether to remove a damaged ``run.json``, because the run starts over.

        Raises:
            UsageError: If another process works in it, or its path is not valid Unicode.
            UnlearnableError: If it cannot be made.
        """
        if self._open or not self._writes:
            yield self
            return
        try:
            str(self.path.absolute()).encode()
        except UnicodeEncodeError as error:
            # the library that reads noise files refuses such paths
            raise UsageError(f"The path of {self.path} is not valid Unicode.", ELSEWHERE) from error
        made = [path for path in (self.path, *self.path.parents) if not path.exists()]
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = self._lock(on_progress)
        except OSError as error:
            raise UnlearnableError(
                f"{self.path} cannot be used ({error.strerror or error}).", ELSEWHERE
            ) from error
        self._make_private(on_progress)
        self._open = True
        try:
            remove_drafts(self.path)
            if repair:
                self._repair()
            yield self
        finally:
            self._open = False
            # a refused command leaves no folder; the lock goes while it is held, so nobody else loses theirs
            unused = bool(made) and self._is_unused
            if unused:
                for name in UNUSED:
                    with suppress(OSError):
                        (self.path / name).unlink()
            if lock is not None:
                lock.release()
            if unused:
                with suppress(OSError):
                    for folder in made:
                        folder.rmdir()

    @property
    def _is_unused(self) -> bool:
        with suppress(OSError):
            return {entry.name for entry in self.path.iterdir()} <= UNUSED
        return False

    def _repair(self) -> None:
        try:
            self.read()
        except DataError:
            (self.path / "run.json").unlink()

    def _lock(self, on_progress: OnProgress) -> FileLock | None:
        # a soft lock would outlive a killed process
        lock = FileLock(self.path / "lock", timeout=0, fallback_to_soft=False)
        try:
            lock.acquire()
        except Timeout as error:
            raise UsageError(
                f"Another process is working in {self.path}.",
                "Wait until it ends, then run this command again.",
            ) from error
        except (OSError, NotImplementedError) as error:
            if isinstance(error, OSError) and error.errno not in UNSUPPORTED:
                raise
            text = f"{self.path} cannot be locked on its file system; run one command at a time in it"
            on_progress(Event(STAGE, text=text))
            return None
        return lock

    def _make_private(self, on_progress: OnProgress) -> None:
        """Give the folder mode 0700: its content would help other users to undo the protection."""
        with suppress(OSError):
            self.path.chmod(0o700)
        # Windows has no such modes: there the rights of the folder above are inherited
        if os.name == "posix" and self.path.stat().st_mode & 0o077:
            text = (
                f"the file system of {self.path} cannot keep the folder private, so other users of this "
                "machine may read it; choose another place with --run"
            )
            on_progress(Event(STAGE, text=text))

    def read(self) -> dict[str, Any]:
        """Return ``run.json``, or an empty record if there is none.

        Raises:
            DataError: If it is damaged.
        """
        path = self.path / "run.json"
        remedy = (
            "Start over with `unlearnable protect --refit`, or delete the folder if nothing was published."
        )
        try:
            record = json.loads(path.read_text("utf-8")) if path.exists() else {}
        except ValueError as error:
            raise DataError(f"{path} is damaged ({error}).", remedy) from error
        if not isinstance(record, dict):
            raise DataError(f"{path} is damaged.", remedy)
        return record

    def update(self, **values: Any) -> dict[str, Any]:
        """Change entries of ``run.json`` atomically, and return the record."""
        record = {**self.read(), **values}
        if not self._writes:
            return record
        # ASCII, because a path may hold bytes that are not UTF-8
        write(self.path / "run.json", json.dumps(record, indent=2, sort_keys=True).encode("ascii"))
        return record

    def require_kind(self, kind: str) -> None:
        """Refuse a run whose noise lies elsewhere in the photos.

        Args:
            kind: ``photos`` for noise over whole photos, or ``faces``.

        Raises:
            UsageError: If the run is of the other kind.
        """
        record = self.read()
        # runs of earlier versions, and runs that have not begun, say nothing
        found = record.get("kind", "photos" if record.get("method") else kind)
        if found != kind:
            remedy = "`unlearnable faces protect`" if found == "faces" else "`unlearnable protect`"
            raise UsageError(
                f"The noise in {self.path} is for {'faces' if found == 'faces' else 'whole photos'}.",
                f"Use {remedy}, or name another folder with --run.",
            )

    @property
    def finished(self) -> bool:
        """Whether the folder holds the whole result of a search."""
        return bool(self.read().get("searched")) and self.noise.exists() and self.surrogate.exists()

    def forget(self) -> None:
        """Discard noise, surrogate and settings, but remember the published files and their names."""
        if not self._writes:
            return
        lists = self.lists()
        for listed in lists:
            if listed.path.exists():
                listed.forget()
        (self.path / "run.json").unlink(missing_ok=True)
        for listed in lists:
            if listed.protected is not None:
                self.claim(listed, {})
        for path in (self.noise, self.surrogate, self.checkpoint):
            path.unlink(missing_ok=True)
        shutil.rmtree(self.checkpoint.with_suffix(".parts"), ignore_errors=True)

    def lists(self) -> list[FileList]:
        """Return the list of every published folder, the first one's first.

        Raises:
            DataError: If ``run.json`` is damaged.
        """
        record = self.read()
        protected, encoding = record.get("protected"), record.get("encoding") or {}
        first = FileList(self.path / FILES, Path(protected) if protected else None, encoding)
        return [first, *self._further()]

    def _further(self) -> list[FileList]:
        return [FileList.load(path.parent) for path in sorted(self.path.glob(f"published/*/{FOLDER}"))]

    def list_of(self, protected: Path) -> FileList:
        """Return the list of the files in a folder to publish.

        A folder that was moved or copied is recognised by its files. For a new folder, the list is empty.

        Raises:
            DataError: If ``run.json`` is damaged.
        """
        protected, lists = protected.resolve(), self.lists()
        for listed in lists:
            if listed.protected is not None and same_folder(listed.protected, protected):
                return listed
        if lists[0].protected is None:
            return replace(lists[0], protected=protected)
        name = f"{protected.name[:40]}-{hashing.of_bytes(os.fsencode(protected))[:8]}"
        fresh = FileList(self.path / "published" / name / FILES, protected)
        for listed in lists:
            if listed.describes(protected):
                return replace(fresh, encoding=listed.encoding, origin=listed)
        return fresh

    def claim(self, listed: FileList, encoding: Mapping[str, Any]) -> FileList:
        """Record whose list it is and how its files are written, before the first of them is."""
        if listed.origin is not None:
            write(listed.path, listed.origin.path.read_bytes())
        if listed.path == self.path / FILES:
            self.update(protected=str(listed.protected), encoding=dict(encoding))
        else:
            record = {"protected": str(listed.protected), "encoding": dict(encoding)}
            write(listed.path.parent / FOLDER, json.dumps(record, indent=2).encode("ascii"))
        return replace(listed, encoding=dict(encoding), origin=None)

    def wrote(self, protected: Path) -> bool:
        """Return whether this run has published a folder, under this name or another.

        Raises:
            DataError: If ``run.json`` is damaged.
        """
        return any(
            (listed.protected is not None and same_folder(listed.protected, protected.resolve()))
            or listed.describes(protected)
            for listed in self.lists()
        )

    def files(self, protected: Path | None = None) -> Mapping[str, dict[str, Any]]:
        """Return the records of the published files by id.

        Args:
            protected: The published folder; None for the first one. Of a folder that this run did not write,
                or that has been changed much since, the list of the first one is returned.

        Raises:
            DataError: If ``run.json`` is damaged.
        """
        first = FileList(self.path / FILES)
        found = None if protected is None else self.list_of(protected).records()
        return found or first.records()

    @contextmanager
    def recording(self) -> Iterator[Any]:
        """Yield a function that appends the record of one file of the first published folder."""
        with FileList(self.path / FILES).recording() as append:
            yield append
