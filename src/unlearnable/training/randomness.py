"""No global seeds: every draw comes from a generator that is derived from one seed and a name.

A draw depends on its purpose and not on earlier draws, which is why an interrupted search resumes as if it
had never stopped, and why the order of the files does not matter.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from unlearnable.hashing import derive


def generator(seed: int, *names: str | int) -> torch.Generator:
    """Return a fresh generator on the CPU, so that draws are the same whatever the device."""
    return torch.Generator().manual_seed(derive(seed, *names))


@contextmanager
def seeded(seed: int, *names: str | int) -> Iterator[None]:
    """Initialise modules repeatably: layers draw from torch's global state, which is restored afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, *names))
        yield


def fresh_seed() -> int:
    """Draw a seed from the operating system."""
    return int.from_bytes(os.urandom(6), "big")
