"""Victims: the networks that train on images, protected or not, and the one way in which they learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import torch
from pydantic import Field
from torch import nn

from unlearnable import models
from unlearnable.spec import Spec
from unlearnable.training.compute import Compute
from unlearnable.training.loop import Stages, Training, predict
from unlearnable.training.randomness import generator, seeded
from unlearnable.training.recipe import Recipe
from unlearnable.training.transforms import Name, Transform
from unlearnable.training.weights import freeze_all_but_head, load_weights, read_weights

FRESH = "fresh"


class Victim(Spec):
    """A network and the way it trains: the fields of ``Recipe`` and ``Transform``, at a size in pixels.

    Attributes:
        model: The network, as ``models.create`` takes it.
        size: Side in pixels that it sees.
        zoom: Side of the squares in memory over ``size``, so that a crop magnifies what is in the photo.
        epochs: Passes over the images.
        batch: Images per step; all of them where there are fewer.
        lr: Largest learning rate.
        momentum: Of SGD.
        weight_decay: Of SGD.
        clip: Largest norm of the gradient; 0 for no limit.
        schedule: Of the learning rate; see ``Recipe``.
        transform: What happens to each batch; see ``Transform``.
        crop_min: ``photo`` only: smallest share of the frame that a crop keeps.
        jitter: Largest relative change of brightness, contrast and saturation.
        rotation: Largest angle in degrees.
        start: ``fresh``, or the path of a safetensors file with weights to start from. A head for another
            number of classes is initialised freshly.
        trains: Which layers train: ``all``, or the ``head`` alone.
    """

    model: str
    size: int = 32
    zoom: Annotated[float, Field(ge=1)] = 1.0
    epochs: int = 60
    batch: int = 128
    lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    clip: float = 0.0
    schedule: Literal["constant", "cosine", "onecycle", "steps"] = "cosine"
    transform: Name = "flip-crop"
    crop_min: float = 0.35
    jitter: float = 0.0
    rotation: float = 0.0
    start: str = FRESH
    trains: Literal["all", "head"] = "all"

    @property
    def recipe(self) -> Recipe:
        """The recipe."""
        return Recipe(
            epochs=self.epochs,
            batch=self.batch,
            lr=self.lr,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            clip=self.clip,
            schedule=self.schedule,
            transform=Transform(self.transform, (self.crop_min, 1.0), self.jitter, self.rotation),
        )

    @property
    def words(self) -> str:
        """The recipe in words."""
        crops = {
            "none": "no augmentation",
            "flip-crop": "shifts and flips",
            "photo": f"random resized crops of {self.crop_min:.0%} to 100% of the area, flips",
        }[self.transform]
        colours = f", colour jitter {self.jitter:g}" if self.jitter else ""
        turns = f", rotation by up to {self.rotation:g} degrees" if self.rotation else ""
        start = "" if self.start == FRESH else f", from the weights in {Path(self.start).name}"
        head = ", the last layer only" if self.trains == "head" else ""
        return f"{crops}{colours}{turns}, {self.size} px, {self.epochs} epochs{start}{head}"

    def build(self, classes: int, seed: int) -> nn.Module:
        """Return the network with its weights at the start, on the host.

        Raises:
            DataError: If the file of weights cannot be read.
            UsageError: If it holds the weights of another model.
        """
        with seeded(seed, "init"):
            model = models.create(self.model, classes)
        if self.start != FRESH:
            load_weights(model, read_weights(Path(self.start)), self.model)
        return model


class Labelled(NamedTuple):
    """Images to train or test on: uint8 (N, 3, S, S), int64 (N,) labels, and the number of classes."""

    pixels: torch.Tensor
    labels: torch.Tensor
    classes: int


@dataclass(frozen=True)
class Epoch:
    """One epoch.

    Args:
        number: From 1.
        train_accuracy: Share of the images of its batches that were named correctly, as they were augmented.
        answers: int64 (tests,): the class that the network gives each test image after the epoch.
        correct: bool (tests,): which answers are right.
    """

    number: int
    train_accuracy: float
    answers: torch.Tensor
    correct: torch.Tensor

    @property
    def test_accuracy(self) -> float:
        """Share of the test images that are named correctly, in [0, 1]."""
        return float(self.correct.double().mean())


@dataclass(frozen=True)
class Learned:
    """What a victim learned: the model after the last epoch, and its tested epochs."""

    model: nn.Module
    epochs: tuple[Epoch, ...]


def learn(
    victim: Victim,
    train: Labelled,
    test: Labelled,
    seed: int,
    compute: Compute,
    chain: Stages | None = None,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
    test_every: int = 1,
) -> Learned:
    """Train a victim on images, and test it on others after its epochs.

    Args:
        victim: Network, recipe and starting weights.
        train: Images to train on.
        test: Images to test on; never transformed at random.
        seed: Decides initialisation, order, transformations and the draws of countermeasures. Order and
            transformations are the same with and without a chain.
        compute: Where and how precisely.
        chain: Countermeasures of the trainer, beyond the stage at the photo's own size.
        on_epoch: Called after each epoch that is tested.
        test_every: Epochs between two tests; the last epoch is always tested.

    Raises:
        DataError: If the weights to start from cannot be read.
        UsageError: If they belong to another model.
    """
    model = victim.build(train.classes, seed)
    frozen = freeze_all_but_head(model) if victim.trains == "head" else []
    model = compute.place(model)
    pixels, tested = train.pixels, test.pixels
    if chain:
        pixels = chain.prepare(pixels, train.labels, generator(seed, "prepare"), compute)
        if chain.test_time:
            tested = chain.prepare(tested, None, generator(seed, "prepare"), compute)
    training = Training(
        model, victim.recipe, victim.size, pixels, train.labels, train.classes, seed, compute, chain, frozen
    )
    epochs: list[Epoch] = []
    for number in range(victim.epochs):
        accuracy = training.epoch(number)
        if (number + 1) % test_every and number + 1 < victim.epochs:
            continue
        answers = predict(model, tested, victim.size, compute)
        epochs.append(Epoch(number + 1, accuracy, answers, answers == test.labels))
        on_epoch(epochs[-1])
    return Learned(model, tuple(epochs))
