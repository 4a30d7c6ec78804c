"""Sources of photos by id, the facts of a photo, and sources derived from other sources."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from unlearnable.data.photo import Photo


class Source(Protocol):
    """A source of photos: a folder, arrays, or a benchmark."""

    def load(self, id: str) -> tuple[Photo, str]:
        """Return a photo and its content hash.

        Raises:
            DataError: If the photo cannot be read; the message names it.
        """

    def size(self, id: str) -> tuple[int, int] | None:
        """Return (height, width) in pixels without decoding; None if the size is unknown until then."""

    def stamp(self, id: str) -> str:
        """Return a text that changes when the content does, without reading the content if possible."""

    def origin(self, id: str) -> Path | Photo:
        """Return the photo's file, for a worker process to read, or the photo itself if it has no file."""


@dataclass(frozen=True)
class Facts:
    """Facts of a photo that remain known after its pixels are dropped.

    Args:
        size: (height, width) in pixels.
        grey: Whether it has one channel, not counting alpha.
        has_alpha: Whether it has an alpha channel.
        digest: Content hash.
    """

    size: tuple[int, int]
    grey: bool
    has_alpha: bool
    digest: str

    @classmethod
    def of(cls, photo: Photo, digest: str) -> Facts:
        """Return the facts of a photo."""
        return cls(photo.size, photo.grey, photo.alpha is not None, digest)


# (id, photo, content hash) -> changed photo
Change = Callable[[str, Photo, str], Photo]


@dataclass(frozen=True)
class Derived:
    """Photos of other sources under other ids, changed photos, or both.

    It can be pickled if its sources and its functions can be.

    Args:
        locate: Returns the original source of an id, and the photo's id there.
        change: Changes the photo, given its id here and its content hash; None for no change. The content
            hash stays that of the original, because it identifies the photo that noise was made for.
    """

    locate: Callable[[str], tuple[Source, str]]
    change: Change | None = None

    def load(self, id: str) -> tuple[Photo, str]:
        """Return a photo after the change, and the content hash of the original."""
        source, key = self.locate(id)
        photo, digest = source.load(key)
        return (photo if self.change is None else self.change(id, photo, digest)), digest

    def size(self, id: str) -> tuple[int, int] | None:
        """Return the size of the original; None if the photo is changed, because its size may change too."""
        source, key = self.locate(id)
        return None if self.change is not None else source.size(key)

    def stamp(self, id: str) -> str:
        """Return the stamp of the original."""
        source, key = self.locate(id)
        return source.stamp(key)

    def origin(self, id: str) -> Path | Photo:
        """Return the origin of the original, or the photo itself if it is changed."""
        source, key = self.locate(id)
        return self.load(id)[0] if self.change is not None else source.origin(key)


@dataclass(frozen=True)
class _Within:
    """Locates ids in one source, under other names there if there are any."""

    source: Source
    key: Callable[[str], str] | None = None

    def __call__(self, id: str) -> tuple[Source, str]:
        return self.source, id if self.key is None else self.key(id)


def changed(source: Source, change: Change) -> Derived:
    """Return a source with every photo changed."""
    return Derived(_Within(source), change)


def renamed(source: Source, key: Callable[[str], str]) -> Derived:
    """Return a source with other ids: ``key(new id) -> id in the source``."""
    return Derived(_Within(source, key))
