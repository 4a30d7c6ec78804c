"""The one training step, and the loop around it. Surrogates and targets are trained by the same code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import nn

from unlearnable import models
from unlearnable.errors import UsageError
from unlearnable.training.compute import Compute
from unlearnable.training.image_store import ImageStore
from unlearnable.training.randomness import generator, seeded
from unlearnable.training.recipe import Recipe
from unlearnable.training.transforms import Transform


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to: accuracies are shares in [0, 1].

    ``answers`` is int64 (tests,), the class that the network gives each test image, in order; ``correct`` is
    bool (tests,).
    """

    number: int
    train_accuracy: float
    test_accuracy: float
    answers: torch.Tensor
    correct: torch.Tensor


class Stages(Protocol):
    """Where somebody who trains a model may change what it is trained on; ``countermeasures.base`` says what each stage gets."""

    @property
    def test_time(self) -> bool:
        """Whether test images are prepared too (with ``labels`` None)."""

    def prepare(
        self, pixels: torch.Tensor, labels: torch.Tensor | None, rng: torch.Generator
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
) -> tuple[torch.Tensor, torch.Tensor]:
    """Take one step on a batch in train mode. Returns (mean loss, number of correct answers), both on the device.

    ``y`` is int64 (B,), or float (B, classes) with the probabilities of the classes; then the likeliest
    counts as correct.
    """
    model.train()
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
    """Yield one epoch of shuffled indices in batches of one fixed shape; what is left over waits for another epoch."""
    size = min(size, count)
    order = torch.randperm(count, generator=rng)
    for start in range(0, count - size + 1, size):
        yield order[start : start + size]


def predict(
    model: nn.Module, pixels: torch.Tensor, size: int, compute: Compute, batch: int = 256
) -> torch.Tensor:
    """Return the predicted classes, int64 (N,) on the CPU, of uint8 (N, 3, S, S) images, in eval mode."""
    model.eval()
    look = Transform()
    answers = []
    with torch.inference_mode(), compute.autocast():
        for chunk in torch.split(pixels, batch):
            x = look(_floats(compute.send(chunk), compute), size, None)
            answers.append(model(x.contiguous(memory_format=torch.channels_last)).argmax(1).cpu())
    return torch.cat(answers)


def fit_model(
    spec: str,
    train: tuple[torch.Tensor, torch.Tensor],
    test: tuple[torch.Tensor, torch.Tensor],
    classes: int,
    recipe: Recipe,
    size: int,
    seed: int,
    compute: Compute,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
    test_every: int = 1,
    countermeasure: Stages | None = None,
    start: dict[str, torch.Tensor] | None = None,
) -> tuple[nn.Module, list[Epoch]]:
    """Train a target, from scratch unless weights to start from are given.

    Args:
        spec: The model, as ``models.create`` takes it.
        train: uint8 (N, 3, S, S) images and int64 (N,) labels.
        test: The same for the images that are tested on; never transformed at random.
        classes: Number of classes.
        recipe: How to train.
        size: Side in pixels that the network sees.
        seed: Decides initialisation, order and transformations.
        compute: Where.
        on_epoch: Called after each epoch that is tested.
        test_every: Epochs between two tests; the last epoch is always tested.
        countermeasure: What the trainer does against the noise. Order and transformations are drawn as
            without it.
        start: Weights by name to start from; a last layer of another number of classes is initialised
            freshly.

    Returns:
        The model and its tested epochs.

    Raises:
        UsageError: If ``start`` belongs to another model.
    """
    with seeded(seed, "init"):
        model = models.create(spec, classes)
    if start is not None:
        _load(model, start, spec)
    model = compute.place(model)
    if countermeasure is not None:
        train = (countermeasure.prepare(*train, generator(seed, "prepare")), train[1])
        if countermeasure.test_time:
            test = (countermeasure.prepare(test[0], None, generator(seed, "prepare")), test[1])
    optimizer = recipe.optimizer(model)
    images, labels = ImageStore(train[0], compute), train[1].to(compute.device)
    one_hot = torch.eye(
        classes, device=compute.device, dtype=compute.dtype
    )  # a row for each class: its label as probabilities
    per_epoch = len(labels) // min(recipe.batch, len(labels))
    history: list[Epoch] = []
    for number in range(recipe.epochs):
        correct = torch.zeros((), dtype=torch.long, device=compute.device)
        rng, other = generator(seed, "epoch", number), generator(seed, "countermeasure", number)
        for step, rows in enumerate(batches(len(labels), recipe.batch, rng)):
            for group in optimizer.param_groups:
                group["lr"] = recipe.rate(number * per_epoch + step, recipe.epochs * per_epoch)
            draw = recipe.transform.draw(len(rows), rng, compute)
            x = recipe.transform(_floats(images[rows], compute), size, draw).contiguous(
                memory_format=torch.channels_last
            )
            y = labels[compute.send(rows)]
            if countermeasure is not None:
                x, y = countermeasure.batch(x, one_hot[y], other, compute)
                x = countermeasure.step(model, x, y, other, compute).contiguous(
                    memory_format=torch.channels_last
                )
            correct += train_step(model, optimizer, x, y, compute, recipe.clip)[1]
        if (number + 1) % test_every and number + 1 < recipe.epochs:
            continue
        answers = predict(model, test[0], size, compute)
        right = answers == test[1]
        seen = per_epoch * min(recipe.batch, len(labels))
        history.append(Epoch(number + 1, float(correct) / seen, float(right.double().mean()), answers, right))
        on_epoch(history[-1])
    return model, history


def _load(model: nn.Module, start: dict[str, torch.Tensor], spec: str) -> None:
    """Put weights into a model. Its last layer keeps its own where the number of classes is another one."""
    own = model.state_dict()
    last = list(own)[-1].rpartition(".")[0]
    fresh = {
        name
        for name in own
        if name.rpartition(".")[0] == last and name in start and start[name].shape[1:] == own[name].shape[1:]
    }
    if start.keys() != own.keys() or any(start[name].shape != own[name].shape for name in own.keys() - fresh):
        raise UsageError(
            f"The weights to start from are not those of a model {spec!r}.",
            "Start from weights of the same model.",
        )
    same = not any(start[name].shape != own[name].shape for name in fresh)
    model.load_state_dict({name: own[name] if name in fresh and not same else start[name] for name in own})


def _floats(pixels: torch.Tensor, compute: Compute) -> torch.Tensor:
    return pixels.to(compute.dtype) / 255
