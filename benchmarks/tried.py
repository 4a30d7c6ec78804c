"""Attempts: compiling the surrogate, replaying its steps as a CUDA graph, a fused optimiser, Winograd.

Parts of `speed.py`. What cannot be done on a machine is said in the result, and stops nothing.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from timing import against, turns
from torch import nn

from unlearnable import models
from unlearnable.training.compute import Compute
from unlearnable.training.frozen import freeze
from unlearnable.training.loop import train_step
from unlearnable.training.recipe import Recipe

SIDE, CLASSES = 32, 10


def compiled(spec: str, batch: int, compute: Compute, repetitions: int) -> dict[str, Any]:
    """Time the gradient with respect to the input, as it is and compiled, and the compilation."""
    model = freeze(compute.to_device(models.create(spec, CLASSES)), compute)
    x, y = _batch(batch, compute)

    def gradient(of: nn.Module) -> torch.Tensor:
        given = x.detach().requires_grad_(True)
        with compute.autocast():
            logits = of(given)
        return torch.autograd.grad(F.cross_entropy(logits.float(), y, reduction="sum"), given)[0]

    started = time.perf_counter()
    try:
        faster = torch.compile(model)
        gradient(faster)
    except Exception as error:  # no compiler, or one that this build of torch cannot use
        return {"batch": batch, "skipped": f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"}
    compiling = time.perf_counter() - started
    found = turns(
        {"plain": lambda: gradient(model), "compiled": lambda: gradient(faster)}, repetitions, compute.device
    )
    return {"batch": batch, "compiling_seconds": round(compiling, 1), **against(found, batch)}


def arranged(spec: str, batch: int, repetitions: int) -> dict[str, Any]:
    """Time the gradient to the input in float32: as it is, in parts of the batch, and channel by channel.

    Parts fit into smaller caches. In seconds of work with one thread, which other programs hardly change.
    """
    compute, threads = Compute("cpu", "float32"), torch.get_num_threads()
    model = freeze(compute.to_device(models.create(spec, CLASSES)), compute)
    by_channel = copy.deepcopy(model).to(memory_format=torch.contiguous_format)
    x, y = _batch(batch, compute)

    def gradient(of: nn.Module, part: int, x: torch.Tensor = x) -> torch.Tensor:
        given = x.detach().requires_grad_(True)
        logits = torch.cat([of(some) for some in torch.split(given, part)])
        return torch.autograd.grad(F.cross_entropy(logits, y, reduction="sum"), given)[0]

    actions: dict[str, Callable[[], object]] = {"plain": lambda: gradient(model, batch)}
    for part in (batch // 2, batch // 4, batch // 8):
        actions[f"{part} images at a time"] = partial(gradient, model, part)
    actions["NCHW"] = lambda: gradient(by_channel, batch, x.contiguous())
    torch.set_num_threads(1)
    try:
        found = turns(actions, repetitions, "cpu", clock=time.process_time)
    finally:
        torch.set_num_threads(threads)
    return {"batch": batch, **against(found, batch)}


def convolutions(channels: int, side: int, batch: int, repetitions: int) -> dict[str, Any]:
    """Time a 3x3 convolution by PyTorch, and by Winograd's algorithm F(2x2, 3x3) in tensor operations.

    The algorithm (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016, Eq. 8)
    needs 16 products for four results; the direct sum needs 36. Times are CPU seconds of one thread.
    """
    threads = torch.get_num_threads()
    x = torch.randn(batch, channels, side, side).contiguous(memory_format=torch.channels_last)
    w = torch.randn(channels, channels, 3, 3).contiguous(memory_format=torch.channels_last) / channels
    to_tile = torch.tensor([[1.0, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
    to_weight = torch.tensor([[1.0, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
    to_result = torch.tensor([[1.0, 1, 1, 0], [0, 1, -1, -1]])
    # the two sides of a tile together, so that each transform is one matrix product
    tiles, results = torch.kron(to_tile, to_tile), torch.kron(to_result, to_result)
    weights = (torch.kron(to_weight, to_weight) @ w.permute(2, 3, 1, 0).reshape(9, -1)).view(
        16, channels, channels
    )

    def winograd() -> torch.Tensor:
        padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))
        cut = padded.unfold(1, 4, 2).unfold(2, 4, 2).permute(4, 5, 0, 1, 2, 3).reshape(16, -1)
        moved = torch.bmm((tiles @ cut).view(16, -1, channels), weights)
        found = (results @ moved.view(16, -1)).view(2, 2, batch, side // 2, side // 2, channels)
        return found.permute(2, 5, 3, 0, 4, 1).reshape(batch, channels, side, side)

    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            apart = float((winograd() - F.conv2d(x, w, padding=1)).abs().max())
            actions = {"plain": lambda: F.conv2d(x, w, padding=1), "winograd": winograd}
            found = turns(actions, repetitions, "cpu", clock=time.process_time)
    finally:
        torch.set_num_threads(threads)
    return {"batch": batch, "largest_difference": apart, **against(found, batch)}


def optimisers(spec: str, batch: int, compute: Compute, repetitions: int) -> dict[str, Any]:
    """A step of training with torch's SGD as it is and fused."""
    x, y = _batch(batch, compute)
    recipe, actions = Recipe(), {}
    for name in ("plain", "fused"):
        model = compute.to_device(models.create(spec, CLASSES))
        more = {"fused": True} if name == "fused" else {}
        settings = {"lr": recipe.lr, "momentum": recipe.momentum, "weight_decay": recipe.weight_decay}
        optimizer = torch.optim.SGD(model.parameters(), **settings, **more)
        actions[name] = lambda model=model, optimizer=optimizer: train_step(model, optimizer, x, y, compute)
    found = turns(actions, repetitions, compute.device)
    return {"batch": batch, "used": compute.device == "cuda", **against(found, batch)}


def graphed(descend: Callable[[], torch.Tensor], batch: int, T: int, repetitions: int) -> dict[str, Any]:
    """Time T sign steps on one batch, kernel by kernel and replayed as one graph. Needs CUDA."""
    try:
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):  # a graph must not be the first to use a kernel
            for _ in range(3):
                descend()
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            descend()
    except Exception as error:
        return {"batch": batch, "skipped": f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"}
    return {
        "batch": batch,
        **against(turns({"plain": descend, "graphed": graph.replay}, repetitions, "cuda"), batch * T),
    }


def _batch(count: int, compute: Compute) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.rand(count, 3, SIDE, SIDE, device=compute.device).contiguous(memory_format=torch.channels_last)
    return x, torch.arange(count, device=compute.device) % CLASSES
