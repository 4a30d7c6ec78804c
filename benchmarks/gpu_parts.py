"""The long parts of `gpu.py`: noise for a data set, a round of the baseline, a network on clean images."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from engine import Engine
from resumable import Resumable

from unlearnable import methods, presets
from unlearnable.data.image_set import ImageSet
from unlearnable.events import OnProgress, silent
from unlearnable.methods import Context
from unlearnable.training.compute import Compute
from unlearnable.training.outcome import Epoch
from unlearnable.training.victim import Labelled, Victim, learn


def noise(
    images: ImageSet,
    compute: Compute,
    search: str,
    width: int,
    rounds: int,
    work: Resumable,
    on_progress: OnProgress = silent,
) -> dict[str, Any]:
    """Find sample-wise noise by the `paper` preset, to its stop."""
    given = {
        "form": "samplewise",
        "search": search,
        "surrogate": f"resnet18:width={width},stem=cifar",
        "max_rounds": rounds,
    }
    method = methods.create("error_minimizing", presets.merge(presets.read("paper"), None, given)).resolve(
        (32, 32), len(images)
    )
    view, state = images.view(32), dict(work.state) or None
    work.restart()
    # asked after every step: the checkpoint itself knows when one is due
    fitted = method.fit(view, Context(0, compute), on_progress, state=state, save=work.save, every=-1.0)
    return {
        "images": len(images),
        "seconds": round(work.done(), 2),
        "rounds": len(fitted.log),
        "errors": list(fitted.log),
        "stopped": fitted.reason,
        "resumed": work.resumed,
        **memory(compute),
    }


def published(count: int, compute: Compute, width: int, T: int) -> dict[str, Any]:
    """One round of the baseline, after one on a single batch."""
    Engine(min(count, 512), width, min(count, 512), compute, T).published().round(1, 1)
    search = Engine(count, width, min(count, 512), compute, T).published()
    started = time.perf_counter()
    search.round(10, T)
    seconds = time.perf_counter() - started
    return {
        "images": count,
        "seconds": round(seconds, 2),
        "seconds_per_image": round(seconds / count, 6),
        "steps": T,
        **memory(compute),
    }


def training(
    train: ImageSet, test: ImageSet, compute: Compute, width: int, epochs: int, seed: int, work: Resumable
) -> dict[str, Any]:
    """Train a network on clean images: test accuracy and seconds so far after every epoch, tests included."""
    model = f"resnet18:width={width},stem=cifar"
    victim = Victim(model=model, epochs=epochs, batch=512, lr=0.2, schedule="onecycle")
    views = [images.view(32) for images in (train, test)]
    first, tested = (
        Labelled(torch.from_numpy(view.pixels), torch.from_numpy(view.labels), 10) for view in views
    )
    found: list[list[float]] = list(work.state.get("found", []))

    def hear(epoch: Epoch) -> None:
        found.append([round(epoch.test_accuracy, 4), round(work.seconds, 2)])

    def save(state: dict[str, Any]) -> None:
        work.save({"found": found, "learning": state})

    # the device chooses its kernels in the first batches, which are not timed
    few = Labelled(first.pixels[:1024], first.labels[:1024], 10)
    learn(Victim(model=model, epochs=1, batch=512), few, tested, 0, compute)
    work.restart()
    state = work.state.get("learning")
    learn(victim, first, tested, seed, compute, on_epoch=hear, state=state, save=save, every=-1.0)
    work.done()
    accuracy, seconds = zip(*found, strict=True)
    return {
        "images": len(train),
        "epochs": epochs,
        "seconds": seconds[-1],
        "accuracy": accuracy[-1],
        "accuracy_by_epoch": accuracy,
        "seconds_by_epoch": seconds,
        "seconds_to_94": next((at for share, at in found if share >= 0.94), None),
        "resumed": work.resumed,
        **memory(compute),
    }


def checkpoint(folder: Path, name: str, deadline: float) -> Resumable:
    """Return the checkpoint of a part, by its name."""
    return Resumable(folder / f"{name.replace(', ', '-').replace(' ', '-')}.pt", deadline)


def memory(compute: Compute) -> dict[str, int]:
    """Return the peak memory of the GPU since the part began, in megabytes."""
    return (
        {"peak_gpu_megabytes": torch.cuda.max_memory_allocated() // 2**20} if compute.device == "cuda" else {}
    )
