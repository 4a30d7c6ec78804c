"""Settings of a search against a network. Defaults are the paper's; presets choose others for photos."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from unlearnable import countermeasures, models
from unlearnable.arguments import shown
from unlearnable.errors import UsageError
from unlearnable.methods.config import Config
from unlearnable.training.transforms import Name


class SearchConfig(Config):
    """Settings of every search against a network, whether the search trains it or not.

    Attributes:
        surrogate: The network that the noise is found against.
        transforms: The transformations that a trainer is expected to apply to a batch: ``none`` (the paper),
            ``flip-crop``, ``photo``, or ``aligned`` for faces.
        crop_min: ``photo`` only. Smallest share of the frame that a crop retains.
        countermeasures: Countermeasures that the noise is to survive, such as ``none|grey|jpeg:30+blur``. In
            every step of the surrogate and of the noise, each image goes through one of the chains between
            the ``|``, all equally likely; ``none`` leaves it as published. They act before ``transforms``, at
            the search's resolution: on photos, ``jpeg`` and ``shrink`` are stronger than on the files. An
            error measured on all images is that without them; the error of the training batches is that with
            them. Replaces the setting `jpeg`.
        countermeasures_from: Share of ``max_rounds`` after which countermeasures are switched on. A search
            under many of them may not converge from the start. It cannot stop by its error before.
        early_resolution: Side in pixels of the network's input in the first half of ``max_rounds``. A
            smaller side makes these rounds faster. 0 for ``resolution``.
        zoom: Side of the view as a multiple of the resolution, so that a crop of the view is as sharp as a
            crop of the photo.
        steps: T, sign steps per batch.
        samples: Transformations over which the gradient of a step is averaged.
        passes: Passes over the images in the noise part of a round.
        step_size: Length of a sign step, in levels.
        step_schedule: ``constant`` (the paper), or ``cosine``: steps shorten to a twentieth over
            ``max_rounds``, so that noise under changing crops converges to a pattern that works under all.
        share: Class-wise only. Share of every class that the noise steps use.
        init: Noise before the first round: ``zero``, ``uniform`` in +-epsilon, or that of the method
            ``gratings``.
        batch: Images per batch.
        channels: ``luminance`` gives the three channels of a pixel the same noise, which survives when photos
            turn grey.
        signs: Class-wise only. ``paired`` gives every class two patterns, the second the negative of the
            first, so that no linear projection finds a direction of the class. It sets `patterns_per_class`
            to 2; an image's id decides which of the two it gets.
        min_wavelength: Shortest wavelength of the noise, in pixels of a published photo of the usual size, so
            that noise survives blur, resizing and JPEG; 0 for no limit.
        max_wavelength: Longest wavelength of the noise, in the same pixels; 0 for no limit.
        free_levels: Part of ``epsilon``, in levels, that ``channels`` and the wavelengths do not bind: the
            noise is the sum of a part that they bind, within the rest of ``epsilon``, and of a free part
            within this one.
        mean_shift: Largest mean of the noise in each channel of a pattern, in levels; ``free`` for no limit.
        low_limit: Largest root mean square, in levels, of the low frequencies of each channel of a pattern,
            which people see as a tint; ``free`` for no limit.
        low_cycles: Cycles per picture up to which frequencies are low.
    """

    surrogate: str = "resnet18:width=64,stem=cifar"
    transforms: Name = "none"
    crop_min: float = Field(default=0.35, gt=0, le=1)
    countermeasures: str = "none"
    countermeasures_from: float = Field(default=0.0, ge=0, lt=1)
    early_resolution: Annotated[int, Field(ge=8)] | Literal[0] = 0
    zoom: float = Field(default=1.0, ge=1, le=4)
    steps: int = Field(default=20, ge=1)
    samples: int = Field(default=1, ge=1)
    passes: int = Field(default=1, ge=1)
    step_size: float = Field(default=0.8, gt=0)
    step_schedule: Literal["constant", "cosine"] = "constant"
    share: float = Field(default=1.0, gt=0, le=1)
    init: Literal["zero", "uniform", "gratings"] = "zero"
    batch: int = Field(default=512, ge=2)
    channels: Literal["colour", "luminance"] = "colour"
    signs: Literal["free", "paired"] = "free"
    min_wavelength: float = Field(default=0.0, ge=0)
    max_wavelength: float = Field(default=0.0, ge=0)
    free_levels: int = Field(default=0, ge=0)
    mean_shift: Annotated[float, Field(ge=0)] | Literal["free"] = "free"
    low_limit: Annotated[float, Field(ge=0)] | Literal["free"] = "free"
    low_cycles: float = Field(default=3.0, gt=0)
    max_rounds: Annotated[int, Field(ge=1)] | Literal["auto"] = 50

    @field_validator("surrogate")
    @classmethod
    def _known(cls, surrogate: str) -> str:
        """Refuse an unknown network now rather than after all photos have been read."""
        models.parse(surrogate)
        return surrogate

    @field_validator("countermeasures")
    @classmethod
    def _with_stand_ins(cls, spec: str) -> str:
        """Refuse unknown countermeasures now, and write out their settings."""
        return "|".join(chain.spec for chain in countermeasures.alternatives(spec))

    @model_validator(mode="before")
    @classmethod
    def _pairs(cls, given: Any) -> Any:
        """Set two patterns per class for paired signs; refuse another number, and sample-wise noise."""
        if not isinstance(given, Mapping) or given.get("signs") != "paired":
            return given
        if given.get("form") == "samplewise":
            raise UsageError(
                "signs = paired is for class-wise noise: sample-wise, an image has one pattern, and no pair.",
                "Set form = classwise, or signs = free.",
            )
        patterns = given.get("patterns_per_class", 1)
        if patterns not in (1, 2):
            raise UsageError(
                f"signs = paired means two patterns per class, but patterns_per_class is {shown(patterns)}.",
                "Leave patterns_per_class out, or set signs = free.",
            )
        return {**given, "patterns_per_class": 2}

    @model_validator(mode="after")
    def _possible(self) -> SearchConfig:
        """Refuse limits that contradict each other."""
        low, high = self.min_wavelength, self.max_wavelength
        if low and high and low > high:
            raise UsageError(
                f"min_wavelength is {low:g}, but max_wavelength is {high:g}.",
                "Give a max_wavelength of at least min_wavelength, or 0 for no limit.",
            )
        if self.free_levels and self.free_levels >= self.epsilon:
            raise UsageError(
                f"free_levels is {self.free_levels}, but must be below epsilon, {self.epsilon}.",
                "Give fewer free_levels, such as 3 of 8; 0 binds all of the noise.",
            )
        if self.free_levels and self.channels == "colour" and not (low or high):
            raise UsageError(
                "free_levels has nothing to be free of: channels is colour, and wavelengths have no limit.",
                "Set channels = luminance or a min_wavelength, or leave free_levels out.",
            )
        return self

    @property
    def groups(self) -> int:
        """Number of groups of classes that the surrogate tells apart; 0 for one output for each class."""
        return 0

    @property
    def learner(self) -> str:
        """The network that a search trains, if it trains any."""
        return self.surrogate

    @property
    def rounds_without_countermeasures(self) -> int:
        """Rounds before countermeasures are switched on."""
        if self.countermeasures == "none":
            return 0
        return math.ceil(self.countermeasures_from * int(self.max_rounds))

    @property
    def earliest_stop(self) -> int:
        """Rounds before the search may stop by its error: at least one with countermeasures."""
        without = self.rounds_without_countermeasures
        return max(self.min_rounds, without + 1 if without else 0)


class SurrogateConfig(SearchConfig):
    """Settings of every search that trains a surrogate.

    Attributes:
        lr: Learning rate of the surrogate; constant in a min-min search.
        momentum: Momentum of the surrogate's SGD.
        weight_decay: Weight decay of the surrogate's SGD.
        clip: Largest norm of the surrogate's gradient; 0 for no limit.
    """

    lr: float = Field(default=0.1, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=5e-4, ge=0)
    clip: float = Field(default=5.0, ge=0)


class ErrorMinimizingConfig(SurrogateConfig):
    """Settings of error_minimizing.

    Attributes:
        train_batches: M, surrogate batches per round; 0 to count in epochs.
        train_epochs: Epochs of the surrogate per round, where ``train_batches`` is 0.
        measure: When the error of a round is measured. ``after`` (the paper) and ``before`` measure all
            images after or before the noise steps; ``training`` takes the error of the surrogate's training
            batches, which costs no extra pass, for a search that does not stop by its error.
        skip_below: Sample-wise only. Images with a loss below this skip the round's noise step; the last
            batch is topped up with the images closest to it. Forces ``measure = "before"``. 0 updates every
            image (the paper). Old name: `settled`.
        restart_error: Error below which, before ``min_rounds``, a new surrogate replaces the old one and the
            search continues. Noise that one network has learned to read is not yet noise that every network
            learns first. 0 for never (the paper).
        class_groups: Number of groups that the surrogate tells apart if there are more classes, such as one
            class for each of many users. The hash of its name puts a class into a group. Every class still
            has noise of its own. 0 for one output for each class.
        shared_backward: Whether the backward pass of each training batch also gives the noise step of its
            images, as in "free" adversarial training (Shafahi et al., NeurIPS 2019, Algorithm 1, without
            replays). One pass then serves both, and there are no other noise steps.
    """

    train_batches: int = Field(default=10, ge=0)
    train_epochs: float = Field(default=1.0, gt=0)
    measure: Literal["before", "after", "training"] = "after"
    skip_below: float = Field(default=0.0, ge=0)
    restart_error: float = Field(default=0.0, ge=0, le=1)
    class_groups: Annotated[int, Field(ge=2)] | Literal[0] = 0
    shared_backward: bool = False

    @property
    def groups(self) -> int:
        """The setting ``class_groups``."""
        return self.class_groups

    @model_validator(mode="after")
    def _shares(self) -> ErrorMinimizingConfig:
        """Refuse settings of separate noise steps if training batches move the noise."""
        if not self.shared_backward:
            return self
        usual = {"steps": 1, "samples": 1, "passes": 1, "share": 1.0, "skip_below": 0.0}
        for name, value in usual.items():
            if getattr(self, name) != value:
                raise UsageError(
                    f"{name} is {getattr(self, name):g}, but with shared_backward, a noise step is a part of "
                    "a training step.",
                    f"Set {name} = {value:g}, or shared_backward = false.",
                )
        if self.measure == "before":
            raise UsageError(
                "measure is before, but with shared_backward, there are no noise steps after the training.",
                "Set measure = training or after, or shared_backward = false.",
            )
        return self
