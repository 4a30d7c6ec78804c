"""The contract of a countermeasure: four stages that change nothing unless a subclass overrides them."""

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
# Lengths in settings are pixels of images with this side, as in the papers on CIFAR. They are scaled to the
# side of the images.
REFERENCE_SIDE = 32


def setting(default: N, low: float, high: float) -> N:
    """Return a dataclass field for a number in a specification, such as the 10 in ``jpeg:10``.

    Args:
        default: Its default; an int makes it a whole number.
        low: Smallest value allowed.
        high: Largest value allowed.
    """
    field: Any = dataclasses.field(default=default, metadata={"range": (low, high)})
    return field  # type: ignore[no-any-return]


def in_chunks(
    pixels: torch.Tensor, change: Callable[[torch.Tensor], torch.Tensor], count: int = 1024
) -> torch.Tensor:
    """Return images after a change, made on a few at a time, because floats need four times as much memory.

    Args:
        pixels: uint8 (N, 3, S, S).
        change: Changes uint8 (n, 3, S, S); its result is stored as uint8.
        count: Images at a time.
    """
    out = torch.empty_like(pixels)
    for start in range(0, len(pixels), count):
        out[start : start + count] = change(pixels[start : start + count])
    return out


@dataclass(frozen=True)
class Countermeasure:
    """A way to train on protected images despite the noise.

    A subclass is a frozen dataclass of ``setting``s and overrides one or more stages. It may also override
    ``stand_in``, so that a search can find noise that survives it. Nothing changes its inputs in place.
    ``batch`` and ``step`` must not wait for the device, so their random draws come from a CPU generator and
    go to the device with ``compute.send``.

    Attributes:
        name: Name in specifications, as in ``jpeg:10``.
        revision: Raise it when results change. Result files record it, so that old results are left out.
        test_time: Whether test images also go through ``photo`` and ``prepare``. Set it for an operation that
            a trainer would apply to new images as well.

    Raises:
        UsageError: If a setting is out of its range.
    """

    name: ClassVar[str]
    revision: ClassVar[int] = 1
    test_time: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value, (low, high) = getattr(self, field.name), field.metadata["range"]
            if not low <= value <= high:
                raise UsageError(
                    f"{self.name}: {field.name} is {value:g}, but must be between {low:g} and {high:g}.",
                    f"Give a value in this range, or {self.name} alone for the default, {field.default:g}.",
                )

    @property
    def spec(self) -> str:
        """The specification of this countermeasure, with every setting: ``jpeg:10``."""
        values = ",".join(f"{getattr(self, field.name):g}" for field in dataclasses.fields(self))
        return f"{self.name}:{values}" if values else self.name

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages that it overrides, in the order in which they run."""
        return tuple(
            stage for stage in STAGES if getattr(type(self), stage) is not getattr(Countermeasure, stage)
        )

    @property
    def has_stand_in(self) -> bool:
        """Whether a search can apply it: whether it overrides ``stand_in``."""
        return type(self).stand_in is not Countermeasure.stand_in

    def photo(self, photo: Photo, rng: torch.Generator) -> Photo:
        """Return a photo to train on, at its own size. Runs once per photo, before it is resized.

        Args:
            photo: The published photo.
            rng: Generator for draws; every photo has its own.
        """
        return photo

    def prepare(
        self, pixels: torch.Tensor, labels: torch.Tensor | None, rng: torch.Generator, compute: Compute
    ) -> torch.Tensor:
        """Return the images to train on, all at once. Runs once, before the training.

        Args:
            pixels: uint8 (N, 3, S, S) on the host.
            labels: int64 (N,) of training images; None for test images, whose labels a trainer does not have.
            rng: Generator for draws.
            compute: Device and precision.

        Returns:
            uint8 (N, 3, S, S) on the host.
        """
        return pixels

    def batch(
        self, x: torch.Tensor, y: torch.Tensor, rng: torch.Generator, compute: Compute
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a batch to train on. Runs in every training step, after crop and flip.

        Args:
            x: float (B, 3, s, s) in [0, 1], on the device.
            y: float (B, classes), the probability of each class: one-hot, unless an earlier countermeasure
                mixed images.
            rng: Generator for draws, one per epoch.
            compute: Device and precision.

        Returns:
            ``x`` and ``y`` after the change, of the same shapes.
        """
        return x, y

    def step(
        self, model: nn.Module, x: torch.Tensor, y: torch.Tensor, rng: torch.Generator, compute: Compute
    ) -> torch.Tensor:
        """Return the input of a training step. Runs in every step, after ``batch``.

        For inputs that depend on the model, such as adversarial examples. The model, its mode, its gradients
        and its running statistics must stay unchanged. Only one countermeasure of a chain may override this
        stage.

        Args:
            model: The model in training.
            x: float (B, 3, s, s) in [0, 1], on the device.
            y: float (B, classes), the probability of each class.
            rng: Generator for draws, one per epoch.
            compute: Device and precision.

        Returns:
            float (B, 3, s, s) in [0, 1].
        """
        return x

    def stand_in(self, x: torch.Tensor, rng: torch.Generator, compute: Compute) -> torch.Tensor:
        """Return images after the countermeasure, differentiable in ``x``; for searches.

        The result is close to that of the stages on images of this size. Where a countermeasure rounds, the
        gradient is that of its mean effect on many images. Like ``batch``, it must not wait for the device.

        Args:
            x: float (B, 3, s, s) in [0, 1], on the device: protected images in the view of the search.
            rng: Generator for draws.
            compute: Device and precision.

        Returns:
            float (B, 3, s, s) in [0, 1].
        """
        raise NotImplementedError(f"{self.name} has no stand-in.")


@dataclass(frozen=True)
class Augmentation(Countermeasure):
    """A countermeasure that changes images of a batch differentiably, whatever their labels.

    Its stand-in is its stage ``batch``.
    """

    def stand_in(self, x: torch.Tensor, rng: torch.Generator, compute: Compute) -> torch.Tensor:
        """Return the images after the stage ``batch``."""
        return self.batch(x, torch.empty(len(x), 0, device=x.device), rng, compute)[0]
