"""Orthogonal projection (Sandoval-Segura et al., "What can we learn from unlearnable datasets?", NeurIPS 2023, arXiv:2305.19254)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from unlearnable.countermeasures.base import Countermeasure, changed, setting
from unlearnable.countermeasures.registry import register
from unlearnable.training.compute import Compute

BATCH, STEPS, RATE = (
    1024,
    49,
    0.1,
)  # the authors' batch and rate; the steps of an epoch that this comes to on CIFAR-10


@register
@dataclass(frozen=True)
class Project(Countermeasure):
    """What a linear classifier of the training images looks at is removed from them (Sandoval-Segura et al., NeurIPS 2023).

    Algorithm 1 of the paper: fit a linear softmax classifier without bias, orthonormalise its weights (W =
    QR), and keep X - Q Q^T X. Test images stay as they are. Departures from the authors' code: batches are
    shuffled, since images may come sorted by class, and are smaller for smaller sets, to which few steps
    would fit too badly; what is left is clipped to 0..255 and rounded.

    Args:
        epochs: Of the classifier.
    """

    name: ClassVar[str] = "project"
    epochs: int = setting(20, 1, 1000)

    def prepare(
        self, pixels: torch.Tensor, labels: torch.Tensor | None, rng: torch.Generator, compute: Compute
    ) -> torch.Tensor:
        """Return the images without the directions that tell their classes apart linearly."""
        if labels is None:
            return pixels
        basis = orthonormal(self.fit(pixels, labels, rng))
        return changed(
            pixels, lambda some: (removed(some, basis) * 255).round().clamp(0, 255).view(some.shape)
        )

    def fit(self, pixels: torch.Tensor, labels: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        """Fit the classifier, by SGD whose rate falls to a tenth at a half and again at three quarters of the epochs.

        Args:
            pixels: uint8 (N, 3, S, S).
            labels: int64 (N,).
            rng: For the first weights and the order.

        Returns:
            Weights, float (3 S S, classes).
        """
        size, classes = pixels[0].numel(), int(labels.max()) + 1
        weights: torch.Tensor = (2 * torch.rand(size, classes, generator=rng) - 1) / size**0.5
        one_hot, batch = torch.eye(classes), min(BATCH, -(-len(pixels) // STEPS))
        for epoch in range(self.epochs):
            rate = RATE * 0.1 ** ((epoch >= self.epochs // 2) + (epoch >= self.epochs * 3 // 4))
            for rows in torch.split(torch.randperm(len(pixels), generator=rng), batch):
                x = pixels[rows].flatten(1).float() / 255
                error = (x @ weights).softmax(1) - one_hot[
                    labels[rows]
                ]  # the gradient of cross-entropy to the logits
                weights.addmm_(x.T, error, alpha=-rate / len(rows))
        return weights


def orthonormal(weights: torch.Tensor) -> torch.Tensor:
    """Return orthonormal columns that span the columns of float (3 S S, classes) weights."""
    basis: torch.Tensor = torch.linalg.qr(weights).Q
    return basis


def removed(pixels: torch.Tensor, basis: torch.Tensor) -> torch.Tensor:
    """Return what is left of uint8 (N, 3, S, S) images without the span of ``basis``: float (N, 3 S S), 1 is white; not clipped."""
    x = pixels.flatten(1).float() / 255
    return x - (x @ basis) @ basis.T
