"""Noise that moves the features of pretrained networks: away from an image's own class, towards another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import nn

from unlearnable.data.view import View
from unlearnable.methods.by_surrogate import BySurrogate
from unlearnable.methods.config import Config
from unlearnable.methods.context import Context
from unlearnable.methods.feature_centres import Centres, backbones_on, scrambled
from unlearnable.methods.fitted import Fitted
from unlearnable.methods.pretrained_surrogates import PretrainedConfig, resolved
from unlearnable.methods.registry import register
from unlearnable.methods.search_plan import NoiseStep, SearchPlan
from unlearnable.methods.steps import State, Steps
from unlearnable.methods.typed_settings import takes
from unlearnable.models import starts
from unlearnable.training.transforms import Draw

# Defaults where a network is a recogniser of faces: the size of its crops, a grid that survives another
# alignment, and the views that noise needs to reach networks outside the search.
AGAINST_RECOGNISERS: Mapping[str, Any] = {
    "form": "samplewise",
    "resolution": 112,
    "grid": 56,
    "zoom": 1.0,
    "transforms": "aligned",
    "countermeasures": "none|jpeg:75|blur|shrink:2",
    "step_schedule": "cosine",
}


class FeatureShiftConfig(PretrainedConfig):
    """Settings of feature_shift.

    Attributes:
        surrogate: The pretrained networks whose features the noise moves: ``pretrained:NETWORK`` for
            published weights (`docs/pretrained.md`), ``NETWORK=FILE`` for a file of weights, and
            ``recogniser=FILE.onnx`` for a recogniser of faces (`docs/faces.md`), with which other settings
            have other defaults. Several are joined with ``+``, and their losses are summed. Nothing is
            downloaded.
        away: Weight of the cosine to the centre of the own class, beside that to the other one.
        late_step_size: Length of a sign step in the second half of the rounds, in levels, where
            ``step_schedule`` is ``constant``.
        steps: Sign steps per batch and round.
        momentum: Share of the earlier gradients of a noise that its next step adds, after scaling each to
            a mean absolute value of 1; 0 for none.
        max_rounds: Rounds. Every image is in one batch of each.
        stop_error: Share of the protected images, in [0, 1], whose features are closer to the centre of
            another class than to that of their own, at which the search stops.
    """

    away: float = Field(default=0.5, ge=0)
    steps: int = Field(default=1, ge=1)
    step_size: float = Field(default=2.0, gt=0)
    late_step_size: float = Field(default=0.8, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    batch: int = Field(default=32, ge=2)
    min_rounds: int = Field(default=30, ge=1)
    max_rounds: Annotated[int, Field(ge=1)] | Literal["auto"] = 30
    stop_error: float = Field(default=1.0, ge=0, le=1)

    @model_validator(mode="before")
    @classmethod
    def _against_recognisers(cls, given: Any) -> Any:
        """Fill in the settings that recognisers of faces need."""
        spec = given.get("surrogate") if isinstance(given, Mapping) else None
        if isinstance(spec, str) and f"{starts.RECOGNISER}=" in spec:
            return {**AGAINST_RECOGNISERS, **given}
        return given


@register
class FeatureShift(BySurrogate[FeatureShiftConfig]):
    """Noise that moves the features of pretrained networks, against trainers who fine-tune one.

    For an image x of class y, networks f with features z = f(t(x + d)) less their mean over the clean images,
    and the centres c of the classes, also less that mean, sign steps lower

        sum over f of -cos(z, c[y + 1]) + away cos(z, c[y])

    under random crops and flips t. The networks are frozen. The targeted form follows the poisons of Fowl et
    al. (Adversarial Examples Make Strong Poisons, NeurIPS 2021, Section 3), on features instead of logits.

    A single class has no other centre to move to. Its images with their tiles in random order then stand in
    for another class. They lie among the features of real images, so noise reaches them; in small trials it
    misled the network of the search more than noise towards a direction drawn at random.

    Faces follow Fawkes (Shan et al., USENIX Security 2020, Section 4) in moving each photo towards another
    person in the features of recognisers. Here all photos of a person move towards the same other person, and
    every step sees another alignment and another view of the photo.
    """

    name: ClassVar[str] = "feature_shift"
    rises: ClassVar[bool] = True
    Config: ClassVar[type[Config]] = FeatureShiftConfig

    @takes(FeatureShiftConfig)
    def __init__(self, **settings: Any) -> None: ...

    @property
    def tells_classes_apart(self) -> bool:
        """Whether the search needs two classes or more: it does not."""
        return False

    def resolved(self, frame: tuple[int, int], count: int) -> dict[str, Any]:
        """Return the settings that ``auto`` stands for; the digests of the weights are among them."""
        return resolved(self.config, super().resolved(frame, count), frame)

    def surrogate_batches(self, per_epoch: int) -> int:
        """Return 0: nothing trains."""
        return 0

    def round_steps(self, number: int, images: int, moving: int | None = None) -> tuple[Steps, ...]:
        """Return the steps of a round: the first one measures the centres, and every one moves."""
        move = self.noise_steps(images, moving)
        return (move,) if number else (Steps(self.centre, images, -(-images // self.config.batch)), move)

    def start(self, view: View, ctx: Context) -> State:
        """Return the state before the first round: initial noise, and no centres yet."""
        networks = self._networks(ctx)
        state: State = {"noise": self.initial(view, ctx), "round": 0, "step": 0, "error": -1.0}
        rows, size = max(2, len(view.classes)), int(self.config.resolution)
        centres = Centres.empty(networks, rows, size, ctx.compute)
        return state | self._fresh(state["noise"], ctx) | centres

    def _fresh(self, noise: torch.Tensor, ctx: Context) -> State:
        """The entries of a state that every search begins with."""
        tally = torch.zeros(2, device=ctx.compute.device, dtype=torch.int64)
        return {"tally": tally} | ({"velocity": torch.zeros_like(noise)} if self.config.momentum else {})

    def to_device(self, name: str, value: torch.Tensor, ctx: Context) -> torch.Tensor:
        """Return a tensor of the state on the device; gradients of the past are where their noise is."""
        return super().to_device("noise" if name == "velocity" else name, value, ctx)

    def _networks(self, ctx: Context) -> list[nn.Module]:
        return ctx.keep("networks", self, lambda: backbones_on(self.config, ctx.compute))

    def frozen(self, plan: SearchPlan, state: State) -> Centres:
        """Return the networks with the centres of the classes."""
        return Centres(self._networks(plan.ctx), state, len(plan.classes))

    def centre(self, plan: SearchPlan, state: State, number: int) -> None:
        """Add the features of batch ``number`` of the clean images to those of their classes."""
        batch = plan.batch_of(torch.split(plan.everyone, plan.batch)[number])
        clean = plan.ctx.compute.send(torch.zeros(len(batch.x), 3, self.config.side, self.config.side))
        x, y = plan.show(batch, clean, None), batch.y
        if len(plan.classes) == 1:
            x = torch.cat([x, scrambled(x, plan.ctx.rng("scrambled", number))])
            y = torch.cat([y, y + 1])
        self.frozen(plan, state).add(plan.logits, x, y)

    def noise_loss(self, step: NoiseStep, d: torch.Tensor) -> torch.Tensor:
        """Return the loss of the class, summed over images and networks."""
        assert isinstance(step.model, Centres)
        return step.model.loss(step.plan.logits, step.show(d), step.batch.y, self.config.away)

    def _gradient(self, step: NoiseStep, d: torch.Tensor, draws: list[Draw | None]) -> torch.Tensor:
        """The gradient of a noise: scaled, averaged over the images of a class, and added to earlier ones."""
        assert isinstance(step.model, Centres)
        found, rows = self.scaled_gradient(step, d, draws), step.batch.rows
        # images that share a row of noise share its gradient
        same = (rows[:, None] == rows).to(found.dtype)
        found = ((same / same.sum(1, keepdim=True)) @ found.flatten(1)).view_as(found)
        if self.config.momentum:
            velocity: torch.Tensor = step.model.state["velocity"]
            rows = rows.to(velocity.device)
            found = found + self.config.momentum * velocity[rows].to(found)
            velocity[rows] = found.to(velocity)
        return found

    def scaled_gradient(self, step: NoiseStep, d: torch.Tensor, draws: list[Draw | None]) -> torch.Tensor:
        """Return the gradient of the noise loss, each image's with a mean absolute value of 1."""
        found = super()._gradient(step, d, draws)
        return found / found.abs().mean((1, 2, 3), keepdim=True).clamp_min(1e-30)

    def step_length(self, round: int, rounds: int) -> float:
        """Return the length of a sign step, in levels, in one round out of ``rounds``."""
        late = self.config.step_schedule == "constant" and 2 * round >= rounds
        return self.config.late_step_size if late else super().step_length(round, rounds)

    def ended(self, plan: SearchPlan, state: State) -> None:
        """Record the share of the images, as the noise steps of the round saw them, that left their class."""
        left, seen = state["tally"].tolist()
        state["error"] = left / max(1, seen)
        state["tally"].zero_()

    def surrogate(self, state: State) -> dict[str, torch.Tensor]:
        """Return the sums of the features of each class, from which the centres are made."""
        return {name: value for name, value in state.items() if Centres.holds(name)}

    @property
    def extension_rounds(self) -> int:
        """Rounds of the noise of a photo that came later: those of the search."""
        return int(self.config.max_rounds)

    def extension(self, fitted: Fitted, view: View, ctx: Context) -> State:
        """Return the state before the first round of photos that came later, with the centres found."""
        noise = self._no_noise(view, ctx)
        centres = {name: self.to_device(name, value, ctx) for name, value in fitted.surrogate.items()}
        return {"noise": noise, "round": 0, **self._fresh(noise, ctx), **centres}
