"""The one training step, and what goes around it. Surrogates and victims are trained by the same code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import nn

from unlearnable.training.compute import Compute
from unlearnable.training.image_store import ImageStore
from unlearnable.training.randomness import generator
from unlearnable.training.recipe import Recipe
from unlearnable.training.transforms import Transform


class Stages(Protocol):
    """What a countermeasure does inside a training; ``countermeasures.base`` says what each stage gets."""

    @property
    def test_time(self) -> bool:
        """Whether test images are prepared too (with ``labels`` None)."""

    def prepare(
        self, pixels: torch.Tensor, labels: torch.Tensor | None, rng: torch.Generator, compute: Compute
    ) -> torch.Tensor:
        """Return images as they are trained on: uint8 (N, 3, S, S) on the host."""

    def batch(
        self, x: torch.Tensor, y: torch.Tensor, rng: torch.Generator, compute: Compute
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return float (B, 3, s, s) in [0, 1] and the probabilities of the classes, float (B, classes)."""

    def step(
        self, model: nn.Module, x: torch.Tensor, y: torch.Tensor, rng: torch.Generator, compute: Compute
    ) -> torch.Tensor:
        """Return the input on which the step is taken."""


def train_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    x: torch.Tensor,
    y: torch.Tensor,
    compute: Compute,
    clip: float = 0.0,
    frozen: Sequence[nn.Module] = (),
) -> tuple[torch.Tensor, torch.Tensor]:
    """Take one step on a batch in train mode.

    Args:
        model: The model; changed in place.
        optimizer: Its optimiser.
        x: float (B, 3, s, s) in [0, 1], on the device.
        y: int64 (B,), or float (B, classes) with the probabilities of the classes.
        compute: Where and how precisely.
        clip: Largest norm of the gradient; 0 for no limit.
        frozen: Parts of the model that stay in eval mode, because they do not train.

    Returns:
        The mean loss and the number of correct answers, both on the device. With probabilities, the likeliest
        class counts as correct.
    """
    model.train()
    for part in frozen:
        part.eval()
    with compute.autocast():
        logits = model(x)
    loss = F.cross_entropy(logits.to(compute.dtype), y)
    optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    if clip:
        nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimizer.step()
    return loss.detach(), (logits.detach().argmax(1) == (y if y.ndim == 1 else y.argmax(1))).sum()


def batches(count: int, size: int, rng: torch.Generator) -> Iterator[torch.Tensor]:
    """Yield one epoch of shuffled indices in batches of one shape; the rest waits for another epoch."""
    size = min(size, count)
    order = torch.randperm(count, generator=rng)
    for start in range(0, count - size + 1, size):
        yield order[start : start + size]


def predict(
    model: nn.Module, pixels: torch.Tensor, size: int, compute: Compute, batch: int = 256
) -> torch.Tensor:
    """Return the predicted classes, int64 (N,) on the CPU, of uint8 (N, 3, S, S) images, in eval mode."""
    model.eval()
    resize = Transform()
    answers = []
    with torch.inference_mode(), compute.autocast():
        for chunk in torch.split(pixels, batch):
            x = resize(_floats(compute.send(chunk), compute), size, None)
            answers.append(model(x.contiguous(memory_format=torch.channels_last)).argmax(1).cpu())
    return torch.cat(answers)


class Training:
    """A model in training: its data on the device, its optimiser, and where it is.

    Args:
        model: The model, on the device; trained in place.
        recipe: How it is trained.
        size: Side in pixels that it sees.
        pixels: uint8 (N, 3, S, S) on the host, prepared.
        labels: int64 (N,).
        classes: Number of classes.
        seed: From which order, transformations and draws of countermeasures are derived.
        compute: Where and how precisely.
        chain: Countermeasures; None or an empty chain for none.
        frozen: Parts of the model that do not train.
    """

    def __init__(
        self,
        model: nn.Module,
        recipe: Recipe,
        size: int,
        pixels: torch.Tensor,
        labels: torch.Tensor,
        classes: int,
        seed: int,
        compute: Compute,
        chain: Stages | None = None,
        frozen: Sequence[nn.Module] = (),
    ) -> None:
        self.model, self.recipe, self.size = model, recipe, size
        self.seed, self.compute, self.chain, self.frozen = seed, compute, chain, frozen
        self.optimizer = recipe.optimizer(model)
        self._images, self._labels = ImageStore(pixels, compute), labels.to(compute.device)
        self._one_hot = torch.eye(classes, device=compute.device, dtype=compute.dtype)
        self.batch = min(recipe.batch, len(labels))
        self.per_epoch = len(labels) // self.batch

    def epoch(self, number: int) -> float:
        """Train for an epoch and return the accuracy on its batches, augmented as they were, in [0, 1]."""
        correct = torch.zeros((), dtype=torch.long, device=self.compute.device)
        for right in self.steps(number):
            correct += right
        return float(correct) / (self.per_epoch * self.batch)

    def steps(self, number: int) -> Iterator[torch.Tensor]:
        """Take the steps of an epoch; yield after each how many answers were correct, on the device."""
        recipe, compute = self.recipe, self.compute
        # two generators, so that crops and flips are the same with and without countermeasures
        rng, other = (generator(self.seed, name, number) for name in ("epoch", "countermeasure"))
        for step, rows in enumerate(batches(len(self._labels), recipe.batch, rng)):
            for group in self.optimizer.param_groups:
                done = number * self.per_epoch + step
                group["lr"] = recipe.rate(done, recipe.epochs * self.per_epoch)
            draw = recipe.transform.draw(len(rows), rng, compute)
            x = recipe.transform(_floats(self._images[rows], compute), self.size, draw)
            x = x.contiguous(memory_format=torch.channels_last)
            y = self._labels[compute.send(rows)]
            if self.chain:
                x, y = self.chain.batch(x, self._one_hot[y], other, compute)
                x = self.chain.step(self.model, x, y, other, compute)
                x = x.contiguous(memory_format=torch.channels_last)
            yield train_step(self.model, self.optimizer, x, y, compute, recipe.clip, self.frozen)[1]


def _floats(pixels: torch.Tensor, compute: Compute) -> torch.Tensor:
    return pixels.to(compute.dtype) / 255
