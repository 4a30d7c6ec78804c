"""Sources of photos by id, what is known of a photo without its pixels, and sources derived from others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from unlearnable.data.photo import Photo


class Source(Protocol):
    """Where photos come from."""

    def load(self, id: str) -> tuple[Photo, str]:
        """Return a photo and the hash of its content.

        Raises:
            DataError: If it cannot be read; the message names it.
        """

    def size(self, id: str) -> tuple[int, int] | None:
        """Return (height, width) as the header says, without decoding; None where only decoding can tell."""

    def stamp(self, id: str) -> str:
        """Return a text that changes when the content does, without reading the content where possible."""

    def origin(self, id: str) -> Path | Photo:
        """Return what a worker in another process reads the photo from."""


@dataclass(frozen=True)
class Facts:
    """What is worth knowing of a photo without its pixels.

    Args:
        size: (height, width).
        grey: Whether it has one channel besides alpha.
        see_through: Whether it has an alpha channel.
        digest: Hash of its content.
    """

    size: tuple[int, int]
    grey: bool
    see_through: bool
    digest: str

    @classmethod
    def of(cls, photo: Photo, digest: str) -> Facts:
        """Return the facts of a photo."""
        return cls(photo.size, photo.grey, photo.alpha is not None, digest)


Change = Callable[[str, Photo, str], Photo]  # (id, photo, hash of its content) -> another photo


@dataclass(frozen=True)
class Derived:
    """Photos of other sources, under other ids, changed, or both.

    Args:
        source: The source of an id.
        key: What that source calls it.
        change: What becomes of the photo, given its id here and the hash of its content; None for no change.
            The hash stays that of the original: it says which photo this is.
    """

    source: Callable[[str], Source]
    key: Callable[[str], str]
    change: Change | None = None

    def load(self, id: str) -> tuple[Photo, str]:
        """Return a photo after the change, and the hash of the original's content."""
        photo, digest = self.source(id).load(self.key(id))
        return (photo if self.change is None else self.change(id, photo, digest)), digest

    def size(self, id: str) -> tuple[int, int] | None:
        """Return the size of the original; None where a change may make another one."""
        return None if self.change is not None else self.source(id).size(self.key(id))

    def stamp(self, id: str) -> str:
        """Return the stamp of the original."""
        return self.source(id).stamp(self.key(id))

    def origin(self, id: str) -> Path | Photo:
        """Return what a worker reads: the original's file, or the changed photo."""
        return self.load(id)[0] if self.change is not None else self.source(id).origin(self.key(id))


def changed(source: Source, change: Change) -> Derived:
    """Return a source with every photo changed."""
    return Derived(lambda _: source, _same, change)


def renamed(source: Source, key: Callable[[str], str]) -> Derived:
    """Return a source under other ids: ``key`` leads from a new id to the source's."""
    return Derived(lambda _: source, key)


def _same(id: str) -> str:
    return id
