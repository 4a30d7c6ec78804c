"""Victims: networks that train on images, protected or not. ``learn`` trains every one of them."""

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
    """A network and its training: input size, recipe and starting weights.

    Attributes:
        model: Specification of the network, as ``models.create`` takes it.
        size: Side of the network's input in pixels.
        zoom: Side of the squares in memory over ``size``; above 1, a crop shows more detail.
        epochs: Passes over the images.
        batch: Images per step; all images if there are fewer.
        lr: Largest learning rate.
        momentum: Momentum of SGD.
        weight_decay: Weight decay of SGD.
        clip: Largest norm of the gradient; 0 for no limit.
        schedule: Schedule of the learning rate; see ``Recipe``.
        transform: Augmentation of each batch; see ``Transform``.
        crop_min: ``photo`` only: smallest share of the frame that a crop shows.
        jitter: Largest relative change of brightness, contrast and saturation.
        rotation: Largest angle in degrees.
        hue: Largest turn of the hue, as a share of the colour circle.
        start: ``fresh``, or the path of a safetensors file with weights to start from. If the number of
            classes differs, the last layer is initialised at random.
        trains: Layers that train: ``all``, or the last layer only (``head``).
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
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    start: str = FRESH
    trains: Literal["all", "head"] = "all"

    @property
    def recipe(self) -> Recipe:
        """The training recipe of these fields."""
        return Recipe(
            epochs=self.epochs,
            batch=self.batch,
            lr=self.lr,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            clip=self.clip,
            schedule=self.schedule,
            transform=Transform(self.transform, (self.crop_min, 1.0), self.jitter, self.rotation, self.hue),
        )

    @property
    def words(self) -> str:
        """Description of the recipe for reports."""
        crops = {
            "none": "no augmentation",
            "flip-crop": "shifts and flips",
            "photo": f"random resized crops of {self.crop_min:.0%} to 100% of the area, flips",
        }[self.transform]
        colours = f", colour jitter {self.jitter:g}" if self.jitter else ""
        colours += f", hue {self.hue:g}" if self.hue else ""
        turns = f", rotation by up to {self.rotation:g} degrees" if self.rotation else ""
        start = "" if self.start == FRESH else f", from the weights in {Path(self.start).name}"
        head = ", the last layer only" if self.trains == "head" else ""
        return f"{crops}{colours}{turns}, {self.size} px, {self.epochs} epochs{start}{head}"

    def build(self, classes: int, seed: int) -> nn.Module:
        """Return the network with its starting weights, on the host.

        Args:
            classes: Number of classes.
            seed: Seed of the initialisation.

        Raises:
            DataError: If the file of weights cannot be read.
            UsageError: If it has the weights of another model.
        """
        with seeded(seed, "init"):
            model = models.create(self.model, classes)
        if self.start != FRESH:
            load_weights(model, read_weights(Path(self.start)), self.model)
        return model


class Labelled(NamedTuple):
    """Images with labels, to train or test on.

    Attributes:
        pixels: uint8 (N, 3, S, S) on the host.
        labels: int64 (N,).
        classes: Number of classes.
    """

    pixels: torch.Tensor
    labels: torch.Tensor
    classes: int


@dataclass(frozen=True)
class Epoch:
    """The results of one epoch.

    Args:
        number: Number of the epoch, from 1.
        train_accuracy: Accuracy on the augmented training batches during the epoch, in [0, 1].
        answers: int64 (T,): predicted class of each test image after the epoch.
        correct: bool (T,): whether each prediction is correct.
    """

    number: int
    train_accuracy: float
    answers: torch.Tensor
    correct: torch.Tensor

    @property
    def test_accuracy(self) -> float:
        """Share of the test images that are classified correctly, in [0, 1]."""
        return float(self.correct.double().mean())


@dataclass(frozen=True)
class Learned:
    """The result of a training.

    Args:
        model: The model after the last epoch.
        epochs: The epochs after which it was tested.
    """

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
    """Train a victim on images and test it on others after its epochs; return model and results.

    Args:
        victim: Network, recipe and starting weights.
        train: Training images.
        test: Test images; they are not augmented.
        seed: Seed of initialisation, order, augmentation and the draws of countermeasures. Order and
            augmentation are the same with and without a chain.
        compute: Device and precision.
        chain: Countermeasures. Their stage ``photo`` must already be applied, with ``Chain.on_photos``.
        on_epoch: Called after each epoch that is tested.
        test_every: Test after every so many epochs; the last epoch is always tested.

    Raises:
        DataError: If the file of starting weights cannot be read.
        UsageError: If it has the weights of another model.
    """
    model = victim.build(train.classes, seed)
    frozen = freeze_all_but_head(model) if victim.trains == "head" else []
    model = compute.to_device(model)
    pixels, tested = train.pixels, test.pixels
    if chain:
        # a generator for each call, so that the draws for test images do not depend on the training images
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
