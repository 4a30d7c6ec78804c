"""Engines by name: each maps the function that makes a shard over shards."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

from unlearnable.errors import UsageError
from unlearnable.jobs.shard import Job, Result, Shard

# (job, shards, workers, called after each photo that this process protects) -> results as they come
Engine = Callable[[Job, Sequence[Shard], int, Callable[[], object]], Generator[Result, None, None]]
NAMES = ("local", "ray")


def get(name: str) -> Engine:
    """Return an engine.

    Raises:
        UsageError: If there is none of this name, or its package is missing.
    """
    if name == "local":
        from unlearnable.jobs import local

        return local.run
    if name == "ray":
        from unlearnable.jobs import on_ray

        return on_ray.run
    raise UsageError(f"--engine {name} is unknown.", f"Choose {' or '.join(NAMES)}.")
