"""The processes of one search: what they tell each other, and what happens if one of them ends.

A process without others is a group of one, in which nothing is sent.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.distributed as dist

from unlearnable.errors import UnlearnableError, UsageError
from unlearnable.training.compute import Compute
from unlearnable.training.connection import ALL, STEPS, WAITS, answered, connect, groups, leave
from unlearnable.training.launch import Launch

# rows that are sent at a time when parts are put together
CHUNK = 4096


class Elsewhere(UnlearnableError):
    """Another process of the group failed; it has the exit code of that failure.

    Args:
        problem: What happened there.
        remedy: What the reader can do about it.
        code: The exit code.
    """

    def __init__(self, problem: str, remedy: str = "", code: int = 1) -> None:
        super().__init__(problem, remedy)
        self.exit_code = code


class StoppedElsewhere(KeyboardInterrupt):
    """A signal asked another process of the group to stop.

    Args:
        number: The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@dataclass(frozen=True)
class Ranks:
    """This process among those of a search; by default it is alone.

    Sums are added in an order that depends on the number of processes only, and every process gets the same
    bits: each part of a tensor is added up in one process and sent to the others from there.

    Args:
        rank: Its number, from 0 to ``count - 1``.
        count: Number of processes.
    """

    rank: int = 0
    count: int = 1

    @property
    def several(self) -> bool:
        """Whether there are other processes."""
        return self.count > 1

    @property
    def first(self) -> bool:
        """Whether this process speaks and writes for all of them."""
        return self.rank == 0

    def sum(self, tensor: torch.Tensor) -> torch.Tensor:
        """Add up a tensor of all processes, in place, and return it."""
        if self.several:
            with answered():
                dist.all_reduce(tensor, group=groups[STEPS if tensor.device.type == "cpu" else ALL])
        return tensor

    def gather(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return the tensors of all processes, (count, ...), in the order of their ranks."""
        if not self.several:
            return tensor[None]
        found = [torch.empty_like(tensor) for _ in range(self.count)]
        with answered():
            dist.all_gather(found, tensor, group=groups[STEPS if tensor.device.type == "cpu" else ALL])
        return torch.stack(found)

    def put_together(self, rows: torch.Tensor, mine: torch.Tensor) -> torch.Tensor:
        """Return the rows of all processes on the host, in every process.

        Args:
            rows: (M, ...), those of this process.
            mine: bool (N,), which of all rows they are.
        """
        whole, done = torch.empty((len(mine), *rows.shape[1:]), dtype=rows.dtype), 0
        for start in range(0, len(mine), CHUNK):
            here = mine[start : start + CHUNK]
            part = rows.new_zeros((len(here), *rows.shape[1:]))
            held = int(here.sum())
            part[here.to(rows.device)] = rows[done : done + held]
            # the others add zeros
            whole[start : start + CHUNK] = self.sum(part).cpu()
            done += held
        return whole

    def all_of(self, value: Any) -> list[Any]:
        """Return a value of every process, in the order of their ranks; values are those of JSON."""
        if not self.several:
            return [value]
        text = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)
        lengths = [torch.zeros(1, dtype=torch.int64) for _ in range(self.count)]
        with answered():
            dist.all_gather(lengths, torch.tensor([len(text)]), group=groups[WAITS])
            padded = torch.zeros(max(map(int, lengths)), dtype=torch.uint8)
            padded[: len(text)] = text
            found = [torch.empty_like(padded) for _ in range(self.count)]
            dist.all_gather(found, padded, group=groups[WAITS])
        return [
            json.loads(bytes(one[: int(length)].numpy())) for one, length in zip(found, lengths, strict=True)
        ]

    def of_first(self, value: Any) -> Any:
        """Return the value of the first process, in every process; a value is one of JSON."""
        return self.all_of(value if self.first else None)[0] if self.several else value

    def decide(self, stopped: KeyboardInterrupt | None, due: bool) -> tuple[KeyboardInterrupt | None, bool]:
        """Return whether all processes stop and whether they save, after a step that all have taken.

        Args:
            stopped: The request to stop that this process got, if any. One is enough for all.
            due: Whether it is time to save. The first process decides.
        """
        if not self.several:
            return stopped, due
        number = 0 if stopped is None else int(getattr(stopped, "number", signal.SIGINT))
        asked = torch.tensor([number, int(due and self.first)])
        with answered():
            dist.all_reduce(asked, dist.ReduceOp.MAX, group=groups[STEPS])
        number, saves = asked.tolist()
        return (stopped or StoppedElsewhere(number)) if number else None, bool(saves)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Let all processes leave a block, or none: an error of one of them is raised in all.

        Nothing may be sent inside the block. The first process reports the error, so the others raise
        ``Elsewhere``, which only carries the exit code.
        """
        if not self.several:
            yield
            return
        error: Exception | None = None
        try:
            yield
        except Exception as raised:
            error = raised
        found = self.all_of(None if error is None else _described(error))
        failed = [rank for rank, one in enumerate(found) if one is not None]
        if not failed:
            return
        expected = isinstance(error, UnlearnableError | OSError)
        if error is not None and (self.first or not expected):
            raise error
        problem, remedy, code = found[failed[0]]
        raise Elsewhere(f"Process {failed[0]} of {self.count}: {problem}", remedy, code) from error

    def require_same(self, what: str, value: str) -> None:
        """Refuse to go on with processes that disagree.

        Args:
            what: What the value describes, such as ``the photos``.
            value: The same text in every process, if all is well.

        Raises:
            UnlearnableError: If another process has another value.
        """
        found = self.all_of(value)
        others = [rank for rank, one in enumerate(found) if one != found[0]]
        if others:
            # the first process reports it
            kind = UnlearnableError if self.first else Elsewhere
            raise kind(
                f"{what} of process {others[0]} differ from those of process 0.",
                "Give all processes the same files, versions and kind of device.",
            )


ALONE = Ranks()


@contextmanager
def joined(launch: Launch | None = None) -> Iterator[Ranks]:
    """Yield this process among those that ``torchrun`` started, or alone.

    After an error the group is left, so that the other processes do not wait for this one.

    Args:
        launch: The place of this process; that of its environment if None.

    Raises:
        Deserted: If the others cannot be reached.
    """
    launch = Launch.of() if launch is None else launch
    if launch.count == 1:
        yield ALONE
        return
    connect(launch.local)
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size())
    except BaseException:
        leave()
        raise


def placed(compute: Compute, launch: Launch, ranks: Ranks) -> Compute:
    """Return the device and the precision of this process: one GPU each, and the same precision for all.

    Args:
        compute: The choice of this process.
        launch: Its place.
        ranks: Its group.

    Raises:
        UsageError: If processes cannot share the device.
    """
    if not ranks.several:
        return compute
    if compute.device not in ("cpu", "cuda"):
        raise UsageError(
            f"{ranks.count} processes cannot share the device {compute.device}.",
            "Give --device cpu, or --device cuda for one GPU each.",
        )
    device = f"cuda:{launch.local}" if compute.device == "cuda" else compute.device
    if compute.device == "cuda" and launch.local >= torch.cuda.device_count():
        raise UsageError(
            f"There are more processes on this machine than its {torch.cuda.device_count()} GPUs.",
            "Let torchrun start as many processes as there are GPUs.",
        )
    return replace(compute, device=device)


def _described(error: Exception) -> tuple[str, str, int]:
    if isinstance(error, UnlearnableError):
        return error.problem, error.remedy, error.exit_code
    return f"{type(error).__name__}: {error}", "", UnlearnableError.exit_code
