"""Error-minimizing noise: the min-min search of the paper, with or without the transformations of a trainer in the loop."""

from __future__ import annotations

from typing import ClassVar

from unlearnable.methods import base, steps
from unlearnable.methods.by_surrogate import BySurrogate
from unlearnable.methods.config import Config
from unlearnable.methods.plan import Plan
from unlearnable.methods.registry import register
from unlearnable.methods.settings import ErrorMinimizingConfig


@register
class ErrorMinimizing(BySurrogate[ErrorMinimizingConfig]):
    """Error-minimizing noise (Huang et al., ICLR 2021, Section 3.2, Eq. 2 and 3, Algorithm 1).

    A round trains the surrogate on M batches of protected images, then moves the noise of every image by T
    sign steps that lower the surrogate's loss. Departures from the authors' code: noise is signed when it is
    added (theirs is clamped at zero first and loses half); it is keyed by id or class name; the search has a
    cap; batches are steps on tensors, not loops over images. With ``transforms`` other than ``none``, both
    steps see the images as a trainer does: lifted to the photo's own size, resized, cropped and flipped
    (expectation over transformation, Athalye et al., ICML 2018).
    """

    name: ClassVar[str] = "error_minimizing"
    Config: ClassVar[type[Config]] = ErrorMinimizingConfig

    @property
    def _order(self) -> str:
        return "before" if self.config.settled_below else self.config.measure

    def kinds(self, plan: Plan, state: base.State) -> list[str]:
        """Return the steps of a round, in order."""
        train, move = (
            ["train"] * plan.train_batches,
            ["move"] * (self.config.passes * plan.noise_batches(state)),
        )
        return {
            "before": [*train, "measure", *move],
            "after": [*train, *move, "measure"],
            "training": [*train, *move],
        }[self._order]

    def ended(self, plan: Plan, state: base.State) -> None:
        """Count the training error, if that is the round's; let a new surrogate take over from one that errs too little too soon."""
        if self._order == "training":
            state["error"] = steps.training_error(plan, state)
        if state["error"] < self.config.restart_error and state["round"] < self.config.min_rounds:
            plan.ctx.renew(state, self.config.surrogate, len(plan.classes), state["round"])

    def visits(self, count: int) -> dict[str, int]:
        """Return how many images a round trains the surrogate on, moves the noise of, and measures."""
        config = self.config
        batch = min(config.batch, count)
        train = config.train_batches * batch or round(config.train_epochs * count)
        share = config.share if self.form == "classwise" else 1.0
        measured = {} if self._order == "training" else {"measure": count}
        return {"train": train, "move": round(config.passes * share * count), **measured}
