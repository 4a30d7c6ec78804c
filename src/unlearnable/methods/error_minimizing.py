"""Error-minimizing noise: the min-min search of the paper, with or without a trainer's transformations."""

from __future__ import annotations

from typing import Any, ClassVar

from unlearnable.methods.by_surrogate import BySurrogate
from unlearnable.methods.config import Config
from unlearnable.methods.registry import register
from unlearnable.methods.search_plan import SearchPlan
from unlearnable.methods.settings import ErrorMinimizingConfig
from unlearnable.methods.steps import State, Steps
from unlearnable.methods.typed_settings import takes


@register
class ErrorMinimizing(BySurrogate[ErrorMinimizingConfig]):
    """Error-minimizing noise (Huang et al., ICLR 2021, Section 3.2, Eq. 2 and 3, Algorithm 1).

    A round trains the surrogate on M batches of protected images, then moves the noise of every image by T
    sign steps that lower the surrogate's loss. Departures from the authors' code: noise is signed when it is
    added (theirs is clamped at zero first and loses half); its keys are ids or class names; the search has a
    largest number of rounds; noise steps are tensor operations on batches, not loops over images. With
    ``transforms`` other than ``none``, both steps see the images as a trainer does: lifted to the photo's own
    size, resized, cropped and flipped (expectation over transformation, Athalye et al., ICML 2018).
    """

    name: ClassVar[str] = "error_minimizing"
    shared: ClassVar[bool] = True
    Config: ClassVar[type[Config]] = ErrorMinimizingConfig

    @takes(ErrorMinimizingConfig)
    def __init__(self, **settings: Any) -> None: ...

    @property
    def skip_below(self) -> float:
        """The setting, for sample-wise noise. Class-wise noise is a mean over all images: 0."""
        return self.config.skip_below if self.form == "samplewise" else 0.0

    @property
    def moves_in_training(self) -> bool:
        """The setting ``shared_backward``."""
        return self.config.shared_backward

    @property
    def _order(self) -> str:
        # the measurement chooses the images to move, so it comes first
        return "before" if self.skip_below else self.config.measure

    def surrogate_batches(self, per_epoch: int) -> int:
        """Return M, or the batches of ``train_epochs``."""
        return self.config.train_batches or max(1, round(self.config.train_epochs * per_epoch))

    def round_steps(self, number: int, images: int, moving: int | None = None) -> tuple[Steps, ...]:
        """Return the steps of a round: train, move, and measure where ``measure`` says.

        With ``shared_backward``, a training batch moves its noise too.
        """
        train, move = self.train_steps(images), self.noise_steps(images, moving)
        measure = Steps(self.measure, images)
        if self.moves_in_training:
            return (train, measure) if self._order == "after" else (train,)
        orders = {
            "before": (train, measure, move),
            "after": (train, move, measure),
            "training": (train, move),
        }
        return orders[self._order]

    def ended(self, plan: SearchPlan, state: State) -> None:
        """Record the training error, if asked to, and restart a surrogate whose error falls too soon."""
        if self._order == "training":
            state["error"] = self.training_error(plan, state)
        if state["error"] < self.config.restart_error and state["round"] < self.config.min_rounds:
            plan.thaw()
            plan.ctx.renew(state, self.config.surrogate, plan.outputs, state["round"])
