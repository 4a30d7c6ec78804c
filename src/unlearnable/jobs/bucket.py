"""A place behind an address that fsspec opens: an object store, or another machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, BinaryIO, cast

from unlearnable.errors import DataError


class Bucket:
    """An address of fsspec, such as ``s3://bucket/photos``.

    Args:
        address: The address of the folder.

    Raises:
        DataError: If the protocol is unknown, or its package is missing.
    """

    def __init__(self, address: str) -> None:
        import fsspec

        try:
            self._files, self._root = fsspec.core.url_to_fs(address)
        except (ImportError, ValueError) as error:
            raise DataError(
                f"{address} cannot be opened ({error}).",
                "Install the package that opens such addresses: s3fs for s3://, gcsfs for gs://.",
            ) from error
        self._root = self._root.rstrip("/")
        self._address = address.rstrip("/")

    @property
    def name(self) -> str:
        """The address."""
        return self._address

    def names(self) -> list[str]:
        """Return the names of the files, without hidden ones."""
        self._files.invalidate_cache()
        try:
            entries = self._files.ls(self._root, detail=True)
        except FileNotFoundError:
            return []
        names = (entry["name"].rpartition("/")[2] for entry in entries if entry["type"] == "file")
        return sorted(name for name in names if name and not name.startswith("."))

    def stamp(self, name: str) -> str | None:
        """Return size, and the tag or the time of the content."""
        facts = self._facts(name)
        if facts is None:
            return None
        tag = next(
            (facts[key] for key in ("ETag", "etag", "md5Hash", "mtime", "created") if key in facts), ""
        )
        return f"{facts['size']}:{tag}"

    def size(self, name: str) -> int | None:
        """Return the bytes of a file."""
        facts = self._facts(name)
        return None if facts is None else int(facts["size"])

    def _facts(self, name: str) -> dict[str, Any] | None:
        try:
            return dict(self._files.info(f"{self._root}/{name}"))
        except FileNotFoundError:
            return None

    def reading(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Open a file."""
        return cast(AbstractContextManager[BinaryIO], self._files.open(f"{self._root}/{name}", "rb"))

    def write(self, name: str, save: Callable[[BinaryIO], object], drafts: str = "") -> None:
        """Write a file under another name, then give it its own."""
        draft = f"{self._root}/{drafts or '.drafts'}/{name}.{os.urandom(8).hex()}.part"
        self._files.makedirs(draft.rpartition("/")[0], exist_ok=True)
        try:
            with self._files.open(draft, "wb") as file:
                save(file)
            self._files.mv(draft, f"{self._root}/{name}")
        except BaseException:
            with suppress(Exception):
                self._files.rm(draft)
            raise

    def clear(self, drafts: str) -> None:
        """Do nothing: without locks, another process may be writing there."""

    def lock(self, name: str) -> AbstractContextManager[bool | None]:
        """Hold nothing: object stores have no locks."""
        return nullcontext(None)
