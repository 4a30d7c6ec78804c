"""Victims: networks that train on images, protected or not. ``learn`` trains every one of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field
from torch import nn

from unlearnable import models
from unlearnable.errors import UsageError
from unlearnable.models import pretrained
from unlearnable.spec import Spec
from unlearnable.training.compute import Compute
from unlearnable.training.frozen_features import HeadTraining, nearest_neighbour
from unlearnable.training.loop import Stages, Training, predict
from unlearnable.training.outcome import Epoch, Labelled, Learned, epochs_of, recorded
from unlearnable.training.randomness import generator, seeded
from unlearnable.training.recipe import Recipe
from unlearnable.training.transforms import Name, Transform
from unlearnable.training.weights import freeze_all_but_head, load_weights, read_weights

__all__ = ["FRESH", "PRETRAINED", "Epoch", "Labelled", "Learned", "Victim", "learn"]
FRESH = "fresh"
PRETRAINED = "pretrained"


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
        start: ``fresh``, ``pretrained`` (the published ImageNet weights of the network, see
            ``models.pretrained``), or the path of a file with weights to start from: safetensors, or a state
            dict of torch (``.pth``). If the number of classes differs, the last layer is initialised at
            random.
        trains: Layers that train: ``all``, or the last layer only (``head``), all others in eval mode.
            ``nearest`` trains nothing: an image is classified as the training image with the most similar
            features, the input of the last layer.
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
    trains: Literal["all", "head", "nearest"] = "all"

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
            "aligned": "small shifts, turns and changes of scale, flips",
            "photo": f"random resized crops of {self.crop_min:.0%} to 100% of the area, flips",
        }[self.transform]
        colours = f", colour jitter {self.jitter:g}" if self.jitter else ""
        colours += f", hue {self.hue:g}" if self.hue else ""
        turns = f", rotation by up to {self.rotation:g} degrees" if self.rotation else ""
        if self.start == PRETRAINED:
            start = ", from published ImageNet weights"
        else:
            start = "" if self.start == FRESH else f", from the weights in {Path(self.start).name}"
        if self.trains == "nearest":
            return f"nearest neighbour on its features, {self.size} px{start}"
        head = ", the last layer only" if self.trains == "head" else ""
        return f"{crops}{colours}{turns}, {self.size} px, {self.epochs} epochs{start}{head}"

    @property
    def start_file(self) -> Path | None:
        """The file of starting weights; None if they are fresh.

        Raises:
            DataError: If they are published weights that are not on this machine.
            UsageError: If there are no published weights of the network.
        """
        if self.start == FRESH:
            return None
        return pretrained.path(self.model) if self.start == PRETRAINED else Path(self.start)

    def frozen_features(self, stages: Collection[str] = ()) -> bool:
        """Return whether the network maps every image to features once, instead of at every step.

        Args:
            stages: The stages of the chain of countermeasures.
        """
        same = self.transform == "none" and not self.jitter and not self.rotation
        per_step = {"batch", "step"} & set(stages)
        return self.trains == "nearest" or (self.trains == "head" and same and not per_step)

    def build(self, classes: int, seed: int) -> nn.Module:
        """Return the network with its starting weights, on the host.

        Args:
            classes: Number of classes.
            seed: Seed of the initialisation.

        Raises:
            DataError: If the file of weights cannot be read, or published weights are not on this machine.
            UsageError: If it has the weights of another model, or there are no published weights.
        """
        with seeded(seed, "init"):
            model = models.create(self.model, classes)
        if path := self.start_file:
            load_weights(model, read_weights(path), self.model)
        return model


def learn(
    victim: Victim,
    train: Labelled,
    test: Labelled,
    seed: int,
    compute: Compute,
    chain: Stages | None = None,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
    test_every: int = 1,
    state: Mapping[str, Any] | None = None,
    save: Callable[[dict[str, Any]], None] | None = None,
    every: float = 60.0,
) -> Learned:
    """Train a victim on images and test it on others after its epochs; return model and results.

    On a CPU, a training that resumes from a checkpoint ends with the same weights, bit for bit.

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
        state: A checkpoint of the same training to resume from, as ``save`` was given it.
        save: Called with a checkpoint after an epoch: tensors on the device, and numbers. The tensors change
            as the training continues, so it must store or copy them.
        every: Seconds between two checkpoints.

    Raises:
        DataError: If the file of starting weights cannot be read.
        UsageError: If it has the weights of another model, or the chain changes the training of a victim that
            does not train.
    """
    stages = chain.stages if chain else frozenset()
    if victim.trains == "nearest" and {"batch", "step"} & stages:
        raise UsageError(
            "A countermeasure changes training batches, but the nearest neighbour does not train.",
            "Measure it with another victim, or leave the countermeasure out.",
        )
    model = compute.to_device(victim.build(train.classes, seed))
    pixels, tested = train.pixels, test.pixels
    if chain:
        # a generator for each call, so that the draws for test images do not depend on the training images
        pixels = chain.prepare(pixels, train.labels, generator(seed, "prepare"), compute)
        if chain.test_time:
            tested = chain.prepare(tested, None, generator(seed, "prepare"), compute)
    task = (victim.size, pixels, train.labels, train.classes)
    if victim.trains == "nearest":
        nearest = nearest_neighbour(model, *task, compute)
        answers = predict(nearest, tested, victim.size, compute)
        only = Epoch(1, nearest.accuracy(), answers, answers == test.labels)
        on_epoch(only)
        return Learned(nearest, (only,))
    frozen = freeze_all_but_head(model) if victim.trains == "head" else []
    training: Training
    if victim.frozen_features(stages):
        training = HeadTraining(model, victim.recipe, *task, seed, compute)
    else:
        training = Training(model, victim.recipe, *task, seed, compute, chain, frozen)
    epochs, first = list[Epoch](), 0
    if state is not None:
        training.restore(state)
        epochs, first = epochs_of(state, test.labels), int(state["finished"])
    saved = time.monotonic()
    for number in range(first, victim.epochs):
        accuracy = training.epoch(number)
        last = number + 1 == victim.epochs
        if last or (number + 1) % test_every == 0:
            answers = training.predict(tested)
            epochs.append(Epoch(number + 1, accuracy, answers, answers == test.labels))
            on_epoch(epochs[-1])
        if save is not None and not last and time.monotonic() - saved >= every:
            save({**training.state(), **recorded(epochs), "finished": number + 1})
            saved = time.monotonic()
    return Learned(model, tuple(epochs))
