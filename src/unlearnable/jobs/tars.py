"""Samples of a webdataset shard: a tar file whose members ``key.jpg``, ``key.cls`` follow each other.

A shard is read from its beginning to its end, one sample at a time, and never held whole.
"""

from __future__ import annotations

import gzip
import io
import json
import lzma
import tarfile
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from unlearnable import hashing
from unlearnable.data.file_kinds import is_photo, kind_of_other, reason_unreadable
from unlearnable.data.litter import is_litter
from unlearnable.data.photo_file import BESIDE, PIXEL
from unlearnable.errors import DataError

ENDINGS = (".tar", ".tar.gz", ".tgz")
CLASS = "cls"
# members that are copied if metadata is wanted
BESIDE_PHOTOS = ("json", "txt")
# bytes of a class, a caption or a record
LONGEST_TEXT = 1 << 20
CLASS_KEYS = ("cls", "class", "class_name", "label")
DAMAGE = (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError)


@dataclass(frozen=True)
class Member:
    """One file of a sample.

    Args:
        name: Its path in the shard.
        ending: Everything behind the first dot of its last part, in lower case.
        data: Its bytes.
    """

    name: str
    ending: str
    data: bytes

    @property
    def is_photo(self) -> bool:
        """Whether it is a photo by its name."""
        return is_photo(self.name)


class Samples:
    """The samples of one shard, and what was left out of it.

    Args:
        file: The shard, open for reading.
        name: Its name for messages.
        max_pixels: Photos that claim more pixels are not decoded, so larger files are not read.
    """

    def __init__(self, file: BinaryIO, name: str, max_pixels: int) -> None:
        self.file = file
        self.name = name
        self.largest = BESIDE + PIXEL * max_pixels
        self.skipped: dict[str, str] = {}
        self.others: Counter[str] = Counter()
        self._seen: set[str] = set()

    def __iter__(self) -> Iterator[list[Member]]:
        """Yield the members of one sample after the other: those that follow each other with one key.

        Raises:
            DataError: If the file cannot be read because of its disk or its network.
        """
        sample: list[Member] = []
        before = None
        for member in self._members():
            key = member.name[: len(member.name) - len(member.ending) - 1]
            if sample and key != before:
                yield sample
                sample = []
            sample.append(member)
            before = key
        if sample:
            yield sample

    def _members(self) -> Iterator[Member]:
        try:
            with tarfile.open(fileobj=self.file, mode="r|*", tarinfo=_Header, errorlevel=2) as tar:
                while (info := tar.next()) is not None:
                    # the list would hold every member of the shard
                    tar.members.clear()  # type: ignore[attr-defined]
                    member = self._member(tar, info)
                    if member is not None:
                        yield member
                ended = getattr(tar, "ended_by", None)
            if ended != "EOFHeaderError":
                self.skipped[self.name] = "it is cut short or damaged; members behind the damage are lost"
        except DAMAGE as error:
            reason = f"it is no tar file, or damaged ({error}); members behind the damage are lost"
            self.skipped[self.name] = reason
        except OSError as error:
            raise DataError(
                f"{self.name} cannot be read ({error.strerror or error}).",
                "Check the file, then run the command again.",
            ) from error

    def _member(self, tar: tarfile.TarFile, info: tarfile.TarInfo) -> Member | None:
        name = info.name.removeprefix("./")
        parts = PurePosixPath(name).parts
        outside = PurePosixPath(name).is_absolute() or ".." in parts or "\\" in name
        if info.isdir() or (any(map(is_litter, parts)) and not outside):
            return None
        reason = "its name leads out of the shard" if outside else self._reason(name, info)
        if reason:
            self.skipped[name.encode("utf-8", "backslashreplace").decode()] = reason
            return None
        last = name.rpartition("/")[2]
        ending = last.partition(".")[2].lower()
        if not (is_photo(name) or ending in (CLASS, *BESIDE_PHOTOS)):
            self.others[kind_of_other(name)] += 1
            return None
        self._seen.add(name)
        file = tar.extractfile(info)
        assert file is not None
        return Member(name, ending, file.read())

    def _reason(self, name: str, info: tarfile.TarInfo) -> str:
        """Return why a member cannot be used; empty if it can."""
        if not info.isreg():
            return "no regular file, such as a link, which is never followed"
        if name in self._seen:
            return "the shard holds it more than once; the first one counts"
        if name.encode("utf-8", "replace").decode() != name:
            return "its name is not valid Unicode"
        if reason_unreadable(name):
            return reason_unreadable(name)
        limit = self.largest if is_photo(name) else LONGEST_TEXT
        wanted = is_photo(name) or name.lower().endswith((CLASS, *BESIDE_PHOTOS))
        return f"it has {info.size:,} bytes, more than are read" if wanted and info.size > limit else ""


def class_of(sample: list[Member]) -> str:
    """Return the class of a sample: the text of ``key.cls``, or an entry of ``key.json``; empty if none."""
    texts = {member.ending: member.data for member in sample}
    try:
        if CLASS in texts:
            return clean(texts[CLASS].decode("utf-8"))
        record = json.loads(texts["json"]) if "json" in texts else {}
        found = next((record[key] for key in CLASS_KEYS if key in record), "")
    except (ValueError, TypeError):
        return ""
    return clean(str(found)) if isinstance(found, str | int) else ""


class Writer:
    """A shard that is being written: the same members give the same bytes.

    Args:
        stream: The file.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._hash = hashing.running()
        self.bytes = 0
        self.names: set[str] = set()
        to_us: Any = self
        self._tar = tarfile.TarFile(fileobj=to_us, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8")

    def add(self, name: str, data: bytes) -> None:
        """Add a file, with no trace of who wrote it and when."""
        info = tarfile.TarInfo(name)
        info.size = len(data)
        self._tar.addfile(info, io.BytesIO(data))
        # the list would hold every member of the shard
        self._tar.members.clear()  # type: ignore[attr-defined]
        self.names.add(name.casefold())

    def tell(self) -> int:
        """Return the bytes written so far; called by ``tarfile``."""
        return self.bytes

    def write(self, data: bytes) -> int:
        """Write bytes of the tar file; called by ``tarfile``."""
        self._hash.update(data)
        self.bytes += len(data)
        self._stream.write(data)
        return len(data)

    def close(self) -> dict[str, Any]:
        """Write the end of the tar file, and return its size and its SHA-256."""
        self._tar.close()
        return {"bytes": self.bytes, "sha256": self._hash.hexdigest()}


class _Header(tarfile.TarInfo):
    """A header that records why it could not be read: ``tarfile`` takes damage for the end of the file."""

    @classmethod
    def fromtarfile(cls, tarfile_: Any) -> Any:
        try:
            return super().fromtarfile(tarfile_)
        except tarfile.HeaderError as error:
            tarfile_.ended_by = type(error).__name__
            raise


def clean(text: str) -> str:
    """Return the name of a class in composed form, without spaces around it."""
    return unicodedata.normalize("NFC", text.strip())
