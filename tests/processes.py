"""Several processes of one thread that search together, as torchrun starts them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import unlearnable

TESTS = Path(__file__).parent
SECONDS = 240  # that anything may take on a busy machine


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def environment(**more: object) -> dict[str, str]:
    paths = os.pathsep.join([str(Path(unlearnable.__file__).parents[1]), str(TESTS)])
    quiet = {"OMP_NUM_THREADS": "1", "PYTHONPATH": paths, "GLOO_SOCKET_IFNAME": "lo"}
    return {**os.environ, **quiet, **{name: str(value) for name, value in more.items()}}


def start(count: int, words: Sequence[object]) -> list[subprocess.Popen[str]]:
    """Start ``python WORDS`` in a group of processes, without the agent of torchrun."""
    port = free_port()
    return [
        subprocess.Popen(
            [sys.executable, *map(str, words)],
            env=environment(
                RANK=rank, WORLD_SIZE=count, LOCAL_RANK=rank, MASTER_ADDR="127.0.0.1", MASTER_PORT=port
            ),
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for rank in range(count)
    ]


def end(
    processes: Sequence[subprocess.Popen[str]], codes: Sequence[int] | None = None
) -> list[tuple[str, str]]:
    """Wait for processes, and return what each wrote to stdout and stderr."""
    try:
        said = [process.communicate(timeout=SECONDS) for process in processes]
    finally:
        for process in processes:
            process.kill()
    found = [process.returncode for process in processes]
    assert found == list(codes or [0] * len(found)), (found, said)
    return said
