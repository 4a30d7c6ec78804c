"""Training on features of a frozen network: computed once, then a linear layer or the nearest neighbour."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from unlearnable.training.compute import Compute
from unlearnable.training.loop import Training, outputs
from unlearnable.training.recipe import Recipe
from unlearnable.training.weights import split

CHUNK = 1024


class HeadTraining(Training):
    """The last layer of a model in training, on features of images that no recipe augments.

    It gives what ``Training`` gives with all other layers frozen, in a fraction of the time: these map an
    image to the same features at every step.

    Args:
        model: The model, on the device; its last layer is trained in place.
        recipe: Training recipe, without a random transformation.
        size: Side of the network's input in pixels.
        pixels: uint8 (N, 3, S, S) on the host, after ``prepare``.
        labels: int64 (N,).
        classes: Number of classes.
        seed: Seed of the order.
        compute: Device and precision.
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
    ) -> None:
        self._backbone, head = split(model)
        features = outputs(self._backbone, pixels, size, compute)
        # the images that were tested last, and their features: every epoch tests the same
        self._tested: tuple[torch.Tensor, torch.Tensor] | None = None
        super().__init__(head, recipe, size, features, labels, classes, seed, compute)

    def inputs(self, rows: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        """Return the features of some images, float (B, D)."""
        return self._images[rows]

    def predict(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the predicted classes of images, uint8 (N, 3, S, S) on the host: int64 (N,) on the CPU."""
        if self._tested is None or self._tested[0] is not pixels:
            features = outputs(self._backbone, pixels, self.size, self.compute)
            self._tested = pixels, self.compute.send(features)
        with torch.inference_mode(), self.compute.autocast():
            logits: torch.Tensor = self.model(self._tested[1])
        return logits.argmax(1).cpu()


class NearestNeighbour(nn.Module):
    """Classifies an image as the training image with the most similar features (cosine).

    Args:
        backbone: Maps images to features, float (N, D).
        bank: float (M, D): features of the training images.
        labels: int64 (M,): their classes.
        classes: Number of classes.
    """

    bank: torch.Tensor
    labels: torch.Tensor

    def __init__(self, backbone: nn.Module, bank: torch.Tensor, labels: torch.Tensor, classes: int) -> None:
        super().__init__()
        self.backbone, self.classes = backbone, classes
        self.register_buffer("bank", F.normalize(bank, dim=1))
        self.register_buffer("labels", labels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the similarity to the nearest training image of each class, float (N, classes).

        It is -1, the least a cosine can be, for a class without training images.
        """
        return self._by_class(self._similarities(self.backbone(x)), self.labels)

    def accuracy(self) -> float:
        """Return the share of the training images whose nearest other one has their class, in [0, 1]."""
        correct = 0
        for start in range(0, len(self.bank), CHUNK):
            rows = torch.arange(start, min(start + CHUNK, len(self.bank)), device=self.bank.device)
            found = self._similarities(self.bank[rows])
            # an image is its own nearest neighbour
            found[torch.arange(len(rows), device=found.device), rows] = -1
            answers = self._by_class(found, self.labels).argmax(1)
            correct += int((answers == self.labels[rows]).sum())
        return correct / len(self.bank)

    def _similarities(self, features: torch.Tensor) -> torch.Tensor:
        # in bfloat16, the nearest of many images would tie with others
        with torch.autocast(features.device.type, enabled=False):
            return F.normalize(features.to(self.bank.dtype), dim=1) @ self.bank.T

    def _by_class(self, similarities: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        least = similarities.new_full((len(similarities), self.classes), -1.0)
        columns = labels.expand(len(similarities), -1)
        return least.scatter_reduce(1, columns, similarities, "amax")


def nearest_neighbour(
    model: nn.Module, size: int, pixels: torch.Tensor, labels: torch.Tensor, classes: int, compute: Compute
) -> NearestNeighbour:
    """Return the classifier by nearest neighbour on the features of a model, on the device.

    Args:
        model: The model, on the device; it stays as it is.
        size: Side of the network's input in pixels.
        pixels: uint8 (M, 3, S, S) on the host: the training images.
        labels: int64 (M,).
        classes: Number of classes.
        compute: Device and precision.
    """
    backbone, _ = split(model)
    bank = outputs(backbone, pixels, size, compute).to(compute.dtype)
    found = NearestNeighbour(backbone, bank, labels, classes).to(compute.device)
    return found.eval()
