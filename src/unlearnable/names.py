"""What protected photos are called: names that no file system confuses, and that stay what they were."""

from __future__ import annotations

import itertools
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from unlearnable import hashing

LONGEST = (
    255  # bytes of UTF-8 in one component: the limit of most file systems, and within that of all common ones
)
DIGITS = 6


def output_names(extension: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    """Name the protected copy of every photo.

    A copy keeps the name and the folder of its photo and gets the new extension. Photos whose names differ
    only in extension keep the old one inside the new name (``a.jpg.png``, ``a.png.png``). What would still be
    the same where case or Unicode forms are ignored, and what would be too long, gets ``~`` and six digits
    that depend on its id alone; so does a folder, so that two never merge.

    Args:
        extension: Id of each photo to its new extension, such as ``png``.
        known: Id of each photo of earlier runs to its name; these are kept for ever, and nobody else gets
            them.

    Returns:
        Id of each photo in ``extension`` to its path below the folder of protected photos, with ``/``, in the
        order of ids.
    """
    names = _Names()
    for id, output in sorted(known.items()):
        names.keep(id, output)
    new = sorted(set(extension) - set(known))
    # folders before files, so that no file takes the name of a folder
    folders = {id: _folder(output) for id, output in known.items()} | {
        id: names.folder(_folder(id)) for id in new
    }
    stems = {id: _key(f"{folder}/{PurePosixPath(id).stem}") for id, folder in folders.items()}
    sharing = Counter(stems.values())
    made = dict(known)
    for id in new:
        path = PurePosixPath(id)
        wishes = [path.stem, path.name] if sharing[stems[id]] == 1 else [path.name]
        made[id] = names.take(id, folders[id], wishes, f".{extension[id]}")
    return {id: made[id] for id in sorted(extension)}


@dataclass
class _Names:
    """Names given so far: ``taken`` holds every file and every folder above one, ``folders`` leads from a photo's folder to its copy."""

    taken: set[str] = field(default_factory=set)
    owners: dict[str, str] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=lambda: {"": ""})

    def keep(self, id: str, output: str) -> None:
        sources, outputs = _above(id), _above(output)
        self.taken.update(_key(name) for name in (*outputs, output))
        if len(sources) != len(outputs):
            return
        for source, out in zip(sources, outputs, strict=True):
            # older runs may have let two folders share one: new photos of the first stay there, those of the
            # other move out
            if self.owners.setdefault(_key(out), source) == source:
                self.folders.setdefault(source, out)

    def folder(self, source: str) -> str:
        for place in (*_above(source), source):
            if place not in self.folders:
                self.folders[place] = self.take(
                    place, self.folders[_folder(place)], [PurePosixPath(place).name], ""
                )
        return self.folders[source]

    def take(self, source: str, folder: str, wishes: Sequence[str], tail: str) -> str:
        for name in _candidates(source, wishes, tail):
            path = f"{folder}/{name}" if folder else name
            if _key(path) not in self.taken:
                self.taken.add(_key(path))
                return path
        raise AssertionError("there is always another candidate")


def _candidates(source: str, wishes: Sequence[str], tail: str) -> Iterator[str]:
    for wish in wishes:
        if len(_bytes(wish + tail)) <= LONGEST:
            yield wish + tail
    for attempt in itertools.count():
        digest = hashing.of_bytes(_bytes(f"{source}\0{attempt}" if attempt else source))
        end = f"~{digest[:DIGITS]}{tail}"
        head = wishes[-1]
        room = LONGEST - len(_bytes(end))
        yield (head if len(_bytes(head)) <= room else _bytes(head)[:room].decode("utf-8", "ignore")) + end


def _above(path: str) -> list[str]:
    """Every folder above a path, the first level first."""
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _key(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
