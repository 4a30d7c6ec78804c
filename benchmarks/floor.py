"""The limits of the machine, the share that the inner loop reaches, a profile. Parts of `speed.py`."""

from __future__ import annotations

import statistics
from typing import Any

import torch
from engine import SIDE, Engine
from timing import turns
from torch import nn
from torch.autograd import DeviceType
from torch.utils.flop_counter import FlopCounterMode

from unlearnable.training.compute import Compute
from unlearnable.training.frozen import freeze


def floor(width: int, batch: int, compute: Compute, T: int, size: int) -> dict[str, Any]:
    """Measure a sign step: operations, bytes, and its share of the rate of a large matrix product."""
    engine = Engine(batch, width, batch, compute, T)
    model = freeze(engine.plan.surrogate(engine.state).model, compute)
    x = torch.rand(batch, 3, SIDE, SIDE, device=compute.device, requires_grad=True)
    moved = 0

    def count(module: nn.Module, given: tuple[torch.Tensor, ...], result: torch.Tensor) -> None:
        nonlocal moved
        moved += given[0].nbytes + result.nbytes

    hooks = [
        module.register_forward_hook(count) for module in model.modules() if isinstance(module, nn.Conv2d)
    ]
    with FlopCounterMode(display=False) as counter:
        with compute.autocast():
            logits = model(x)
        torch.autograd.backward(logits.float().sum())  # the weights take no gradient
    for hook in hooks:
        hook.remove()
    type = torch.bfloat16 if compute.precision == "bfloat16" else torch.float32
    a, b = (torch.randn(size, size, device=compute.device, dtype=type) for _ in range(2))
    seconds = turns(
        {"product": lambda: a @ b, "step": lambda: engine.method.move(engine.plan, engine.state, 0)},
        5,
        compute.device,
    )
    rate, step = 2 * size**3 / min(seconds["product"]), statistics.median(seconds["step"]) / T
    return {
        "precision": compute.precision,
        "operations_per_image_step": counter.get_total_flops() // batch,
        "bytes_per_image_step": 2
        * moved
        // batch,  # what convolutions read and write, forward, and as much on the way back
        "product_gigaflops": round(rate / 1e9, 1),
        "reached_gigaflops": round(counter.get_total_flops() / step / 1e9, 1),
        "share": round(counter.get_total_flops() / step / rate, 3),
        "product_seconds": [round(one, 4) for one in seconds["product"]],
        "step_seconds": [round(one / T, 4) for one in seconds["step"]],
    }


def profile(width: int, batch: int, compute: Compute, T: int) -> dict[str, float]:
    """Shares of the inner loop's time by kind of operation, the ten largest."""
    engine = Engine(batch, width, batch, compute, T)
    engine.method.move(engine.plan, engine.state, 0)
    with torch.profiler.profile() as profiler:
        engine.method.move(engine.plan, engine.state, 0)
    name, kind = ("device", DeviceType.CUDA) if compute.device == "cuda" else ("cpu", DeviceType.CPU)
    # on a GPU, an operation reports the time of its kernels once more
    every = [one for one in profiler.key_averages() if one.device_type == kind]
    found = sorted(((getattr(one, f"self_{name}_time_total"), one.key) for one in every), reverse=True)
    return {name: round(taken / sum(one for one, _ in found), 3) for taken, name in found[:10]}
