"""What a countermeasure is: three stages of a training, each of which leaves everything as it is unless a countermeasure changes it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import torch
from torch import nn

from unlearnable.errors import UsageError
from unlearnable.training.compute import Compute

N = TypeVar("N", int, float)
SIDE = 32  # lengths are given in pixels of images of this side, and scaled to the images at hand


def setting(default: N, low: float, high: float) -> N:
    """Declare a number that is given after the colon: its default, and the smallest and largest value that make sense."""
    field: Any = dataclasses.field(default=default, metadata={"range": (low, high)})
    return field  # type: ignore[no-any-return]


def changed(
    pixels: torch.Tensor, change: Callable[[torch.Tensor], torch.Tensor], count: int = 1024
) -> torch.Tensor:
    """Return uint8 (N, 3, S, S) images after ``change``, ``count`` at a time: a large set in wider numbers would not fit in memory."""
    out = torch.empty_like(pixels)
    for start in range(0, len(pixels), count):
        out[start : start + count] = change(pixels[start : start + count])
    return out


@dataclass(frozen=True)
class Countermeasure:
    """What somebody who wants to learn from the data anyway may try. Subclasses are frozen dataclasses of one or two ``setting``s.

    Stages change nothing in place. ``batch`` and ``step`` never wait for the device: what they draw comes
    from a CPU generator and is sent with ``compute.send``.

    Raises:
        UsageError: If a setting is out of its range.
    """

    name: ClassVar[str]
    revision: ClassVar[int] = 1  # raised when results change, which name it
    test_time: ClassVar[bool] = False  # whether test images are prepared like training images

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value, (low, high) = getattr(self, field.name), field.metadata["range"]
            if not low <= value <= high:
                raise UsageError(
                    f"{self.name}: {field.name} is {value:g}.", f"It is a number from {low:g} to {high:g}."
                )

    @property
    def spec(self) -> str:
        """The text that makes this countermeasure, with every setting: ``jpeg:10``."""
        values = ",".join(f"{getattr(self, field.name):g}" for field in dataclasses.fields(self))
        return f"{self.name}:{values}" if values else self.name

    def prepare(
        self, pixels: torch.Tensor, labels: torch.Tensor | None, rng: torch.Generator
    ) -> torch.Tensor:
        """Return images as they are trained on: once, before the training.

        Args:
            pixels: uint8 (N, 3, S, S) on the host.
            labels: int64 (N,) of training images; None for test images, which nobody has labels of.
            rng: For draws.

        Returns:
            uint8 (N, 3, S, S) on the host.
        """
        return pixels

    def batch(
        self, x: torch.Tensor, y: torch.Tensor, rng: torch.Generator, compute: Compute
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a batch as it is trained on, after crop and flip.

        Args:
            x: float (B, 3, s, s) in [0, 1], on the device.
            y: float (B, classes), the probability of each class (one 1 in each row, unless an earlier
                countermeasure mixed images).
            rng: For draws; the same for a whole epoch.
            compute: Where and how precisely.

        Returns:
            The same two, of the same shapes.
        """
        return x, y

    def step(
        self, model: nn.Module, x: torch.Tensor, y: torch.Tensor, rng: torch.Generator, compute: Compute
    ) -> torch.Tensor:
        """Return the input on which the step of training is taken, where that depends on the model: float (B, 3, s, s) in [0, 1].

        The model, its mode, its gradients and its running statistics are left as they are. One countermeasure
        of a chain may have it.
        """
        return x
