"""The place of this process among those that ``torchrun`` started, from the environment; without torch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from unlearnable.errors import UsageError

NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK")


@dataclass(frozen=True)
class Launch:
    """The place of this process in its group.

    Args:
        rank: Its number, from 0 to ``count - 1``.
        count: Number of processes; 1 without torchrun.
        local: Its number among the processes of this machine, which is the number of its GPU.
    """

    rank: int = 0
    count: int = 1
    local: int = 0

    @classmethod
    def of(cls, environ: Mapping[str, str] | None = None) -> Launch:
        """Return the place that ``RANK``, ``WORLD_SIZE`` and ``LOCAL_RANK`` say.

        Args:
            environ: The environment; that of this process if None.

        Raises:
            UsageError: If they contradict each other, or one of them is no number.
        """
        environ = os.environ if environ is None else environ
        # other programs set one of the two; only a launcher sets both
        if not {"RANK", "WORLD_SIZE"} <= environ.keys():
            return cls()
        given = [environ.get(name, "0") for name in NAMES]
        if not all(value.isdecimal() for value in given) or not int(given[0]) < int(given[1]):
            said = ", ".join(f"{name}={value}" for name, value in zip(NAMES, given, strict=True))
            raise UsageError(
                f"The environment says {said}, which is no place in a group of processes.",
                "Start the processes with torchrun, or unset RANK and WORLD_SIZE.",
            )
        rank, count, local = map(int, given)
        return cls(rank, count, local)
