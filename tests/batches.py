"""Images, batches and a model for tests of countermeasures."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from conftest import pixels
from unlearnable import models
from unlearnable.countermeasures import Chain, create
from unlearnable.data.arrays import arrays
from unlearnable.training.compute import Compute
from unlearnable.training.randomness import generator, seeded
from unlearnable.training.victim import Epoch, Labelled, Victim, learn

CPU = Compute()


STAGES = {
    "photo": {"grey", "jpeg", "shrink"},
    "prepare": {"bitdepth", "blur", "project"},
    "step": {"adversarial", "ueraser"},
}


def some(count: int = 24, side: int = 32, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """uint8 images and their labels, of three classes."""
    return torch.from_numpy(pixels(count, side, seed).transpose(0, 3, 1, 2).copy()), torch.arange(count) % 3


def a_batch(count: int = 24, side: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    x, y = some(count, side)
    return x / 255, F.one_hot(y, 3).float()


def prepared(spec: str, x: torch.Tensor | None = None, y: torch.Tensor | None = None) -> torch.Tensor:
    """Training images after the stages of a chain that come before the training."""
    images, labels = some()
    images, labels = images if x is None else x, labels if y is None else y
    return before_training(create(spec), images, labels)


def before_training(chain: Chain, images: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
    found = arrays(
        images.permute(0, 2, 3, 1).numpy(), [0] * len(images), ids=[f"{i:03d}" for i in range(len(images))]
    )
    found = chain.on_photos(found, 0, test=labels is None)
    squares = torch.from_numpy(found.view(images.shape[-1]).pixels)
    return chain.prepare(squares, labels, generator(0, "prepare"), CPU)


def lived_in(name: str = "cnn:width=8,depth=2") -> torch.nn.Module:
    """A model in train mode whose normalisation has seen something and whose parameters have gradients."""
    with seeded(0, "model"):
        model = models.create(name, 3)
    for step in range(3):
        F.cross_entropy(model(a_batch()[0] ** (step + 1)), a_batch()[1]).backward()
    return model.train()


VICTIM = Victim(model="cnn:width=8,depth=2", size=16, epochs=2, batch=8, lr=0.05)


def labelled(count: int = 24, side: int = 16, classes: int = 3) -> Labelled:
    return Labelled(*some(count, side), classes)


def weights(spec: str | None) -> tuple[torch.Tensor, tuple[Epoch, ...]]:
    chain = None if spec is None else create(spec)
    learned = learn(VICTIM, labelled(), labelled(), 0, CPU, chain)
    return torch.cat([p.detach().flatten() for p in learned.model.parameters()]), learned.epochs
