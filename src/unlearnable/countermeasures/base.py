"""The contract of a countermeasure: four stages, each of which changes nothing unless a subclass overrides it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeVar

import torch
from torch import nn

from unlearnable.data.photo import Photo
from unlearnable.errors import UsageError
from unlearnable.training.compute import Compute

N = TypeVar("N", int, float)
Stage = Literal["photo", "prepare", "batch", "step"]
STAGES: tuple[Stage, ...] = ("photo", "prepare", "batch", "step")
SIDE = 32  # lengths are given in pixels of images of this side, and scaled to the images at hand


def setting(default: N, low: float, high: float) -> N:
    """Declare a number that is given after the colon: its default, and the smallest and largest value."""
    field: Any = dataclasses.field(default=default, metadata={"range": (low, high)})
    return field  # type: ignore[no-any-return]


def changed(
    pixels: torch.Tensor, change: Callable[[torch.Tensor], torch.Tensor], count: int = 1024
) -> torch.Tensor:
    """Return uint8 (N, 3, S, S) images after ``change``, ``count`` at a time: wider numbers need more memory."""
    out = torch.empty_like(pixels)
    for start in range(0, len(pixels), count):
        out[start : start + count] = change(pixels[start : start + count])
    return out


@dataclass(frozen=True)
class Countermeasure:
    """A way to train on protected images despite the noise. Subclasses are frozen dataclasses of ``setting``s.

    A subclass overrides one stage, or several. Stages change nothing in place. ``batch`` and ``step`` never
    wait for the device: their draws come from a CPU generator and are sent with ``compute.send``.

    Raises:
        UsageError: If a setting is out of its range.
    """

    name: ClassVar[str]
    # raised when results change; result files name it
    revision: ClassVar[int] = 1
    # whether test images go through ``photo`` and ``prepare`` like training images
    test_time: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value, (low, high) = getattr(self, field.name), field.metadata["range"]
            if not low <= value <= high:
                raise UsageError(
                    f"{self.name}: {field.name} is {value:g}, but must be between {low:g} and {high:g}."
                )

    @property
    def spec(self) -> str:
        """The text that makes this countermeasure, with every setting: ``jpeg:10``."""
        values = ",".join(f"{getattr(self, field.name):g}" for field in dataclasses.fields(self))
        return f"{self.name}:{values}" if values else self.name

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages that it overrides, in the order in which a training has them."""
        return tuple(
            stage for stage in STAGES if getattr(type(self), stage) is not getattr(Countermeasure, stage)
        )

    def photo(self, photo: Photo, rng: torch.Generator) -> Photo:
        """Return a photo as it is trained on, at its own size, before it is resized for the network.

        Args:
            photo: The published photo.
            rng: For draws that belong to this photo.
        """
        return photo

    def prepare(
        self, pixels: torch.Tensor, labels: torch.Tensor | None, rng: torch.Generator, compute: Compute
    ) -> torch.Tensor:
        """Return all images as they are trained on: once, before the training.

        Args:
            pixels: uint8 (N, 3, S, S) on the host.
            labels: int64 (N,) of training images; None for test images, whose labels nobody has.
            rng: For draws.
            compute: Where and how precisely.

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
            y: float (B, classes), the probability of each class: one 1 in each row, unless an earlier
                countermeasure mixed images.
            rng: For draws; the same for a whole epoch.
            compute: Where and how precisely.

        Returns:
            The same two, of the same shapes.
        """
        return x, y

    def step(
        self, model: nn.Module, x: torch.Tensor, y: torch.Tensor, rng: torch.Generator, compute: Compute
    ) -> torch.Tensor:
        """Return the input on which the training step is taken, where it depends on the model.

        The model, its mode, its gradients and its running statistics are left as they are. One countermeasure
        of a chain may have it.

        Returns:
            float (B, 3, s, s) in [0, 1].
        """
        return x
