"""The rounds of a search against a surrogate: state, order of steps, and images that come later."""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch

from unlearnable.data.view import View
from unlearnable.errors import DataError, UsageError
from unlearnable.methods.base import Method
from unlearnable.methods.checkpoint import Checkpoint
from unlearnable.methods.class_groups import count
from unlearnable.methods.config import rounds_for
from unlearnable.methods.constraints import Constraints
from unlearnable.methods.context import Context
from unlearnable.methods.fitted import Fitted
from unlearnable.methods.registry import create
from unlearnable.methods.search_plan import SearchPlan
from unlearnable.methods.settings import SearchConfig, SurrogateConfig
from unlearnable.methods.steps import Progress, State, Steps
from unlearnable.noise import Noise
from unlearnable.training import partition
from unlearnable.training.image_store import home
from unlearnable.training.recipe import Recipe

S = TypeVar("S", bound=SearchConfig)


class Rounds(Method[S]):
    """A search in rounds. ``BySurrogate`` has the steps; a method says in which order a round takes them."""

    @abstractmethod
    def round_steps(self, number: int, images: int, moving: int | None = None) -> tuple[Steps, ...]:
        """Return the steps of a round, in order: the one description of a round's work.

        Args:
            number: Number of the round, from 0.
            images: Number of images, context included.
            moving: Number of images whose noise this round moves; by default the share of them that the
                settings ask for.
        """

    @abstractmethod
    def train_steps(self, images: int) -> Steps:
        """Return the surrogate's training batches in one round."""

    @abstractmethod
    def move(self, plan: SearchPlan, state: State, number: int) -> None:
        """Move the noise of one batch."""

    def recipe(self) -> Recipe:
        """Return how the surrogate is trained: at a constant rate, because it follows the noise.

        A network without settings of a training is frozen; its recipe is never followed.
        """
        config = self.config
        if not isinstance(config, SurrogateConfig):
            return Recipe()
        return Recipe(
            batch=config.batch,
            lr=config.lr,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
            clip=config.clip,
            schedule="constant",
        )

    def ended(self, plan: SearchPlan, state: State) -> None:
        """Act at the end of a round; ``state["round"]`` counts it already."""

    def plan(
        self, view: View, ctx: Context, classes: tuple[str, ...] | None = None, rounds: int | None = None
    ) -> SearchPlan:
        """Return everything that stays the same during a search.

        Args:
            view: The images.
            ctx: Device, precision, draws.
            classes: The classes that the surrogate knows, if they are not the view's.
            rounds: Rounds that the noise gets; ``max_rounds`` if None.
        """
        rows, batches = self.rows(view, ctx.seed), self.train_steps(len(view.ids)).count
        mine = ctx.mine(view)
        if self.form == "samplewise" and mine is not None:
            rows = partition.local_rows(rows, mine)
        return SearchPlan(self.config, self.recipe(), batches, rows, view, ctx, classes, rounds)

    def resolved(self, frame: tuple[int, int], count: int) -> dict[str, Any]:
        """Return the settings that ``auto`` stands for; a round with more noise steps counts for more.

        Raises:
            UsageError: If the first rounds are to see larger images than the later ones.
        """
        steps = self.config.steps * self.config.passes
        found = super().resolved(frame, count)
        if self.config.max_rounds == "auto":
            found["max_rounds"] = rounds_for(count, steps, self.config.auto_steps)
        early, late = self.config.early_resolution, found.get("resolution", self.config.resolution)
        if early > int(late):
            raise UsageError(
                f"early_resolution is {early}, but the network's input has {late} pixels a side later.",
                "Give a smaller number, or 0 for one size throughout.",
            )
        return found

    @property
    def zoom(self) -> float:
        """How much larger than the resolution the view must be."""
        return self.config.zoom

    def start(self, view: View, ctx: Context) -> State:
        """Return the state before the first round: initial noise and the surrogate."""
        state: State = {"noise": self.initial(view, ctx), "round": 0, "step": 0, "error": -1.0}
        outputs = count(view.classes, self.config.groups)
        ctx.surrogate(state, self.config.surrogate, outputs, self.recipe())
        return state

    def initial(self, view: View, ctx: Context) -> torch.Tensor:
        """Return the noise before the first round, float (rows, 3, side, side) in levels."""
        keys, side, limit = self.held(view, ctx), self.config.side, self.config.budget.epsilon
        noise = torch.zeros(len(keys), 3, side, side)
        if self.config.init == "gratings":
            noise = self._gratings(view, ctx).to(noise)
        elif self.config.init == "uniform":
            for row, key in enumerate(keys):
                noise[row].uniform_(-limit, limit, generator=ctx.rng("init", key))
        noise = Constraints(self.config, view.frame, ctx.compute).started(noise)
        return self.to_device("noise", noise.to(self.state_type(ctx)), ctx)

    def held(self, view: View, ctx: Context) -> tuple[str, ...]:
        """Return the keys of the rows of noise that this process holds.

        Class-wise, every process holds all rows, and they are equal. Sample-wise, it holds those of the
        images that it owns.
        """
        keys, mine = self.keys(view), self._own_rows(view, ctx)
        return keys if mine is None else tuple(itertools.compress(keys, mine.tolist()))

    def checkpoint(self, path: Path, identity: dict[str, Any], view: View, ctx: Context) -> Checkpoint:
        """Return the checkpoint of a search; of several processes, each saves the noise that it holds."""
        ids = self.keys(view) if self.form == "samplewise" else ()
        return Checkpoint(path, identity, ids, self.held(view, ctx) if ids else (), ctx.ranks)

    def whole(self, state: State, view: View, ctx: Context) -> torch.Tensor:
        """Return the noise of all processes, in levels, one row for each of ``keys(view)``."""
        mine = self._own_rows(view, ctx)
        return self.finish(state) if mine is None else ctx.ranks.put_together(self.finish(state), mine)

    def _own_rows(self, view: View, ctx: Context) -> torch.Tensor | None:
        """Return a mask of the rows that this process holds, bool (rows,); None if it holds all of them."""
        mine = ctx.mine(view) if self.form == "samplewise" else None
        return None if mine is None else mine[torch.from_numpy(view.own)]

    def _gratings(self, view: View, ctx: Context) -> torch.Tensor:
        """Return the noise of the method ``gratings`` for the keys that are held, in levels."""
        names = ("form", "epsilon", "resolution", "grid", "tile", "offset", "patterns_per_class")
        same = {name: getattr(self.config, name) for name in names}
        method = create("gratings", same).resolve(view.frame, len(view.ids))
        found: torch.Tensor = method.start(view, ctx)["noise"]
        mine = self._own_rows(view, ctx)
        return found if mine is None else found[mine.to(found.device)]

    def to_device(self, name: str, value: torch.Tensor, ctx: Context) -> torch.Tensor:
        """Return a tensor of the state on the device, or sample-wise noise on the host if it does not fit.

        Positions of images stay on the host: batches are drawn there.
        """
        if name == "active":
            return value.cpu()
        samplewise = name == "noise" and self.form == "samplewise"
        return value.to(home(value.nbytes, ctx.compute) if samplewise else ctx.compute.device)

    def state_type(self, ctx: Context) -> torch.dtype:
        """Return the type in which the noise is stored between steps.

        Sample-wise noise has a row for every image and is stored in half precision, which is exact to 1/256
        of a level below 8. Class-wise noise has few rows, and its steps are means, which may be smaller.
        """
        half = self.form == "samplewise" and ctx.compute.dtype == torch.float32
        return torch.float16 if half else ctx.compute.dtype

    def advance(self, state: State, view: View, ctx: Context) -> Progress:
        """Take the next step of the round: a surrogate batch, a measurement, or T sign steps on a batch."""
        plan = ctx.keep("plan", view, lambda: self.plan(view, ctx))
        plan.begin(state["round"])
        left, before = state["step"], Counter[str]()
        for part in self._round(plan, state):
            if left < part.count:
                break
            left -= part.count
            before[part.kind] += part.count
        part.run(plan, state, before[part.kind] + left)
        # asked again: a measurement may decide how many images the round moves
        total = sum(one.count for one in self._round(plan, state))
        state["step"] += 1
        progress = Progress(state["step"], total, kind=part.kind)
        if state["step"] < total:
            return progress
        state["step"], state["round"] = 0, state["round"] + 1
        self.ended(plan, state)
        return replace(progress, round_ended=True, error=state["error"])

    def _round(self, plan: SearchPlan, state: State) -> tuple[Steps, ...]:
        return self.round_steps(state["round"], plan.count, len(plan.active(state)))

    def finish(self, state: State) -> torch.Tensor:
        """Return the noise in levels."""
        noise: torch.Tensor = state["noise"]
        return noise

    def surrogate(self, state: State) -> dict[str, torch.Tensor]:
        """Return the surrogate's weights."""
        return {key.removeprefix("model."): value for key, value in state.items() if key.startswith("model.")}

    def extend(self, fitted: Fitted, view: View, ctx: Context) -> Noise:
        """Return noise for images that came later.

        Class-wise noise is that of the class. Sample-wise noise takes ``extension_rounds`` rounds of sign
        steps against the surrogate of the search, which is not trained any further.
        """
        if self.form == "classwise":
            return super().extend(fitted, view, ctx)
        unknown = set(view.classes) - set(fitted.classes)
        if unknown:
            raise DataError(
                f"The surrogate of this run does not know class {min(unknown)!r}.",
                "Find new noise with `unlearnable protect --refit`.",
            )
        state, rounds = self.extension(fitted, view, ctx), self.extension_rounds
        plan = self.plan(view, ctx, fitted.classes, rounds)
        for _ in range(rounds):
            for batch in range(self.config.passes * plan.noise_batches(state)):
                self.move(plan, state, batch)
            state["round"] += 1
        return self.to_noise(state["noise"], view, ctx.seed)

    @property
    def extension_rounds(self) -> int:
        """Rounds of the noise of a photo that came later."""
        return self.config.min_rounds

    def extension(self, fitted: Fitted, view: View, ctx: Context) -> State:
        """Return the state before the first round of photos that came later: no noise, the surrogate found.

        Args:
            fitted: The search.
            view: The photos.
            ctx: Device, precision, draws.
        """
        state: State = {f"model.{key}": value for key, value in fitted.surrogate.items()}
        # a state has a momentum for every weight, used or not
        for name, value in list(state.items()):
            state[name.replace("model.", "momentum.", 1)] = torch.zeros_like(value)
        return {**state, "noise": self._no_noise(view, ctx), "round": 0}

    def _no_noise(self, view: View, ctx: Context) -> torch.Tensor:
        shape = len(self.keys(view)), 3, self.config.side, self.config.side
        return self.to_device("noise", torch.zeros(shape, dtype=self.state_type(ctx)), ctx)
