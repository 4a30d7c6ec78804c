"""The engine ``ray``: each shard is a plain task of a Ray cluster."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import redirect_stdout
from typing import Any

from unlearnable.errors import UsageError
from unlearnable.jobs.making import make_shard
from unlearnable.jobs.shard import Job, Result, Shard

# tasks in flight for each CPU of the cluster, so that the driver's memory does not grow with the shards
AHEAD = 2
RETRIES = 3


def run(
    job: Job, shards: Sequence[Shard], workers: int, on_photo: Callable[[], object] = lambda: None
) -> Generator[Result, None, None]:
    """Make shards in a Ray cluster, and yield the result of each as it comes.

    The cluster is that of the environment variable ``RAY_ADDRESS``, or one of this machine, which ends with
    the command. Ray runs a task again whose process or node died, up to three times. If it still dies, the
    shard is made once more with its photos isolated, so that the photo which kills the process is skipped.

    Args:
        job: Everything that they are made with. Noise, photos and manifests must have the same path on every
            node, or an address.
        shards: The shards.
        workers: CPUs of a cluster of this machine.
        on_photo: Not called: photos are protected elsewhere.

    Raises:
        UsageError: If Ray is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise UsageError(
            "--engine ray needs the package ray.", "Install the extra: pip install 'unlearnable[ray]'."
        ) from error
    ours = not ray.is_initialized()
    # Ray prints to stdout when a process dies, among the result of the command
    with redirect_stdout(sys.stderr):
        if ours:
            _begin(ray, workers)
        try:
            yield from _mapped(ray, job, shards)
        finally:
            if ours:
                ray.shutdown()


def _begin(ray: Any, workers: int) -> None:
    # Ray reports its use to its makers unless it is told not to
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    quiet = {"configure_logging": False, "log_to_driver": False}
    if os.environ.get("RAY_ADDRESS"):
        ray.init(**quiet)
    else:
        ray.init("local", num_cpus=workers, include_dashboard=False, **quiet)


def _mapped(ray: Any, job: Job, shards: Sequence[Shard]) -> Generator[Result, None, None]:
    making = ray.remote(num_cpus=1, max_retries=RETRIES)(make_shard)
    # the photos that kill their process do so in processes of their own
    isolating = ray.remote(num_cpus=1, max_retries=0)(make_shard)
    waiting = [(shard, False) for shard in reversed(shards)]
    flying: dict[Any, tuple[Shard, bool]] = {}
    try:
        while waiting or flying:
            most = AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)))
            while waiting and len(flying) < most:
                shard, isolated = waiting.pop()
                task = (isolating if isolated else making).remote(shard, job, isolated)
                flying[task] = (shard, isolated)
            done, _ = ray.wait(list(flying), num_returns=1)
            for task in done:
                shard, isolated = flying.pop(task)
                try:
                    result = ray.get(task)
                except ray.exceptions.RayTaskError as error:
                    # the error that the task itself raised
                    raise (error.cause if isinstance(error.cause, Exception) else error) from error
                except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError):
                    if isolated:
                        raise
                    waiting.append((shard, True))
                else:
                    yield result
    finally:
        for task in flying:
            ray.cancel(task, force=True)
