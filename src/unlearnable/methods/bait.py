"""Noise of a class that makes a pretrained network take images of other classes for that class."""

from __future__ import annotations

import copy
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field, field_validator
from torch import nn

from unlearnable.data.view import View
from unlearnable.errors import DataError
from unlearnable.methods.by_surrogate import BySurrogate
from unlearnable.methods.config import Config
from unlearnable.methods.context import Context
from unlearnable.methods.pretrained_surrogates import PretrainedConfig, require_weights, resolved
from unlearnable.methods.registry import register
from unlearnable.methods.search_plan import Batch, SearchPlan
from unlearnable.methods.settings import SurrogateConfig
from unlearnable.methods.steps import State, Steps
from unlearnable.methods.typed_settings import takes
from unlearnable.models import starts
from unlearnable.training.frozen import freeze
from unlearnable.training.loop import train_step


# pydantic takes an inherited default from the first base, here that of pretrained networks
class BaitConfig(PretrainedConfig, SurrogateConfig):
    """Settings of bait.

    Attributes:
        form: Class-wise noise; there is no other.
        surrogate: The pretrained network that is trained: ``pretrained:NETWORK`` for published weights
            (`docs/pretrained.md`), ``NETWORK=FILE`` for a file of weights. It gets a new last layer unless
            its own has as many outputs as there are classes. Nothing is downloaded.
        steps: Sign steps per batch.
        max_rounds: Rounds. Each third of them has its own rule for the wrong class of an image.
        stop_error: Error on the round's training batch, in [0, 1], below which the search stops; 0 for never
            (the paper).
    """

    form: Literal["auto", "classwise"] = "auto"
    steps: int = Field(default=1, ge=1)
    batch: int = Field(default=64, ge=2)
    max_rounds: Annotated[int, Field(ge=1)] | Literal["auto"] = 90
    stop_error: float = Field(default=0.0, ge=0, le=1)

    @field_validator("surrogate")
    @classmethod
    def _known(cls, surrogate: str) -> str:
        if len(starts.parse(surrogate)) > 1:
            raise ValueError("bait trains one network")
        return surrogate


@register
class Bait(BySurrogate[BaitConfig]):
    """BAIT (ICLR 2026): noise that binds other classes' images to its own class in a pretrained network.

    Noise that only makes a class easy is not needed by a network that has useful features already. So the
    noise d[t] of a class t is found on images of other classes, which it must turn into t. A round

    1. looks ahead: f' is the network f after one step on CE(f(x + d[y]), y);
    2. takes a sign step for every image x, of class y, with a wrong class t: it lowers CE(f'(x + d[t]), t) in
       the noise of t;
    3. trains f, all layers of it, by one step on CE(f(x + d[y]), y).

    The wrong class is the likeliest one in the first third of the rounds, a random one in the second, and
    the least likely one in the last, as f' sees the clean image. Departures from the paper: noise is a
    tensor and moves by sign steps, where theirs comes from a generator; both see the images as a trainer
    does. Images of the context are bound to protected classes too.
    """

    name: ClassVar[str] = "bait"
    Config: ClassVar[type[Config]] = BaitConfig

    @takes(BaitConfig)
    def __init__(self, **settings: Any) -> None: ...

    def resolved(self, frame: tuple[int, int], count: int) -> dict[str, Any]:
        """Return the settings that ``auto`` stands for; the digest of the weights is among them."""
        return resolved(self.config, super().resolved(frame, count), frame)

    def surrogate_batches(self, per_epoch: int) -> int:
        """Return 1."""
        return 1

    def round_steps(self, number: int, images: int, moving: int | None = None) -> tuple[Steps, ...]:
        """Return the steps of a round: look ahead, move, train."""
        train = self.train_steps(images)
        return Steps(self.look_ahead, train.images), self.noise_steps(images, moving), train

    def start(self, view: View, ctx: Context) -> State:
        """Return the state before the first round, with the images that have a wrong class to be bound to.

        Raises:
            DataError: If no image has.
        """
        require_weights(self.config)
        plan = ctx.keep("plan", view, lambda: self.plan(view, ctx))
        context = torch.from_numpy(~view.own).nonzero()[:, 0]
        several = len(set(view.labels[view.own].tolist())) > 1
        bound = torch.cat([plan.searched, context]).sort().values if several else context
        if not len(bound):
            raise DataError("No image is of another class.", "Add other classes with --context FOLDER.")
        state = super().start(view, ctx)
        # the surrogate belongs to this dictionary, and a copy would get another one
        state["active"] = bound
        return state

    def look_ahead(self, plan: SearchPlan, state: State, number: int) -> None:
        """Save the network after a step on the batch that it is trained on at the end of the round."""
        surrogate, compute = plan.surrogate(state), plan.ctx.compute
        ahead = copy.deepcopy(surrogate.model)
        batch = self.training_images(plan, state["round"])
        d = plan.noise_of(batch.rows, state["noise"])
        x = self.train_batch(plan, ahead, batch, d, plan.ctx.rng("ahead", state["round"]))
        train_step(ahead, plan.recipe.optimizer(ahead), x, batch.y, compute, plan.recipe.clip)
        state.update({f"ahead.{name}": value for name, value in ahead.state_dict().items()})

    def frozen(self, plan: SearchPlan, state: State) -> nn.Module:
        """Return the network that was looked ahead to, in eval mode, with a gradient to its input only."""
        ahead = {
            key.removeprefix("ahead."): value for key, value in state.items() if key.startswith("ahead.")
        }

        def make() -> nn.Module:
            model = copy.deepcopy(plan.surrogate(state).model)
            model.load_state_dict(ahead)
            return freeze(model, plan.ctx.compute)

        # every look ahead makes new tensors
        return plan.ctx.keep("ahead", next(iter(ahead.values())), make)

    def aimed(
        self, plan: SearchPlan, state: State, model: nn.Module, batch: Batch, rng: torch.Generator
    ) -> Batch:
        """Return the images with a wrong class each, and the row of its noise."""
        patterns, send = self.config.patterns_per_class, plan.ctx.compute.send
        clean = send(torch.zeros(len(batch.y), 3, self.config.side, self.config.side))
        with torch.no_grad():
            scores = plan.logits(model, plan.show(batch, clean, None))
        third = 3 * state["round"] // plan.rounds
        if third == 1:
            scores = send(torch.rand(scores.shape, generator=rng))
        first = send(self._first_rows(plan))
        wrong = (first >= 0) & (torch.arange(len(first), device=first.device) != batch.y[:, None])
        y = (scores if third < 2 else -scores).masked_fill(~wrong, -torch.inf).argmax(1)
        # an image has the same pattern of every class; an image of the context has a random one
        drawn = send(torch.randint(patterns, batch.rows.shape, generator=rng))
        pattern = torch.where(batch.rows >= 0, batch.rows % patterns, drawn)
        return batch._replace(y=y, rows=first[y] + pattern)

    def _first_rows(self, plan: SearchPlan) -> torch.Tensor:
        """The first row of noise of every class, int64 (K,); -1 for the context."""
        row = {key: row for row, key in enumerate(self.keys(plan.view))}
        assignment = self.config.assignment(plan.ctx.seed)
        return torch.tensor([row.get(assignment.keys(name)[0], -1) for name in plan.classes])

    def ended(self, plan: SearchPlan, state: State) -> None:
        """Record the error on the training batch of the round."""
        state["error"] = self.training_error(plan, state)
