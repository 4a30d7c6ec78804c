"""The folders of a job: what is published and what is private never lie inside each other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from unlearnable import hashing, runs
from unlearnable.errors import UnlearnableError, UsageError
from unlearnable.jobs.places import is_address

DIGITS = 8


def manifests_of(run: Path, protected: str) -> str:
    """Return the usual folder of the manifests of an output: beside the run folder, which may be read-only.

    Args:
        run: The run folder.
        protected: Path or address of the output.

    Returns:
        The path ``RUN.shards/NAME-HASH``.
    """
    whole = protected.rstrip("/") if is_address(protected) else str(Path(protected).resolve())
    name = whole.rpartition("/")[2].rpartition(os.sep)[2]
    run = run.resolve()
    digest = hashing.of_bytes(os.fsencode(whole))[:DIGITS]
    return str(run.with_name(f"{run.name}.shards") / f"{name[:40]}-{digest}")


def find_manifests(protected: str) -> str:
    """Return the manifests of an output whose run folder is beside it or beside its photos.

    Raises:
        UsageError: If there are none there, or those of several runs.
    """
    found: list[Path] = []
    if not is_address(protected):
        parent = Path(protected).resolve().parent
        name = Path(manifests_of(Path("run"), protected)).name
        found = [
            path for glob in ("*.shards", "*.unlearnable/*.shards") for path in parent.glob(f"{glob}/{name}")
        ]
    if len(found) != 1:
        raise UsageError(
            f"The manifests of {protected} are {'in several places' if found else 'not beside it'}.",
            "Give the run folder, `unlearnable apply RUN --status PROTECTED`, or --manifests FOLDER.",
        )
    return str(found[0])


def keep_apart(photos: str, protected: str, run: Path, manifests: str) -> None:
    """Refuse places that overlap.

    Args:
        photos: Path, address or pattern of the sources.
        protected: Path or address of the output.
        run: The run folder.
        manifests: Path or address of the manifests.

    Raises:
        UsageError: If one lies inside another where it must not.
    """
    named = not is_address(photos) and not os.path.isdir(photos)
    if named:
        # files by name: the output may be in a folder beside them, and must not be their own
        source = os.path.dirname(photos.partition("{")[0]) or "."
    else:
        source = photos
        if not is_address(source) and not is_address(protected):
            runs.keep_apart(Path(source), Path(protected), run)
    remedy = "Give another --manifests FOLDER."
    for inner, outer, problem in (
        (source, protected, "PHOTOS lies inside PROTECTED"),
        (str(run), protected, "The run folder lies inside PROTECTED, and must stay private"),
        (manifests, protected, "The manifests lie inside PROTECTED, and must stay private"),
        (protected, manifests, "PROTECTED lies inside the manifests"),
        *(() if named else ((protected, source, "PROTECTED lies inside PHOTOS"),)),
        *(() if named else ((manifests, source, "The manifests lie inside PHOTOS"),)),
    ):
        if _is_inside(inner, outer):
            advice = remedy if "manifests" in problem else "Name a folder elsewhere."
            raise UsageError(f"{problem} ({inner}, {outer}).", advice)


@contextmanager
def private_folder(folder: str) -> Iterator[None]:
    """Make a local folder with mode 0700, where that can be had: other users must not read the manifests.

    A folder that is made here and still empty when an exception ends the context is removed.

    Raises:
        UnlearnableError: If it cannot be made.
    """
    if is_address(folder):
        yield
        return
    path = Path(folder)
    new = [one for one in (path, path.parent) if not one.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnlearnableError(
            f"{folder} cannot be made ({error.strerror or error}).",
            "Name another private place for the manifests with --manifests FOLDER.",
        ) from error
    for one in new:
        # not on file systems without modes
        with suppress(OSError):
            one.chmod(0o700)
    try:
        yield
    except BaseException:
        with suppress(OSError):
            for one in new:
                one.rmdir()
        raise


def _is_inside(inner: str, outer: str) -> bool:
    if is_address(inner) != is_address(outer):
        return False
    if is_address(inner):
        return f"{inner.rstrip('/')}/".startswith(f"{outer.rstrip('/')}/")
    one, other = Path(inner).resolve(), Path(outer).resolve()
    return one == other or other in one.parents
