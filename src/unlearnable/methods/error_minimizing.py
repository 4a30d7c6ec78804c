"""Error-minimizing noise: the min-min search of the paper, with or without the transformations of a trainer in the loop."""

from __future__ import annotations

from typing import ClassVar

import torch

from unlearnable.data.view import View
from unlearnable.errors import DataError
from unlearnable.methods import base, steps
from unlearnable.methods.config import Config
from unlearnable.methods.context import Context
from unlearnable.methods.fitted import Fitted
from unlearnable.methods.plan import Plan
from unlearnable.methods.registry import register
from unlearnable.methods.settings import ErrorMinimizingConfig
from unlearnable.noise import Noise


@register
class ErrorMinimizing(base.Method[ErrorMinimizingConfig]):
    """Error-minimizing noise (Huang et al., ICLR 2021, Section 3.2, Eq. 2 and 3, Algorithm 1).

    A round trains the surrogate on M batches of protected images, then moves the noise of every image by T sign steps that lower
    the surrogate's loss. Departures from the authors' code: noise is signed when it is added (theirs is clamped at zero first and
    loses half); it is keyed by id or class name; the search has a cap; batches are steps on tensors, not loops over images.
    With ``transforms`` other than ``none``, both steps see the images as a trainer does: lifted to the photo's own size, resized,
    cropped and flipped (expectation over transformation, Athalye et al., ICML 2018).
    """

    name: ClassVar[str] = "error_minimizing"
    Config: ClassVar[type[Config]] = ErrorMinimizingConfig

    @property
    def zoom(self) -> float:
        """How much larger than the resolution the view must be."""
        return self.config.zoom

    def start(self, view: View, ctx: Context) -> base.State:
        """Return noise at its start and a fresh surrogate."""
        keys, side = self.keys(view), self.config.grid
        if self.form == "classwise" and self.config.tile:
            side = self.config.tile
        noise = torch.zeros(len(keys), 3, side, side)
        if self.config.init == "uniform":
            for row, key in enumerate(keys):
                noise[row].uniform_(-self.config.epsilon, self.config.epsilon, generator=ctx.rng("init", key))
        state: base.State = {"noise": noise.to(ctx.compute.device, self.state_type(ctx)), "round": 0, "step": 0, "error": -1.0}
        ctx.surrogate(state, self.config.surrogate, len(view.classes), self.config.recipe())
        return state

    def state_type(self, ctx: Context) -> torch.dtype:
        """Sample-wise noise is kept in half precision, whose steps are at most 1/256 of a level below 8; there is a row for every image.

        Class-wise steps are means, which may be smaller, and there are few rows.
        """
        return torch.float16 if self.form == "samplewise" and ctx.compute.dtype == torch.float32 else ctx.compute.dtype

    def advance(self, state: base.State, view: View, ctx: Context) -> base.Progress:
        """Take the next step of the round: a surrogate batch, a measurement, or T sign steps on a batch."""
        plan = ctx.keep("plan", view, lambda: Plan(self.config, self.rows(view), view, ctx))
        kinds = self._kinds(plan, state)
        step = state["step"]
        kind, number = kinds[step], kinds[:step].count(kinds[step])
        if kind == "train":
            steps.train(plan, state, state["round"] * plan.train_batches + number)
        elif kind == "measure":
            steps.measure(plan, state)
            kinds = self._kinds(plan, state)  # how much there is to move may depend on it
        else:
            steps.move(plan, state, number)
        state["step"] = step + 1
        if state["step"] < len(kinds):
            return base.Progress(state["step"], len(kinds), kind=kind)
        if self._order == "training":
            state["error"] = steps.training_error(plan, state)
        state["step"], state["round"] = 0, state["round"] + 1
        if state["error"] < self.config.restart_error and state["round"] < self.config.min_rounds:
            ctx.renew(state, self.config.surrogate, len(plan.classes), state["round"])
        return base.Progress(len(kinds), len(kinds), round_ended=True, error=state["error"], kind=kind)

    @property
    def _order(self) -> str:
        return "before" if self.config.selective else self.config.measure

    def _kinds(self, plan: Plan, state: base.State) -> list[str]:
        """The steps of a round, in order."""
        train, move = ["train"] * plan.train_batches, ["move"] * (self.config.passes * plan.noise_batches(state))
        return {"before": [*train, "measure", *move], "after": [*train, *move, "measure"], "training": [*train, *move]}[self._order]

    def visits(self, count: int) -> dict[str, int]:
        """Return how many images a round trains the surrogate on, moves the noise of, and measures."""
        config = self.config
        batch = min(config.batch, count)
        train = config.train_batches * batch or round(config.train_epochs * count)
        share = config.share if self.form == "classwise" else 1.0
        measured = {} if self._order == "training" else {"measure": count}
        return {"train": train, "move": round(config.passes * share * count), **measured}

    def finish(self, state: base.State) -> torch.Tensor:
        """Return the noise in levels."""
        noise: torch.Tensor = state["noise"]
        return noise

    def surrogate(self, state: base.State) -> dict[str, torch.Tensor]:
        """Return the surrogate's weights."""
        return {key.removeprefix("model."): value for key, value in state.items() if key.startswith("model.")}

    def extend(self, fitted: Fitted, view: View, ctx: Context) -> Noise:
        """Class-wise: the class's noise. Sample-wise: sign steps against the kept surrogate, which is not trained any further."""
        if self.form == "classwise":
            return super().extend(fitted, view, ctx)
        unknown = set(view.classes) - set(fitted.classes)
        if unknown:
            raise DataError(f"The surrogate of this run does not know class {min(unknown)!r}.", "Find the noise anew with --refit.")
        state: base.State = {f"model.{key}": value for key, value in fitted.surrogate.items()}
        for name, value in list(state.items()):
            state[name.replace("model.", "momentum.", 1)] = torch.zeros_like(value)
        side = self.config.grid
        state["noise"] = torch.zeros(len(self.keys(view)), 3, side, side, dtype=self.state_type(ctx), device=ctx.compute.device)
        state["round"] = 0
        rounds = self.config.min_rounds
        plan = Plan(self.config, self.rows(view), view, ctx, fitted.classes, rounds)
        for _ in range(rounds):
            for batch in range(self.config.passes * plan.noise_batches(state)):
                steps.move(plan, state, batch)
            state["round"] += 1
        return self.to_noise(state["noise"], view, ctx.seed)
