"""The plan of a job, ``job.json`` among the manifests: all processes of a job agree on it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from unlearnable.errors import DataError, UsageError
from unlearnable.file_list import published_files
from unlearnable.jobs.places import Folder, Place, place
from unlearnable.jobs.shard import Job

FILE = "job.json"
WAIT_SECONDS = 0.05


@dataclass(frozen=True)
class Plan:
    """The facts on which every process of a job must agree.

    Args:
        output: Path or address of the published files.
        encoding: How they are written.
        kind: ``folder`` or ``tars``.
        shards: Number of shards of a folder, which never changes.
        photos: Number of photos when the job began; 0 for tars.
        ids: Hash of the ids of a folder when the job began.
        names: Names of the shards that are tar files.
    """

    output: str
    encoding: Mapping[str, Any]
    kind: str
    shards: int = 0
    photos: int = 0
    ids: str = ""
    names: tuple[str, ...] = ()


def load(manifests: Place) -> Plan | None:
    """Return the plan of a job; None if it has not begun.

    Raises:
        DataError: If it is damaged.
    """
    try:
        with manifests.reading(FILE) as file:
            record = json.loads(file.read())
        return Plan(**{**record, "names": tuple(record["names"])})
    except FileNotFoundError:
        return None
    except (ValueError, LookupError, TypeError) as error:
        raise DataError(
            f"{manifests.name}/{FILE} is damaged ({error}).",
            "Delete it, then run the command again: finished shards stay finished.",
        ) from error


def _save(manifests: Place, plan: Plan) -> None:
    data = json.dumps(asdict(plan), indent=1).encode("ascii")
    manifests.write(FILE, lambda file: file.write(data))


def agree(job: Job, plan: Callable[[], Plan]) -> Plan:
    """Return the plan of a job, made by the first process that needs it.

    Args:
        job: The job.
        plan: Makes the plan.

    Raises:
        UsageError: If the job began with another encoding or kind of input, or there are files of others in
            the output.
    """
    manifests, mine = place(job.manifests), plan()
    while True:
        with manifests.lock("job") as held:
            if held is not False:
                found = load(manifests)
                if found is None:
                    _require_empty(job)
                else:
                    _require_same(job, found, mine)
                theirs = mine if found is None else found
                names = tuple(sorted({*theirs.names, *mine.names}))
                if found is None or names != found.names:
                    theirs = Plan(**{**asdict(theirs), "names": names})
                    _save(manifests, theirs)
                return theirs
        time.sleep(WAIT_SECONDS)


def _require_same(job: Job, found: Plan, mine: Plan) -> None:
    changed = [key for key, value in mine.encoding.items() if found.encoding.get(key) != value]
    if changed:
        was = ", ".join(f"{key} {found.encoding.get(key)}, not {mine.encoding[key]}" for key in changed)
        raise UsageError(
            f"{job.output} holds files with {was}.", "Use the same options, or name another PROTECTED."
        )
    if found.kind != mine.kind:
        raise UsageError(
            f"{job.output} was made from {'tar shards' if found.kind == 'tars' else 'a folder of photos'}.",
            "Give the same PHOTOS, or name another PROTECTED.",
        )


def _require_empty(job: Job) -> None:
    output = place(job.output)
    others = published_files(Path(output.name)) if isinstance(output, Folder) else output.names()
    other = next(iter(others), None)
    if other is not None:
        raise UsageError(
            f"{job.output} holds {other}, which no shard of {job.manifests} wrote.",
            "Name a new or empty PROTECTED; if the manifests were moved, give their folder with --manifests.",
        )
