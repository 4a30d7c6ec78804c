"""Whether other work, or a limit of a container, leaves this process less than the cores it wants."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from unlearnable import portable
from unlearnable.events import Event, OnProgress
from unlearnable.training.compute import Compute

# cores that this process and the others may want, for each core, while times that were measured still hold
SHARE = 1.25
# below this share of busy cores, some are idle
IDLE = 0.9
# seconds for which busy cores are counted, because the load still includes programs that have ended
SAMPLE = 0.25
# the load of the system is a mean over about this many seconds, to which this process contributes too
WINDOW = 60.0
QUOTA = Path("/sys/fs/cgroup/cpu.max")


# what this process has said: once is enough, however many searches it makes
_said: set[str] = set()


def announce(stage: str, compute: Compute, on_progress: OnProgress) -> None:
    """Send the remark as an event, once in a process.

    Args:
        stage: The stage of the work that begins.
        compute: The device.
        on_progress: Called with the event.
    """
    if not _said and (text := remark(compute)):
        _said.add(text)
        on_progress(Event(stage, text=text))


def remark(compute: Compute) -> str:
    """Return a sentence for people if this process does not get the cores that it wants; else an empty text.

    On a machine that seems busy, it sleeps for a quarter of a second to be sure.

    Args:
        compute: The device: work on a GPU needs few cores.
    """
    if not compute.device.startswith("cpu"):
        return ""
    cores, threads, most = os.cpu_count() or 1, torch.get_num_threads(), quota()
    if most is not None and most < min(cores, threads) - 0.1:
        return (
            f"this container may use {most:g} cores, but {threads} threads want one each; set "
            f"OMP_NUM_THREADS={max(1, int(most))}, because threads that wait for each other lose time"
        )
    spare = SHARE * cores - min(cores, threads)
    others = busy_cores()
    if others > spare and (now := portable.busy_cores(SAMPLE)) is not None and now < IDLE * cores:
        # no one waits while cores are idle
        others = now
    if others <= spare:
        return ""
    advice = "; OMP_NUM_THREADS=1 often helps, because threads wait for each other" if threads > 1 else ""
    return (
        f"other programs want about {others:.1f} of the {cores} cores of this machine, so this takes longer "
        f"than it would alone, and the time left may change{advice}"
    )


def busy_cores() -> float:
    """Return how many cores other processes would keep busy; 0 where the system does not tell."""
    spent = os.times()
    own = spent.user + spent.system + spent.children_user + spent.children_system
    return max(0.0, portable.load() - own / WINDOW)


def quota(file: Path = QUOTA) -> float | None:
    """Return the cores that the container may use; None if it may use all, or the system does not tell."""
    try:
        limit, period = file.read_text("ascii").split()
        return int(limit) / int(period)
    except (OSError, ValueError):
        # the limit is the word "max" where there is none
        return None
