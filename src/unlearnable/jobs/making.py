"""One shard: its files first, its manifest last.

A shard is skipped if its manifest still matches photos, noise and encoding.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

from unlearnable.jobs.manifest import Manifest
from unlearnable.jobs.places import place
from unlearnable.jobs.shard import Attempt, Job, Result, Shard
from unlearnable.pool import work
from unlearnable.worker import Task, made


def make_shard(
    shard: Shard, job: Job, isolated: bool = False, on_photo: Callable[[], object] = lambda: None
) -> Result:
    """Make a shard, unless it is finished or another process makes it.

    Args:
        shard: The shard.
        job: Everything that it is made with.
        isolated: Whether photos that kill the process which decodes them are found first, by processes of
            their own, and left out.
        on_photo: Called after each photo.

    Returns:
        The result; without a manifest if another process makes the shard.

    Raises:
        DataError: If the shard cannot be read.
        OSError: If a file cannot be written for a reason that other files share.
    """
    finished = _finished(shard, job)
    if finished is not None:
        return Result(shard.name, finished)
    manifests = place(job.manifests)
    with manifests.lock(shard.name) as held:
        if held is False:
            return Result(shard.name)
        # another process may have finished it since
        finished = _finished(shard, job)
        if finished is not None:
            return Result(shard.name, finished)
        drafts = f".{shard.name}" if held else ""
        if drafts:
            # what a killed process left
            place(job.output).clear(drafts)
        before = Manifest.load(manifests, shard.name)
        deadly = _deadly(shard, job) if isolated else ()
        manifest = shard.make(job, Attempt(before, drafts, deadly, on_photo))
        if drafts:
            place(job.output).clear(drafts)
        manifest.save(manifests)
    return Result(shard.name, manifest, made=True)


def _finished(shard: Shard, job: Job) -> Manifest | None:
    """Return the manifest of a shard that was made from the same content; None if it must be made."""
    manifest = Manifest.load(place(job.manifests), shard.name)
    if manifest is None or manifest.made_with != shard.made_with(job) or not shard.is_whole(job, manifest):
        return None
    return manifest


def _deadly(shard: Shard, job: Job) -> Collection[str]:
    """Return the photos of a shard that kill the process which protects them."""
    trying = partial(_try, job=job)
    results = work(trying, shard.tasks(job), 2, died=lambda task, _: task.id, few=0, at_once=True)
    return {id for id in results if id}


def _try(task: Task, job: Job) -> str:
    made(task, job.noise, missing=job.extension)
    return ""
