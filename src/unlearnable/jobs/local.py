"""The engine ``local``: shards in processes of this machine."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial

from unlearnable.jobs.making import make_shard
from unlearnable.jobs.shard import Job, Result, Shard
from unlearnable.pool import work


def run(
    job: Job, shards: Sequence[Shard], workers: int, on_photo: Callable[[], object] = lambda: None
) -> Generator[Result, None, None]:
    """Make shards, and yield the result of each as it comes.

    A shard whose process dies twice is made again with its photos isolated, so that the photo which kills the
    process is skipped and named.

    Args:
        job: Everything that they are made with.
        shards: The shards.
        workers: Number of processes; with fewer than 2, this process does the work.
        on_photo: Called after each photo where this process does the work.
    """
    few = 2
    making = partial(make_shard, job=job)
    if workers < 2 or len(shards) < few:
        making = partial(making, on_photo=on_photo)
    lost = []
    for result in work(making, shards, workers, died=_died, few=few, ahead=1, at_once=True):
        if result.died:
            lost.append(result.shard)
        else:
            yield result
    for shard in shards:
        if shard.name in lost:
            yield make_shard(shard, job, isolated=True)


def _died(shard: Shard, reason: str) -> Result:
    return Result(shard.name, died=True)
