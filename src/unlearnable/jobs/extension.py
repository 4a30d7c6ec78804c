"""Noise for photos that the run has none for: made for each alone, while its shard is made."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from unlearnable import hashing
from unlearnable.data.photo import Photo
from unlearnable.runs import RunFolder
from unlearnable.worker import Task

if TYPE_CHECKING:
    # workers that add known noise must not wait for PyTorch
    from unlearnable.extending import OneByOne
    from unlearnable.noise import Noise


@dataclass(frozen=True)
class Extension:
    """Makes noise for photos that a run has none for; small, and can be pickled.

    Args:
        run: The run folder, which is only read.
        content: Hash of everything that such noise is made from, except its photo.
        plugins: Files that register the method and the networks of the run, if no package does.
    """

    run: Path
    content: str
    plugins: tuple[Path, ...] = ()

    def __call__(self, task: Task, photo: Photo, digest: str) -> Noise:
        """Return noise for one photo, which does not depend on other photos.

        Raises:
            DataError: If the method cannot make any.
        """
        return _loaded(self)(task.id, task.class_name, photo, digest)


def extension_for(run: RunFolder) -> Extension | None:
    """Return the extension of a run; None for class-wise noise, which all photos of a class share.

    Raises:
        UsageError: If the noise was imported, or its method is not loaded.
        DataError: If the run is damaged.
    """
    from unlearnable.extending import OneByOne, plugins_of

    one_by_one = OneByOne(run)
    if one_by_one.form == "classwise":
        return None
    record = run.read()
    content = hashing.digest(
        record["method"], record["settings"], record["seed"], hashing.of_file(run.surrogate)
    )
    return Extension(run.path.absolute(), content, plugins_of(record))


@lru_cache(maxsize=1)
def _loaded(extension: Extension) -> OneByOne:
    from unlearnable.extending import OneByOne
    from unlearnable.plugins import load_plugin

    for plugin in extension.plugins:
        load_plugin(plugin)
    return OneByOne(RunFolder(extension.run))
