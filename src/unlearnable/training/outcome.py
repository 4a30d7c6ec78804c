"""The images that a victim learns from, and the results of its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import nn


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


def recorded(epochs: Sequence[Epoch]) -> dict[str, Any]:
    """Return tested epochs as the numbers and tensors of a checkpoint."""
    answers = [epoch.answers for epoch in epochs]
    return {
        "epochs": [[epoch.number, epoch.train_accuracy] for epoch in epochs],
        "answers": torch.stack(answers) if answers else torch.zeros(0, 0, dtype=torch.long),
    }


def epochs_of(state: Mapping[str, Any], labels: torch.Tensor) -> list[Epoch]:
    """Return the tested epochs of a checkpoint."""
    return [
        Epoch(number, accuracy, answers, answers == labels)
        for (number, accuracy), answers in zip(state["epochs"], state["answers"], strict=True)
    ]
