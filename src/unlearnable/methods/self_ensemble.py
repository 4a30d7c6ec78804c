"""Self-ensemble protection (SEP): targeted noise against the checkpoints of one training."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any, ClassVar, Literal

from pydantic import Field
from torch import nn

from unlearnable.data.view import View
from unlearnable.methods.config import Config
from unlearnable.methods.context import Context
from unlearnable.methods.error_maximizing import ErrorMaximizing, ErrorMaximizingConfig
from unlearnable.methods.fitted import Fitted
from unlearnable.methods.registry import register
from unlearnable.methods.search_plan import SearchPlan
from unlearnable.methods.steps import State
from unlearnable.methods.typed_settings import takes
from unlearnable.training.frozen import freeze

PREFIX = "checkpoint"


class SelfEnsembleConfig(ErrorMaximizingConfig):
    """Settings of self_ensemble.

    Attributes:
        pretrain_epochs: Epochs of the surrogate on the clean images, at a rate that falls to zero. The paper:
            120.
        checkpoints: Checkpoints of that training, equally far apart, the last one at its end. The paper: 30.
            A search holds all of them in memory.
        target: ``next`` (the paper) lowers the loss of another class, which ``shift`` chooses; ``none``
            raises the loss of the image's class.
        shift: With ``target = "next"``: the other class is (label + shift) mod classes; 0 for half of the
            classes (the paper).
        steps: Sign steps per batch.
        max_rounds: Rounds of that many steps.
        stop_error: Error of the surrogate on protected images, in [0, 1], at which the search stops; 1 for
            never (the paper).
    """

    checkpoints: int = Field(default=5, ge=1)
    target: Literal["none", "next"] = "next"
    shift: int = Field(default=0, ge=0)
    steps: int = Field(default=30, ge=1)
    step_size: float = Field(default=0.5, gt=0)
    max_rounds: int = Field(default=1, ge=1)
    stop_error: float = Field(default=1.0, ge=0, le=1)


@register
class SelfEnsemble(ErrorMaximizing):
    """Self-ensemble protection (SEP; Chen et al., ICLR 2023): targeted, against checkpoints of one training.

    "Self-Ensemble Protection: Training Checkpoints Are Good Data Protectors", arXiv:2211.12005,
    without feature alignment and variance reduction (FA, VR). A step lowers the mean loss of n checkpoints of
    one training on clean images:

        d <- project(d - length * sign(mean over i of the gradient in d of L(f_i(x + d), g(y))))

    where g(y) is the class half of the classes further. Departures from the authors' code: batches of
    ``batch`` images, and those of error_minimizing.
    """

    name: ClassVar[str] = "self_ensemble"
    Config: ClassVar[type[Config]] = SelfEnsembleConfig
    config: SelfEnsembleConfig

    @takes(SelfEnsembleConfig)
    def __init__(self, **settings: Any) -> None: ...

    def train(self, plan: SearchPlan, state: State, number: int) -> None:
        """Train the surrogate on batch ``number``, and save a checkpoint if one is due."""
        super().train(plan, state, number)
        count = min(self.config.checkpoints, plan.train_batches)
        due = [round(plan.train_batches * (one + 1) / count) for one in range(count)]
        if number + 1 in due:
            weights = plan.surrogate(state).model.state_dict()
            saved = {name: value.clone() for name, value in weights.items()}
            state |= {f"{PREFIX}{due.index(number + 1)}.{name}": value for name, value in saved.items()}

    @property
    def fewest_epochs(self) -> float:
        """Epochs in which every checkpoint has a batch of its own: a step takes as long as there are many."""
        return max(super().fewest_epochs, float(self.config.checkpoints))

    def frozen(self, plan: SearchPlan, state: State) -> nn.Module:
        """Return the checkpoints, whose gradients a step averages."""
        return plan.ctx.keep(PREFIX, state, lambda: self._checkpoints(plan, state))

    def _checkpoints(self, plan: SearchPlan, state: State) -> nn.ModuleList:
        saved = _of_checkpoints(state)
        found = []
        for number in sorted({int(key.partition(".")[0].removeprefix(PREFIX)) for key in saved}):
            start = f"{PREFIX}{number}."
            model = copy.deepcopy(plan.surrogate(state).model)
            model.load_state_dict(
                {key.removeprefix(start): value for key, value in saved.items() if key.startswith(start)}
            )
            found.append(freeze(model, plan.ctx.compute))
        return nn.ModuleList(found)

    def surrogate(self, state: State) -> State:
        """Return the weights of the surrogate and of its checkpoints."""
        return {**super().surrogate(state), **_of_checkpoints(state)}

    def extension(self, fitted: Fitted, view: View, ctx: Context) -> State:
        """Return the state before the first round of photos that came later, with the checkpoints."""
        saved = _of_checkpoints(fitted.surrogate)
        last = {name: value for name, value in fitted.surrogate.items() if name not in saved}
        return {**super().extension(replace(fitted, surrogate=last), view, ctx), **saved}


def _of_checkpoints(tensors: State) -> State:
    # a weight of the surrogate itself may be called anything, so a number has to follow
    return {
        key: one
        for key, one in tensors.items()
        if key.partition(".")[0].removeprefix(PREFIX).isdecimal() and key.startswith(PREFIX)
    }
