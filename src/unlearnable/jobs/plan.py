"""The plan of a job, ``job.json`` among the manifests: all processes of a job agree on it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from unlearnable.errors import DataError, UsageError
from unlearnable.file_list import published_files
from unlearnable.jobs.places import Folder, Place, place
from unlearnable.jobs.shard import Job

FILE = "job.json"
WAIT_SECONDS = 0.05
KINDS = {"folder": "a folder of photos", "tars": "tar shards", "parquet": "Parquet files"}


@dataclass(frozen=True)
class Plan:
    """The facts on which every process of a job must agree.

    Args:
        output: Path or address of the published files.
        encoding: How they are written.
        kind: ``folder``, ``tars`` or ``parquet``.
        shards: Number of shards of a folder, which never changes.
        photos: Number of photos of a folder when the job began.
        ids: Hash of the ids of a folder when the job began.
        names: Names of the shards of an input of tar or Parquet files.
        extends: Whether noise is made for photos that the run has none for.
    """

    output: str
    encoding: Mapping[str, Any]
    kind: str
    shards: int = 0
    photos: int = 0
    ids: str = ""
    names: tuple[str, ...] = ()
    extends: bool = False


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


def agree(job: Job, kind: str, **facts: Any) -> Plan:
    """Return the plan of a job, made by the first process that needs it.

    Args:
        job: The job.
        kind: Kind of the input.
        facts: Other fields of the plan.

    Raises:
        UsageError: If the job began with another encoding or kind of input, or there are files of others in
            the output.
    """
    manifests = place(job.manifests)
    mine = Plan(job.output, asdict(job.encoding), kind, extends=job.extension is not None, **facts)
    while True:
        with manifests.lock("job") as held:
            if held is not False:
                found = load(manifests)
                if found is None:
                    _require_empty(job)
                    agreed = mine
                else:
                    _require_same(job, found, mine)
                    names = tuple(sorted({*found.names, *mine.names}))
                    agreed = replace(found, names=names, extends=mine.extends)
                if agreed != found:
                    _save(manifests, agreed)
                return agreed
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
            f"{job.output} was made from {KINDS.get(found.kind, 'another kind of input')}.",
            "Give the same PHOTOS, or name another PROTECTED.",
        )
    if found.extends and not mine.extends:
        raise UsageError(
            f"Noise was made for some photos in {job.output} that the run has none for.",
            "Use --missing extend again (extend=True in Python), or name another PROTECTED.",
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
