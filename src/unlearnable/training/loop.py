"""The training step and the training loop, shared by surrogates and victims."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import nn

from unlearnable.training.compute import Compute
from unlearnable.training.image_store import ImageStore
from unlearnable.training.randomness import generator
from unlearnable.training.recipe import Recipe
from unlearnable.training.transforms import Transform
from unlearnable.training.whole_batch import WholeBatch


class Stages(Protocol):
    """The stages of countermeasures that run here; ``countermeasures.base`` documents them."""

    @property
    def stages(self) -> frozenset[str]:
        """Names of the stages that the chain changes anything at."""

    @property
    def test_time(self) -> bool:
        """Whether ``prepare`` also changes test images (with ``labels`` None)."""

    def prepare(
        self, pixels: torch.Tensor, labels: torch.Tensor | None, rng: torch.Generator, compute: Compute
    ) -> torch.Tensor:
        """Return the images to train on: uint8 (N, 3, S, S) on the host."""

    def batch(
        self, x: torch.Tensor, y: torch.Tensor, rng: torch.Generator, compute: Compute
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a batch to train on: float (B, 3, s, s) in [0, 1], and class probabilities (B, classes)."""

    def step(
        self, model: nn.Module, x: torch.Tensor, y: torch.Tensor, rng: torch.Generator, compute: Compute
    ) -> torch.Tensor:
        """Return the input of a training step: float (B, 3, s, s) in [0, 1]."""


def train_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    x: torch.Tensor,
    y: torch.Tensor,
    compute: Compute,
    clip: float = 0.0,
    frozen: Sequence[nn.Module] = (),
    margin: float = 0.0,
    whole: WholeBatch | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Train a model on one batch, in train mode; return loss and number of correct predictions.

    Args:
        model: The model; changed in place.
        optimizer: Its optimiser.
        x: float (B, 3, s, s) in [0, 1], on the device.
        y: int64 (B,) classes, or float (B, classes) class probabilities.
        compute: Device and precision.
        clip: Largest norm of the gradient; 0 for no limit.
        frozen: Layers that stay in eval mode because they do not train.
        margin: Subtracted from the logit of the true class in the loss, or from every logit times its class
            probability.
        whole: The batch of which ``x`` is the share of this process; None if it is all of it.

    Returns:
        The mean loss (of a share: its part of it) and the number of correct predictions in the whole batch,
        both on the device. For class probabilities, the
        most probable class is the correct one.
    """
    model.train()
    for part in frozen:
        part.eval()
    with compute.autocast():
        logits = model(x)
    wanted = logits.to(compute.dtype)
    if margin:
        true = y if y.ndim == 2 else F.one_hot(y, logits.shape[1])
        wanted = wanted - margin * true.to(wanted.dtype)
    loss = F.cross_entropy(wanted, y) if whole is None else whole.loss(wanted, y)
    optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    right = (logits.detach().argmax(1) == (y if y.ndim == 1 else y.argmax(1))).sum()
    if whole is not None:
        right = whole.add_up(model, right)
    if clip:
        nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimizer.step()
    return loss.detach(), right


def batches(count: int, size: int, rng: torch.Generator) -> Iterator[torch.Tensor]:
    """Yield shuffled indices for one epoch, int64 (size,) per batch; a last, smaller batch is left out."""
    size = min(size, count)
    order = torch.randperm(count, generator=rng)
    for start in range(0, count - size + 1, size):
        yield order[start : start + size]


def predict(
    model: nn.Module, pixels: torch.Tensor, size: int, compute: Compute, batch: int = 256
) -> torch.Tensor:
    """Return the predicted classes of images, int64 (N,) on the CPU, in eval mode.

    Args:
        model: The model, on the device.
        pixels: uint8 (N, 3, S, S) on the host.
        size: Side of the network's input in pixels.
        compute: Device and precision.
        batch: Images at a time.
    """
    with torch.inference_mode():
        # one copy to the host at the end, so that the batches do not wait for each other
        answers = [out.argmax(1) for out in _outputs(model, pixels, size, compute, batch)]
        return torch.cat(answers).cpu()


def outputs(
    model: nn.Module, pixels: torch.Tensor, size: int, compute: Compute, batch: int = 256
) -> torch.Tensor:
    """Return the outputs for images, float (N, D) on the CPU, in eval mode; arguments as in ``predict``."""
    # not inference mode, whose tensors cannot be trained on
    with torch.no_grad():
        return torch.cat([out.cpu() for out in _outputs(model, pixels, size, compute, batch)])


def _outputs(
    model: nn.Module, pixels: torch.Tensor, size: int, compute: Compute, batch: int
) -> Iterator[torch.Tensor]:
    model.eval()
    resize = Transform()
    with compute.autocast():
        for chunk in torch.split(pixels, batch):
            x = resize(_floats(compute.send(chunk), compute), size, None)
            yield model(x.contiguous(memory_format=torch.channels_last))


class Training:
    """A model in training, with its images and its optimiser.

    Args:
        model: The model, on the device; trained in place.
        recipe: Training recipe.
        size: Side of the network's input in pixels.
        pixels: uint8 (N, 3, S, S) on the host, after ``prepare``.
        labels: int64 (N,).
        classes: Number of classes.
        seed: Seed of order, augmentation and the draws of countermeasures.
        compute: Device and precision.
        chain: Countermeasures; None or an empty chain for none.
        frozen: Layers that do not train.
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

    def state(self) -> dict[str, torch.Tensor]:
        """Return weights, running statistics and momentum, without copying them.

        All draws depend on the seed and the number of the epoch, so nothing else is needed to resume.
        """
        momentum = {
            f"momentum/{index}": found["momentum_buffer"]
            for index, parameter in enumerate(self.model.parameters())
            if "momentum_buffer" in (found := self.optimizer.state.get(parameter, {}))
        }
        return {f"model/{name}": value for name, value in self.model.state_dict().items()} | momentum

    def restore(self, state: Mapping[str, torch.Tensor]) -> None:
        """Set weights, running statistics and momentum to those that ``state`` returned."""
        weights = {name: state[f"model/{name}"] for name in self.model.state_dict()}
        self.model.load_state_dict(weights)
        for index, parameter in enumerate(self.model.parameters()):
            if (momentum := state.get(f"momentum/{index}")) is not None:
                # the library moves it to the layout and the device of the parameter
                self.optimizer.state[parameter]["momentum_buffer"] = torch.empty_like(parameter).copy_(
                    momentum
                )

    def epoch(self, number: int) -> float:
        """Train for one epoch and return the accuracy on its augmented batches, in [0, 1].

        Args:
            number: Number of the epoch, from 0.
        """
        # summed on the device, so that the loop waits for it only once
        correct = torch.zeros((), dtype=torch.long, device=self.compute.device)
        for right in self.steps(number):
            correct += right
        return float(correct) / (self.per_epoch * self.batch)

    def steps(self, number: int) -> Iterator[torch.Tensor]:
        """Train for one epoch, and yield the number of correct predictions of each step, on the device.

        Args:
            number: Number of the epoch, from 0.
        """
        recipe, compute = self.recipe, self.compute
        # two generators, so that crops and flips are the same with and without countermeasures
        rng, other = (generator(self.seed, name, number) for name in ("epoch", "countermeasure"))
        for step, rows in enumerate(batches(len(self._labels), recipe.batch, rng)):
            for group in self.optimizer.param_groups:
                done = number * self.per_epoch + step
                group["lr"] = recipe.rate(done, recipe.epochs * self.per_epoch)
            x = self.inputs(rows, rng)
            y = self._labels[compute.send(rows)]
            if self.chain:
                x, y = self.chain.batch(x, self._one_hot[y], other, compute)
                x = self.chain.step(self.model, x, y, other, compute)
                x = x.contiguous(memory_format=torch.channels_last)
            yield train_step(
                self.model, self.optimizer, x, y, compute, recipe.clip, self.frozen, recipe.margin
            )[1]

    def predict(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the predicted classes of images, uint8 (N, 3, S, S) on the host: int64 (N,) on the CPU."""
        return predict(self.model, pixels, self.size, self.compute)

    def inputs(self, rows: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        """Return the network input of some images, augmented, float (B, 3, size, size) on the device."""
        transform = self.recipe.transform
        draw = transform.draw(len(rows), rng, self.compute)
        x = transform(_floats(self._images[rows], self.compute), self.size, draw)
        return x.contiguous(memory_format=torch.channels_last)


def _floats(pixels: torch.Tensor, compute: Compute) -> torch.Tensor:
    return pixels.to(compute.dtype) / 255
