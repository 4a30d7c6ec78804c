"""Folders to publish to: which of them may be written, and the path of every file in them."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from unlearnable import disk_space
from unlearnable.assignment import SEPARATOR
from unlearnable.data.encoding import EXTENSION, Encoding
from unlearnable.data.file_kinds import is_photo
from unlearnable.data.image_set import ImageSet
from unlearnable.errors import DataError, UsageError
from unlearnable.file_list import FileList, files_below, published_files
from unlearnable.names import output_names
from unlearnable.runs import RunFolder


def require_usable(protected: Path, run: RunFolder, encoding: Encoding, refit: bool = False) -> FileList:
    """Return the list of the files in a folder to publish, before any photo is read.

    Args:
        protected: The folder.
        run: The run folder.
        encoding: How files are to be written.
        refit: Whether all files are to be written again.

    Raises:
        UsageError: If the run wrote the folder with another encoding, or there are files in it and the run
            has not written anything.
    """
    listed = run.list_of(protected)
    before = {} if refit else listed.encoding
    wanted, usual = asdict(encoding), asdict(Encoding())
    # an entry of a later version is missing in records of earlier ones, which had its default
    had = {key: before.get(key, usual[key]) for key in wanted} if before else wanted
    changed = [f"{key} {had[key]}, not {wanted[key]}" for key in wanted if had[key] != wanted[key]]
    if changed and listed.outputs():
        raise UsageError(
            f"{protected} holds files with {', '.join(changed)}.",
            _elsewhere(run),
        )
    if not listed.encoding and not listed.outputs():
        _refuse_others(published_files(protected), protected, run)
    return listed


def require_place(
    images: ImageSet, protected: Path, run: RunFolder, encoding: Encoding, refit: bool = False
) -> None:
    """Refuse a folder that cannot be published to, before the search rather than after it.

    Args:
        images: The photos, checked.
        protected: The folder.
        run: The run folder, open.
        encoding: How files are to be written.
        refit: Whether all files are to be written again.

    Raises:
        UsageError: If the folder holds other files, or its disk is obviously too small.
    """
    outputs = outputs_for(images, protected, run, encoding, refit)
    root = protected.absolute()
    missing = [id for id in images.own if not os.path.exists(os.path.join(root, outputs[id]))]
    disk_space.require_room(images, missing, encoding, root)


def outputs_for(
    images: ImageSet, protected: Path, run: RunFolder, encoding: Encoding, refit: bool = False
) -> Mapping[str, str]:
    """Return the path below ``protected`` of every image that is not context, by id.

    Raises:
        UsageError: If ``protected`` holds files that no run in this run folder wrote, or files in another
            format.
    """
    listed = require_usable(protected, run, encoding, refit)
    records = listed.records()
    known = records.outputs
    outputs: Mapping[str, str] = known
    other, new = list[str](), False
    for id in images.own:
        name = known.get(id)
        new = new or name is None
        if name is not None and not name.endswith(f".{_extension(images, id, encoding)}"):
            other.append(id)
    if other and listed.encoding.get("format", encoding.format) != encoding.format:
        raise UsageError(
            f"{protected} holds {other[0]} as {known[other[0]]}, "
            f"not as {_extension(images, other[0], encoding)}.",
            _elsewhere(run),
        )
    made = set[str]()
    if new or other:
        wanted, taken = {id: _extension(images, id, encoding) for id in images.own}, dict(known)
        # A photo that got or lost transparency may need another format. Its former name is never given away.
        former = {f"{id}{SEPARATOR}": taken.pop(id) for id in other}
        outputs = output_names(wanted, taken | former)
        made = set(outputs.values())
    # what a server or a sync program adds to a published folder is no photo, so it publishes nothing
    recognised = bool(listed.encoding or known)
    others = [
        name
        for name, _ in files_below(protected)
        # a killed run may have written a file and not yet listed it
        if not recognised or (is_photo(name) and name not in made and not records.wrote(name))
    ]
    _refuse_others(sorted(others), protected, run)
    return outputs


def _elsewhere(run: RunFolder) -> str:
    command = f"`unlearnable apply {shlex.quote(str(run.path))} PHOTOS OTHER`"
    return f"Use the same options, or write another folder with the same noise: {command}."


def _refuse_others(names: Iterable[str], protected: Path, run: RunFolder) -> None:
    other = next(iter(names), None)
    if other is not None:
        raise UsageError(
            f"{protected} holds {other}, which no run in {run.path} wrote.",
            "Name a new or empty folder; if the run folder was moved, give its path with --run.",
        )


def _extension(images: ImageSet, id: str, encoding: Encoding) -> str:
    if encoding.format == "png":
        return EXTENSION["png"]
    try:
        # only JPEG has no transparency, and only a decoded photo tells whether it has any
        has_alpha = encoding.format == "jpeg" and images.about(id).has_alpha
        return EXTENSION[encoding.format_for(images.size(id), has_alpha)[0]]
    except DataError:
        # its worker reports why it cannot be read
        return EXTENSION[encoding.format]
