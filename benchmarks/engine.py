"""The search that is timed: on random images unless others are given, one step or one round at a time."""

from __future__ import annotations

import time

import numpy as np
import torch
from published import Published

from unlearnable import methods, presets
from unlearnable.data.view import View
from unlearnable.methods import Context
from unlearnable.methods.error_minimizing import ErrorMinimizing
from unlearnable.training.compute import Compute

SIDE, CLASSES = 32, 10


def view_of(count: int) -> View:
    """Random images with labels."""
    rng = np.random.default_rng(0)
    return View(
        ids=tuple(f"{i:06}" for i in range(count)),
        pixels=rng.integers(0, 256, (count, 3, SIDE, SIDE), dtype=np.uint8),
        labels=rng.integers(0, CLASSES, count),
        classes=tuple("abcdefghij"),
        grey=np.zeros(count, bool),
        own=np.ones(count, bool),
        frame=(SIDE, SIDE),
        digests=("",) * count,
    )


class Engine:
    """A search of ours by the preset `paper`, sample-wise, step by step.

    Args:
        images: Images, or the number of random ones.
        width: Of the surrogate, a ResNet-18.
        batch: Images per batch.
        compute: Where and how precisely.
        T: Sign steps.
        search: ``exact`` or ``fast``.
    """

    def __init__(
        self, images: View | int, width: int, batch: int, compute: Compute, T: int, search: str = "exact"
    ) -> None:
        self.view = view_of(images) if isinstance(images, int) else images
        given = {
            "form": "samplewise",
            "surrogate": f"resnet18:width={width},stem=cifar",
            "batch": batch,
            "steps": T,
            "search": search,
        }
        merged = presets.merge(presets.read("paper"), None, given)
        method = methods.create("error_minimizing", merged).resolve((SIDE, SIDE), len(self.view.ids))
        assert isinstance(method, ErrorMinimizing)
        self.ctx, self.method = Context(0, compute), method
        self.state = method.start(self.view, self.ctx)
        self.plan = method.plan(self.view, self.ctx)

    def published(self) -> Published:
        """The same images and the same surrogate, for the baseline."""
        compute = self.ctx.compute
        plain = Context(
            0, Compute(compute.device, "float64" if compute.precision == "float64" else "float32")
        )
        model = plain.model(self.method.config.surrogate, CLASSES).to(memory_format=torch.contiguous_format)
        x = torch.from_numpy(self.view.pixels).float() / 255
        return Published(model, x, torch.from_numpy(self.view.labels), self.method.config.batch)

    def round(self) -> float:
        """One whole round; returns the seconds that went into moving the noise."""
        moving = 0.0
        while True:
            started = time.perf_counter()
            step = self.method.advance(self.state, self.view, self.ctx)
            if self.ctx.compute.device == "cuda":
                torch.cuda.synchronize()
            moving += (time.perf_counter() - started) * (step.kind == "move")
            if step.round_ended:
                return moving
