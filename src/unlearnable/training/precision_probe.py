"""The precision that ``auto`` stands for: bfloat16 on devices where a timed step in it is faster."""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F

CHANNELS, SIDE = 32, 32
PAIRS = 5
# times as fast as float32: devices with bfloat16 instructions measured 1.8 and more, and less is not worth
# the lost digits
PAYS = 1.3


def precision(device: str) -> str:
    """Return ``bfloat16`` if a step in it takes clearly less time than in float32, else ``float32``.

    Asking PyTorch is not enough: it answers yes for GPUs that emulate bfloat16, and knows the instructions of
    only some CPUs. The probe takes well under a second, once per process and device.
    """
    return "bfloat16" if advantage(device) >= PAYS else "float32"


@functools.cache
def advantage(device: str) -> float:
    """Return the speed of a step in bfloat16 over float32, the median of pairs; 0 where it fails."""
    try:
        steps = {kind: _step(device, kind) for kind in (torch.float32, torch.bfloat16)}
        for step in steps.values():
            step()
        return statistics.median(
            _seconds(steps[torch.float32], device) / _seconds(steps[torch.bfloat16], device)
            for _ in range(PAIRS)
        )
    except RuntimeError:
        # torch raises it for an operation that a device does not have
        return 0.0


def _step(device: str, kind: torch.dtype) -> Callable[[], object]:
    """A step forward and back through two convolutions with activations, in one type."""
    # a generator of its own: a probe changes no other draw
    rng = torch.Generator().manual_seed(0)
    many = 256 if device.startswith("cuda") else 4

    def made(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=rng).to(device, kind, memory_format=torch.channels_last)

    x, weights = (
        made(many, CHANNELS, SIDE, SIDE),
        [made(CHANNELS, CHANNELS, 3, 3).requires_grad_(True) for _ in range(2)],
    )

    def step() -> object:
        seen = x
        for weight in weights:
            seen = torch.relu(F.conv2d(seen, weight, padding=1))
        return torch.autograd.grad(seen.sum(), weights)

    return step


def _seconds(step: Callable[[], object], device: str) -> float:
    _wait(device)
    started = time.perf_counter()
    step()
    _wait(device)
    return time.perf_counter() - started


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    elif device == "mps":
        torch.mps.synchronize()
