"""The shards of an input: tar or Parquet files in a folder, at an address, or of a brace pattern."""

from __future__ import annotations

import itertools
import os
import re
from pathlib import Path

from unlearnable.data.scanning import entries_of
from unlearnable.errors import DataError, UsageError
from unlearnable.jobs import parquet, tars
from unlearnable.jobs.file_shard import FileShard
from unlearnable.jobs.parquet_shard import ParquetShard
from unlearnable.jobs.places import is_address, place
from unlearnable.jobs.tar_shard import TarShard

ENDINGS = (*tars.ENDINGS, parquet.ENDING)
BRACES = re.compile(r"\{([^{}]*)\}")
# names of a pattern; more are a mistake
MOST = 10_000_000


def is_shards(text: str) -> bool:
    """Return whether an input is files with many photos each rather than a folder of photos.

    It is if it is an address, a tar or Parquet file, a brace pattern, or a folder that has such files and no
    sub-folder.

    Args:
        text: Path, address or pattern.
    """
    if is_address(text) or (not os.path.isdir(text) and (text.endswith(ENDINGS) or BRACES.search(text))):
        return True
    try:
        entries = entries_of(Path(text))
    except OSError:
        return False
    kinds = {kind for _, kind in entries}
    return "folder" not in kinds and any(name.endswith(ENDINGS) for name, _ in entries)


def file_shards(text: str, class_name: str | None, columns: tuple[str, ...] = ()) -> list[FileShard]:
    """Return the shards of an input, in the order of their names: tar files, or Parquet files.

    Args:
        text: A folder, an address, a file or a pattern: ``photos-{000..042}.tar`` or ``{a,b}.parquet``.
        class_name: The class of all photos; None to read it from each file.
        columns: Names of the columns of photos and classes of Parquet files.

    Raises:
        DataError: If there is no shard, or one of a pattern is missing.
        UsageError: If two shards have the same name, there are two kinds, or a pattern cannot be understood.
    """
    files = _files(text)
    kinds = {name.endswith(parquet.ENDING) for _, name in files}
    if len(kinds) > 1:
        raise UsageError(
            f"{text} holds tar and Parquet files, but a job takes shards of one kind.",
            "Name the files of one kind with a pattern, such as photos-{000..042}.tar.",
        )
    if kinds == {True}:
        parquet.require_arrow()
    elif columns:
        raise UsageError("--columns is for Parquet files, and the input is tar shards.", "Leave it out.")
    shards: dict[str, FileShard] = {}
    for folder, name in files:
        stem = next(name.removesuffix(end) for end in ENDINGS if name.endswith(end))
        place_of = _absolute(folder)
        shard: FileShard = TarShard(stem, place_of, name, class_name)
        if kinds == {True}:
            shard = ParquetShard(stem, place_of, name, class_name, columns)
        other = shards.setdefault(stem.casefold(), shard)
        if (other.folder, other.file) != (place_of, name):
            raise UsageError(
                f"Two shards are called {stem}: {other.folder}/{other.file} and {folder}/{name}.",
                "Rename one, because each is published as a file of that name.",
            )
    return sorted(shards.values(), key=lambda shard: shard.name)


def _files(text: str) -> list[tuple[str, str]]:
    """Return (folder, name) of every file of an input."""
    if text.endswith(ENDINGS):
        wanted = [path.rpartition("/") for path in expanded(text)]
        there = {folder: set(place(folder or ".").names()) for folder in {folder for folder, _, _ in wanted}}
        missing = [f"{folder}/{name}" for folder, _, name in wanted if name not in there[folder]]
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise DataError(
                f"{missing[0]}{more} of {text} cannot be found.", "Check the pattern, or name the folder."
            )
        return [(folder or ".", name) for folder, _, name in wanted]
    files = [(text, name) for name in place(text).names() if name.endswith(ENDINGS)]
    if not files:
        raise DataError(
            f"{text} holds no tar shard and no Parquet file.",
            "Give a folder of such files, or a pattern such as photos-{000..042}.tar; pack loose photos of "
            "a bucket into tar shards first.",
        )
    return files


def expanded(pattern: str) -> list[str]:
    """Return the names that a brace pattern stands for, as a shell expands it.

    Args:
        pattern: With any number of ``{000..042}`` and ``{a,b}``, not inside each other.

    Raises:
        UsageError: If a pair of braces holds neither, or the names are too many.
    """
    parts = BRACES.split(pattern)
    choices = [_choices(part, pattern) if index % 2 else [part] for index, part in enumerate(parts)]
    count = 1
    for choice in choices:
        count *= len(choice)
    if count > MOST:
        raise UsageError(f"{pattern} stands for {count:,} files.", "Give a smaller pattern.")
    return ["".join(words) for words in itertools.product(*choices)]


def _choices(inside: str, pattern: str) -> list[str]:
    ends = re.fullmatch(r"(\d{1,12})\.\.(\d{1,12})", inside)
    if ends:
        first, last = int(ends[1]), int(ends[2])
        if last - first >= MOST:
            raise UsageError(f"{pattern} stands for too many files.", "Give a smaller pattern.")
        return [f"{number:0{len(ends[1])}d}" for number in range(first, last + 1)]
    if "," in inside:
        return inside.split(",")
    raise UsageError(
        f"{{{inside}}} in {pattern} is no pattern.", "Write {000..042} for numbers, or {a,b} for words."
    )


def _absolute(folder: str) -> str:
    return folder if is_address(folder) else os.path.abspath(folder)
