"""Error-minimizing noise: the min-min search of the paper, with or without the transformations of a trainer in the loop."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import nn

from unlearnable.budget import Budget
from unlearnable.data.view import View
from unlearnable.errors import DataError
from unlearnable.methods import base
from unlearnable.methods.config import Config
from unlearnable.methods.context import Context
from unlearnable.methods.fitted import Fitted
from unlearnable.methods.plan import Plan
from unlearnable.methods.registry import register
from unlearnable.noise import Noise
from unlearnable.training.loop import Recipe, train_step
from unlearnable.training.transforms import Name


class ErrorMinimizingConfig(Config):
    """Settings of the search. The defaults are those of the paper; the presets choose others for photos.

    Attributes:
        surrogate: The network that the noise is found against.
        transforms: What a trainer is expected to do to a batch: ``none`` (the paper), ``flip-crop`` or ``photo``.
        crop_min: ``photo``: smallest share of the frame that a crop keeps.
        jpeg: Quality of the JPEG that both steps see the images through, so that the noise survives it; 0 for none. Needs kornia. It acts
            at the search's resolution, so it is JPEG itself for images of that size, and stronger than JPEG for photos.
        zoom: Side of the view over the resolution, so that a crop of the view is as sharp as a crop of the photo.
        steps: T, sign steps per batch.
        samples: Transformations over which the gradient of a step is averaged.
        passes: Passes over the images in the noise part of a round.
        step_size: Length of a sign step, in levels.
        train_batches: M, surrogate batches per round; 0 to count in epochs.
        train_epochs: Epochs of the surrogate per round, where ``train_batches`` is 0.
        share: Class-wise: share of every class that the noise steps go over.
        measure: When the error of a round is measured: ``after`` the noise moved (the paper) or ``before``.
        init: Noise before the first round: ``zero``, or ``uniform`` in +-epsilon.
        batch: Images per batch.
        lr: Learning rate of the surrogate, constant.
        momentum: Of the surrogate's SGD.
        weight_decay: Of the surrogate's SGD.
        clip: Largest norm of the surrogate's gradient.
        restart_error: Error below which, before ``min_rounds``, a new surrogate takes over instead of the search coming to an end: noise
            that one network has learned to read is not yet noise that every network learns first. 0 for never (the paper).
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
    train_batches: int = Field(10, ge=0)
    train_epochs: float = Field(1.0, gt=0)
    share: float = Field(1.0, gt=0, le=1)
    measure: Literal["before", "after"] = "after"
    init: Literal["zero", "uniform"] = "zero"
    batch: int = Field(512, ge=2)
    lr: float = Field(0.1, gt=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    weight_decay: float = Field(5e-4, ge=0)
    clip: float = Field(5.0, ge=0)
    restart_error: float = Field(0.0, ge=0, le=1)
    max_rounds: Annotated[int, Field(ge=1)] | Literal["auto"] = 50


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
        state: base.State = {"noise": noise.to(ctx.compute.device, ctx.compute.dtype), "round": 0, "step": 0, "error": -1.0}
        ctx.surrogate(state, self.config.surrogate, len(view.classes), self.recipe())
        return state

    def advance(self, state: base.State, view: View, ctx: Context) -> base.Progress:
        """Take the next step of the round: a surrogate batch, a measurement, or T sign steps on a batch."""
        plan = ctx.keep("plan", view, lambda: Plan(self, view, ctx))
        train, noise = plan.train_batches, plan.noise_batches
        total, step = train + noise + 1, state["step"]
        measured_at = train if self.config.measure == "before" else total - 1
        if step < train:
            kind = "train"
            self._train(plan, state, state["round"] * train + step)
        elif step == measured_at:
            kind = "measure"
            state["error"] = self._error(plan, state)
        else:
            kind = "move"
            self._move(plan, state, step - train - (self.config.measure == "before"))
        state["step"] = step + 1
        if state["step"] < total:
            return base.Progress(state["step"], total, kind=kind)
        state["step"], state["round"] = 0, state["round"] + 1
        if state["error"] < self.config.restart_error and state["round"] < self.config.min_rounds:
            ctx.renew(state, self.config.surrogate, len(plan.classes), state["round"])
        return base.Progress(total, total, round_ended=True, error=state["error"], kind=kind)

    def visits(self, count: int) -> dict[str, int]:
        """Return how many images a round trains the surrogate on, moves the noise of, and measures."""
        config = self.config
        batch = min(config.batch, count)
        train = config.train_batches * batch or round(config.train_epochs * count)
        share = config.share if self.form == "classwise" else 1.0
        return {"train": train, "move": round(config.passes * share * count), "measure": count}

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
        state["noise"] = torch.zeros(len(self.keys(view)), 3, side, side, dtype=ctx.compute.dtype, device=ctx.compute.device)
        state["round"] = 0
        plan = Plan(self, view, ctx, fitted.classes)
        for _ in range(self.config.min_rounds):
            for batch in range(plan.noise_batches):
                self._move(plan, state, batch)
            state["round"] += 1
        return self.to_noise(state["noise"], view, ctx.seed)

    def recipe(self) -> Recipe:
        """Return how the surrogate is trained."""
        config = self.config
        return Recipe(
            batch=config.batch,
            lr=config.lr,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
            clip=config.clip,
            schedule="constant",
        )

    def _train(self, plan: Plan, state: base.State, count: int) -> None:
        model = plan.model(state)
        epoch, place = divmod(count, plan.per_epoch)
        order = torch.randperm(plan.count, generator=plan.ctx.rng("order", epoch))
        index = order[place * plan.batch : (place + 1) * plan.batch]
        x, d, y, grey = plan.batch_of(index, state["noise"])
        x = plan.look(x, d, grey, plan.ctx.rng("train", count))
        train_step(model.model, model.optimizer, x, y, plan.ctx.compute, self.config.clip)

    def _error(self, plan: Plan, state: base.State) -> float:
        model, wrong = plan.model(state).model.eval(), 0
        own = plan.own
        with torch.inference_mode():
            for index in torch.split(own, plan.batch):
                x, d, y, grey = plan.batch_of(index, state["noise"])
                with plan.ctx.compute.autocast():
                    wrong += int((model(plan.look(x, d, grey, None)).argmax(1) != y).sum())
        return wrong / len(own)

    def _move(self, plan: Plan, state: base.State, place: int) -> None:
        """Take T sign steps on one batch (Eq. 3), theta frozen, in eval mode."""
        which, start = divmod(place, plan.noise_batches // self.config.passes)
        order = plan.searched[torch.randperm(len(plan.searched), generator=plan.ctx.rng("noise order", state["round"], which))]
        index = order[start * plan.batch : (start + 1) * plan.batch]
        model = plan.model(state).model.eval().requires_grad_(False)
        noise, rows = state["noise"], plan.rows[index].to(plan.ctx.compute.device)
        x, d, y, grey = plan.batch_of(index, noise)
        rng = plan.ctx.rng("noise", state["round"], place)
        for _ in range(self.config.steps):
            gradient = self._gradient(plan, model, (x, d, y, grey), rng)
            # the paper starts each step from the clipped image, so noise that clipping ate does not count
            base_d = (((x + d / 255).clamp(0, 1) - x) * 255) if plan.look.plain and d.shape == x.shape else d
            d = Budget(self.config.epsilon).project(base_d - self.config.step_size * gradient.sign())
        model.requires_grad_(True)
        if self.form == "samplewise":
            noise[rows] = d
        else:
            counts = torch.bincount(rows, minlength=len(noise)).to(noise.dtype).view(-1, 1, 1, 1)
            mean = torch.zeros_like(noise).index_add_(0, rows, d) / counts.clamp(min=1)
            noise.copy_(torch.where(counts > 0, mean, noise))

    def _gradient(self, plan: Plan, model: nn.Module, batch: tuple[torch.Tensor, ...], rng: torch.Generator) -> torch.Tensor:
        x, d, y, grey = batch
        d = d.detach().requires_grad_(True)
        total = torch.zeros_like(d)
        for _ in range(self.config.samples if self.config.transforms != "none" else 1):
            with plan.ctx.compute.autocast():
                logits = model(plan.look(x, d, grey, rng))
            # summed, so that an image's step does not depend on its batch mates
            loss = F.cross_entropy(logits.to(plan.ctx.compute.dtype), y, reduction="sum")
            total += torch.autograd.grad(loss, d)[0]
        return total
