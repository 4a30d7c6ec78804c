"""What searches against a surrogate share: their state, the order of their steps, and noise for images that come later."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, TypeVar

import torch

from unlearnable.data.view import View
from unlearnable.errors import DataError
from unlearnable.methods import base, steps
from unlearnable.methods.config import rounds_for
from unlearnable.methods.context import Context
from unlearnable.methods.fitted import Fitted
from unlearnable.methods.plan import Plan
from unlearnable.methods.settings import SurrogateConfig
from unlearnable.noise import Noise
from unlearnable.training.image_store import home

S = TypeVar("S", bound=SurrogateConfig)


class BySurrogate(base.Method[S]):
    """A search in rounds whose steps are ``train``, ``move`` and ``measure``. Subclasses say in which order."""

    @abstractmethod
    def kinds(self, plan: Plan, state: base.State) -> list[str]:
        """Return the steps of this round, in order: ``train``, ``move`` and ``measure``."""

    def ended(self, plan: Plan, state: base.State) -> None:
        """Do what is to be done at the end of a round, which is counted already."""

    def resolved(self, frame: tuple[int, int], count: int) -> dict[str, Any]:
        """Return the settings that ``auto`` stands for; a round with more noise steps counts for more."""
        steps = self.config.steps * self.config.passes
        rounds = {"max_rounds": rounds_for(count, steps)} if self.config.max_rounds == "auto" else {}
        return {**super().resolved(frame, count), **rounds}

    @property
    def zoom(self) -> float:
        """How much larger than the resolution the view must be."""
        return self.config.zoom

    def start(self, view: View, ctx: Context) -> base.State:
        """Return noise at its start and a fresh surrogate."""
        keys, side = self.keys(view), self.config.side
        noise = torch.zeros(len(keys), 3, side, side)
        if self.config.init == "uniform":
            for row, key in enumerate(keys):
                noise[row].uniform_(-self.config.epsilon, self.config.epsilon, generator=ctx.rng("init", key))
        noise = self.placed("noise", noise.to(self.state_type(ctx)), ctx)
        state: base.State = {"noise": noise, "round": 0, "step": 0, "error": -1.0}
        ctx.surrogate(state, self.config.surrogate, len(view.classes), self.config.recipe())
        return state

    def placed(self, name: str, value: torch.Tensor, ctx: Context) -> torch.Tensor:
        """Return a tensor of the state where the search wants it: on the device, but for noise of so many images that it has no room."""
        return value.to(
            home(value.nbytes, ctx.compute)
            if name == "noise" and self.form == "samplewise"
            else ctx.compute.device
        )

    def state_type(self, ctx: Context) -> torch.dtype:
        """Sample-wise noise is kept in half precision, whose steps are at most 1/256 of a level below 8; there is a row for every image.

        Class-wise steps are means, which may be smaller, and there are few rows.
        """
        return (
            torch.float16
            if self.form == "samplewise" and ctx.compute.dtype == torch.float32
            else ctx.compute.dtype
        )

    def advance(self, state: base.State, view: View, ctx: Context) -> base.Progress:
        """Take the next step of the round: a surrogate batch, a measurement, or T sign steps on a batch."""
        plan = ctx.keep("plan", view, lambda: Plan(self.config, self.rows(view, ctx.seed), view, ctx))
        kinds = self.kinds(plan, state)
        step = state["step"]
        kind, number = kinds[step], kinds[:step].count(kinds[step])
        if kind == "train":
            steps.train(plan, state, state["round"] * plan.train_batches + number)
        elif kind == "measure":
            steps.measure(plan, state)
            kinds = self.kinds(plan, state)  # how much there is to move may depend on it
        else:
            steps.move(plan, state, number)
        state["step"] = step + 1
        if state["step"] < len(kinds):
            return base.Progress(state["step"], len(kinds), kind=kind)
        state["step"], state["round"] = 0, state["round"] + 1
        self.ended(plan, state)
        return base.Progress(len(kinds), len(kinds), round_ended=True, error=state["error"], kind=kind)

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
            raise DataError(
                f"The surrogate of this run does not know class {min(unknown)!r}.",
                "Find the noise anew with --refit.",
            )
        state: base.State = {f"model.{key}": value for key, value in fitted.surrogate.items()}
        for name, value in list(state.items()):
            state[name.replace("model.", "momentum.", 1)] = torch.zeros_like(value)
        side = self.config.side
        state["noise"] = self.placed(
            "noise", torch.zeros(len(self.keys(view)), 3, side, side, dtype=self.state_type(ctx)), ctx
        )
        state["round"] = 0
        rounds = self.config.min_rounds
        plan = Plan(self.config, self.rows(view, ctx.seed), view, ctx, fitted.classes, rounds)
        for _ in range(rounds):
            for batch in range(self.config.passes * plan.noise_batches(state)):
                steps.move(plan, state, batch)
            state["round"] += 1
        return self.to_noise(state["noise"], view, ctx.seed)
