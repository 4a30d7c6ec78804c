"""The connections between the processes that ``torchrun`` started."""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from unlearnable.errors import UnlearnableError

# that a process waits for the others in a step, whose work is alike
STEP_SECONDS = 600.0
# that it waits where one of them may read photos or write files for hours; a process that dies is noticed
# before, because its connections close
WAIT_SECONDS = 7 * 24 * 3600.0
# all processes; the same for tensors on the CPU; the same where processes may wait for hours
ALL, STEPS, WAITS = "all", "steps", "waits"
# No other object holds them: a connection only closes when nothing does.
groups: dict[str, Any] = {}
# whether the group of all processes was made here, and not by the program
_made: list[bool] = []


class Deserted(UnlearnableError):
    """Another process of the group ended, or does not answer."""


@contextmanager
def answered() -> Iterator[None]:
    """Turn the errors of connections into one that people understand.

    Raises:
        Deserted: If a connection was closed, or the time is up.
    """
    try:
        yield
    except RuntimeError as error:
        raise Deserted(
            "Another process of the search ended, or does not answer.",
            "See its messages. Run the same command again to resume from the last checkpoint.",
        ) from error


def connect(local: int) -> None:
    """Connect this process with the others, as the environment says, if it is not connected yet.

    A group that the program has already is used. One that is made here is used again by the next search.

    Args:
        local: The number of this process on its machine, which is the number of its GPU.

    Raises:
        UnlearnableError: If the others cannot be reached.
    """
    if dist.is_initialized() and groups.get(ALL) is dist.group.WORLD:
        return
    step, wait = timedelta(seconds=STEP_SECONDS), timedelta(seconds=WAIT_SECONDS)
    gpus = torch.cuda.device_count()
    if local < gpus:
        torch.cuda.set_device(local)
    try:
        if not dist.is_initialized():
            dist.init_process_group("cpu:gloo,cuda:nccl" if gpus else "gloo", timeout=step)
            if not _made:
                atexit.register(leave)
            _made[:] = [True]
        for name, timeout in ((STEPS, step), (WAITS, wait)):
            groups[name] = dist.new_group(backend="gloo", timeout=timeout)
    except (RuntimeError, ValueError) as error:
        raise UnlearnableError(
            f"The processes cannot be connected ({str(error).splitlines()[0]}).",
            "Start them with torchrun, which sets MASTER_ADDR and MASTER_PORT.",
        ) from error
    groups[ALL] = dist.group.WORLD


def leave() -> None:
    """Leave the group of processes if it was made here, so that no other process waits for this one."""
    groups.clear()
    if _made and dist.is_initialized():
        dist.destroy_process_group()
