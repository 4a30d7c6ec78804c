"""Everything around a search: the device, named draws, and the surrogate whose tensors are in the state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import nn

from unlearnable.data.view import View
from unlearnable.methods.pretrained_surrogates import build
from unlearnable.training import partition
from unlearnable.training.compute import Compute
from unlearnable.training.frozen import freeze
from unlearnable.training.randomness import generator, seeded
from unlearnable.training.ranks import ALONE, Ranks
from unlearnable.training.recipe import Recipe
from unlearnable.training.whole_batch import share

T = TypeVar("T")


@dataclass
class Surrogate:
    """A model and its optimiser.

    Every tensor of the two is also an entry of the state, so that saving the state saves them.
    """

    model: nn.Module
    optimizer: torch.optim.SGD


@dataclass
class Context:
    """The surroundings of a search.

    Args:
        seed: The seed from which every draw is derived.
        compute: Device and precision.
        ranks: The processes that search together.
    """

    seed: int
    compute: Compute = field(default_factory=Compute)
    ranks: Ranks = ALONE
    _bound: tuple[dict[str, Any], Surrogate] | None = field(default=None, repr=False)
    _cached: dict[str, tuple[Any, Any]] = field(default_factory=dict, repr=False)

    def rng(self, *names: str | int) -> torch.Generator:
        """Return a fresh generator for draws that belong to ``names``, such as ``rng("order", epoch)``.

        The same names give the same draws, whatever was drawn before, so a checkpoint holds no generators.
        """
        return generator(self.seed, *names)

    def model(self, spec: str, classes: int, number: int = 0) -> nn.Module:
        """Return a model on the device, initialised from the seed and, after the first, a number.

        A network with weights starts from them.
        """
        with seeded(self.seed, "surrogate", *([number] if number else [])):
            return self.compute.to_device(build(spec, classes))

    def surrogate(self, state: dict[str, Any], spec: str, classes: int, recipe: Recipe) -> Surrogate:
        """Return the surrogate whose tensors are in a state; a new one if there is none."""
        if self._bound is not None and self._bound[0] is state:
            return self._bound[1]
        model = self.model(spec, classes)
        if self.ranks.several:
            share(model, self.ranks)
        saved = {
            key.removeprefix("model."): value for key, value in state.items() if key.startswith("model.")
        }
        if saved:
            model.load_state_dict(saved)
        optimizer = recipe.optimizer(model)
        # SGD makes its momentum at the first step; made here, it is part of the state from the beginning
        for name, parameter in model.named_parameters():
            momentum = torch.zeros_like(parameter)
            if saved:
                momentum.copy_(state[f"momentum.{name}"])
            optimizer.state[parameter]["momentum_buffer"] = state[f"momentum.{name}"] = momentum
        state.update({f"model.{name}": value for name, value in model.state_dict().items()})
        self._bound = (state, Surrogate(model, optimizer))
        return self._bound[1]

    def frozen(self, model: nn.Module) -> nn.Module:
        """Return a copy of a model for noise steps: in eval mode, with a gradient to its input only."""
        return freeze(model, self.compute)

    def renew(self, state: dict[str, Any], spec: str, classes: int, number: int) -> None:
        """Replace the surrogate of a state, in place, by an untrained one drawn for a number."""
        with torch.no_grad():
            for name, value in self.model(spec, classes, number).state_dict().items():
                state[f"model.{name}"].copy_(value)
            for key, value in state.items():
                if key.startswith("momentum."):
                    value.zero_()

    def mine(self, view: View) -> torch.Tensor | None:
        """Return which images this process owns, bool (N,); None if it is alone."""
        if not self.ranks.several:
            return None
        return self.keep("mine", view, lambda: partition.owned(view.ids, self.ranks.rank, self.ranks.count))

    def keep(self, name: str, owner: Any, make: Callable[[], T]) -> T:
        """Return the cached result of ``make`` for an ``owner``; the cache holds one owner per name."""
        # by identity: comparing two sets of images would take longer than ``make``
        if name not in self._cached or self._cached[name][0] is not owner:
            self._cached[name] = (owner, make())
        cached: T = self._cached[name][1]
        return cached
