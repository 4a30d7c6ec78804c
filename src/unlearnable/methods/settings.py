"""The settings of a search against a surrogate. The defaults are those of the paper; the presets choose others for photos."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field

from unlearnable.methods.config import Config
from unlearnable.training.recipe import Recipe
from unlearnable.training.transforms import Name

SHORTEST = 0.05  # of ``step_size``: where a cosine schedule ends


class SurrogateConfig(Config, ABC):
    """Settings of every search against a surrogate.

    Attributes:
        surrogate: The network that the noise is found against.
        transforms: What a trainer is expected to do to a batch: ``none`` (the paper), ``flip-crop`` or
            ``photo``.
        crop_min: ``photo``: smallest share of the frame that a crop keeps.
        jpeg: Quality of the JPEG that both steps see the images through, so that the noise survives it; 0 for
            none. Needs kornia. It acts at the search's resolution, so it is JPEG itself for images of that
            size, and stronger than JPEG for photos.
        zoom: Side of the view over the resolution, so that a crop of the view is as sharp as a crop of the
            photo.
        steps: T, sign steps per batch.
        samples: Transformations over which the gradient of a step is averaged.
        passes: Passes over the images in the noise part of a round.
        step_size: Length of a sign step, in levels.
        step_schedule: ``constant`` (the paper), or ``cosine``: steps that shorten to a twentieth over
            ``max_rounds``, so that noise which sees every image under other crops settles on what helps under
            all of them.
        share: Class-wise: share of every class that the noise steps go over.
        init: Noise before the first round: ``zero``, or ``uniform`` in +-epsilon.
        batch: Images per batch.
        lr: Learning rate of the surrogate; constant in a min-min search.
        momentum: Of the surrogate's SGD.
        weight_decay: Of the surrogate's SGD.
        clip: Largest norm of the surrogate's gradient.
    """

    surrogate: str = "resnet18:width=64,stem=cifar"
    transforms: Name = "none"
    crop_min: float = Field(0.35, gt=0, le=1)
    jpeg: int = Field(0, ge=0, le=100)
    zoom: float = Field(1.0, ge=1, le=4)
    steps: int = Field(20, ge=1)
    samples: int = Field(1, ge=1)
    passes: int = Field(1, ge=1)
    step_size: float = Field(0.8, gt=0)
    step_schedule: Literal["constant", "cosine"] = "constant"
    share: float = Field(1.0, gt=0, le=1)
    init: Literal["zero", "uniform"] = "zero"
    batch: int = Field(512, ge=2)
    lr: float = Field(0.1, gt=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    weight_decay: float = Field(5e-4, ge=0)
    clip: float = Field(5.0, ge=0)
    max_rounds: Annotated[int, Field(ge=1)] | Literal["auto"] = 50

    clean: ClassVar[bool] = False  # whether the surrogate is trained on images without noise

    @property
    def settled_below(self) -> float:
        """The loss below which a round leaves out the noise of an image; 0 if it leaves out none."""
        return 0.0

    @property
    def direction(self) -> int:
        """Where the noise's steps go along the gradient of the loss: down (-1), or up (1)."""
        return -1

    @abstractmethod
    def surrogate_batches(self, per_epoch: int) -> int:
        """Return the number of batches that the surrogate is trained on when it is trained."""

    def aim(self, y: torch.Tensor, classes: int) -> torch.Tensor:
        """Return the classes whose loss the noise lowers or raises, for images of the classes ``y``, both int64 (B,)."""
        return y

    def step_length(self, round: int, rounds: int) -> float:
        """Return the length of a sign step, in levels, in one round out of ``rounds``."""
        if self.step_schedule == "constant":
            return self.step_size
        return self.step_size * (SHORTEST + (1 - SHORTEST) * (1 + math.cos(math.pi * round / rounds)) / 2)

    def recipe(self) -> Recipe:
        """Return how the surrogate is trained."""
        return Recipe(
            batch=self.batch,
            lr=self.lr,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            clip=self.clip,
            schedule="constant",
        )


class ErrorMinimizingConfig(SurrogateConfig):
    """Settings of error_minimizing.

    Attributes:
        train_batches: M, surrogate batches per round; 0 to count in epochs.
        train_epochs: Epochs of the surrogate per round, where ``train_batches`` is 0.
        measure: Error of a round: of all images, measured ``after`` the noise moved (the paper) or
            ``before``; or, at no cost, of the surrogate's own batches as it was ``training`` on them, for a
            search that does not stop by its error.
        settled: Sample-wise: loss below which the noise of an image is left alone for a round. The round then
            measures before it moves, whatever ``measure`` says, and moves as many others as fill the last
            batch. 0 moves every image in every round (the paper).
        restart_error: Error below which, before ``min_rounds``, a new surrogate takes over instead of the
            search coming to an end: noise that one network has learned to read is not yet noise that every
            network learns first. 0 for never (the paper).
    """

    train_batches: int = Field(10, ge=0)
    train_epochs: float = Field(1.0, gt=0)
    measure: Literal["before", "after", "training"] = "after"
    settled: float = Field(0.0, ge=0)
    restart_error: float = Field(0.0, ge=0, le=1)

    @property
    def settled_below(self) -> float:
        """The loss below which a round leaves out the noise of an image. Class-wise noise is a mean over all of them."""
        return self.settled if self.form == "samplewise" else 0.0

    def surrogate_batches(self, per_epoch: int) -> int:
        """Return M, or as many as there are in ``train_epochs``."""
        return self.train_batches or max(1, round(self.train_epochs * per_epoch))
