"""Orthogonal projection.

Source: Sandoval-Segura et al., "What can we learn from unlearnable datasets?", NeurIPS 2023,
arXiv:2305.19254.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from unlearnable.countermeasures.base import Countermeasure, in_chunks, setting
from unlearnable.countermeasures.registry import register
from unlearnable.training.compute import Compute

# the authors' batch and learning rate, and the steps per epoch that they have on CIFAR-10
BATCH, STEPS, RATE = 1024, 49, 0.1


@register
@dataclass(frozen=True)
class Project(Countermeasure):
    """Removes from training images what a linear classifier uses (Sandoval-Segura et al., NeurIPS 2023).

    Algorithm 1 of the paper: fit a linear softmax classifier without bias, orthonormalise its weights
    (W = QR), and train on X - Q Q^T X. Test images stay unchanged. Departures from the authors' code: batches
    are shuffled, because images may be sorted by class. Batches are smaller for small sets, because otherwise
    too few steps would fit the classifier. The result is clipped to 0..255 and rounded.

    Args:
        epochs: Epochs of the classifier.
    """

    name: ClassVar[str] = "project"
    epochs: int = setting(20, 1, 1000)

    def prepare(
        self, pixels: torch.Tensor, labels: torch.Tensor | None, rng: torch.Generator, compute: Compute
    ) -> torch.Tensor:
        """Return the images without the directions that separate their classes linearly."""
        if labels is None:
            return pixels
        basis = orthonormal(self.fit(pixels, labels, rng))
        return in_chunks(
            pixels, lambda chunk: (removed(chunk, basis) * 255).round().clamp(0, 255).view(chunk.shape)
        )

    def fit(self, pixels: torch.Tensor, labels: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        """Return the weights of the classifier, float (3 S S, classes).

        It is trained by SGD. The learning rate falls to a tenth after half of the epochs and again after
        three quarters.

        Args:
            pixels: uint8 (N, 3, S, S).
            labels: int64 (N,).
            rng: Generator for the initial weights and the order of the images.
        """
        size, classes = pixels[0].numel(), int(labels.max()) + 1
        weights: torch.Tensor = (2 * torch.rand(size, classes, generator=rng) - 1) / size**0.5
        one_hot, batch = torch.eye(classes), min(BATCH, -(-len(pixels) // STEPS))
        for epoch in range(self.epochs):
            rate = RATE * 0.1 ** ((epoch >= self.epochs // 2) + (epoch >= self.epochs * 3 // 4))
            for rows in torch.split(torch.randperm(len(pixels), generator=rng), batch):
                x = pixels[rows].flatten(1).float() / 255
                # the gradient of the cross-entropy with respect to the logits
                error = (x @ weights).softmax(1) - one_hot[labels[rows]]
                weights.addmm_(x.T, error, alpha=-rate / len(rows))
        return weights


def orthonormal(weights: torch.Tensor) -> torch.Tensor:
    """Return orthonormal columns with the same span as the columns of float (3 S S, classes) weights."""
    basis: torch.Tensor = torch.linalg.qr(weights).Q
    return basis


def removed(pixels: torch.Tensor, basis: torch.Tensor) -> torch.Tensor:
    """Return images without their components in the span of a basis.

    Args:
        pixels: uint8 (N, 3, S, S).
        basis: Orthonormal columns, float (3 S S, classes).

    Returns:
        float (N, 3 S S); 1 is white, and values are not clipped.
    """
    x = pixels.flatten(1).float() / 255
    return x - (x @ basis) @ basis.T
