"""The contract of a method, and the loop that runs one.

A method takes small steps on a state; everything else is done here, once: rounds, reasons to stop,
checkpoints, progress, and at the end the budget, because a method is not trusted to obey it.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import torch

from unlearnable.budget import Budget
from unlearnable.data.view import View
from unlearnable.errors import DataError
from unlearnable.events import Event, OnProgress, silent
from unlearnable.methods.config import Config, require_resolved, rounds_for, stop_reason
from unlearnable.methods.context import Context
from unlearnable.methods.fitted import Fitted
from unlearnable.noise import Form, Noise
from unlearnable.version import __version__

State = dict[str, Any]  # flat: tensors and numbers only
Save = Callable[[State], None]
CHUNK = 256  # patterns that are rounded at a time


@dataclass(frozen=True)
class Progress:
    """What one step came to.

    Args:
        done: Steps finished in this round.
        total: Steps in a round.
        round_ended: Whether this step ended a round.
        error: At the end of a round: the training error on protected images, in [0, 1]; None if the method
            has none.
        kind: What kind of step it was, one of those that ``visits`` counts.
    """

    done: int
    total: int
    round_ended: bool = False
    error: float | None = None
    kind: str = ""


C = TypeVar("C", bound=Config)


class Method(ABC, Generic[C]):
    """A way of making noise. Subclasses give ``name``, ``Config`` and the steps; the docstring cites paper, section and equation.

    Args:
        config: Frozen settings.
    """

    name: ClassVar[str]
    Config: ClassVar[type[Config]]
    revision: ClassVar[int] = (
        1  # raised when the same settings and seed give other noise than before; result files name it
    )
    first_round: ClassVar[frozenset[str]] = frozenset()  # kinds of steps that only the first round has

    def __init__(self, config: C | None = None, **settings: Any) -> None:
        self.config: C = config if config is not None else self.Config(**settings)  # type: ignore[assignment]

    def resolved(self, frame: tuple[int, int], count: int) -> dict[str, Any]:
        """Return the settings that ``auto`` stands for, given the usual (height, width) of the photos and their number."""
        small = max(frame) <= 40
        size = self.config.resolution if self.config.resolution != "auto" else max(frame) if small else 64
        return {
            "form": "classwise" if self.config.form == "auto" else self.config.form,
            "resolution": size,
            "grid": self.config.grid or size,
            "max_rounds": rounds_for(count) if self.config.max_rounds == "auto" else self.config.max_rounds,
        }

    def resolve(self, frame: tuple[int, int], count: int) -> Method[C]:
        """Return this method with every ``auto`` replaced, once, by what it stands for."""
        return type(self)(self.config.model_copy(update=self.resolved(frame, count)))

    @property
    def zoom(self) -> float:
        """How much larger than the resolution the view must be."""
        return 1.0

    @property
    def form(self) -> Form:
        """The form, resolved."""
        return "samplewise" if self.config.form == "samplewise" else "classwise"

    @abstractmethod
    def start(self, view: View, ctx: Context) -> State:
        """Return the state before the first step."""

    def placed(self, name: str, value: torch.Tensor, ctx: Context) -> torch.Tensor:
        """Return a tensor of the state where the search wants it: on the device."""
        return value.to(ctx.compute.device)

    @abstractmethod
    def advance(self, state: State, view: View, ctx: Context) -> Progress:
        """Take one step of at most a few seconds, changing the state in place."""

    @abstractmethod
    def finish(self, state: State) -> torch.Tensor:
        """Return the noise: (rows, 3, h, w) in levels, one row for each of ``keys(view)``."""

    def surrogate(self, state: State) -> dict[str, torch.Tensor]:
        """Return the weights of the surrogate, or nothing for a method without one."""
        return {}

    def visits(self, count: int) -> dict[str, int]:
        """Return how many images the steps of each kind go over in one round with ``count`` images; nothing if there are no rounds."""
        return {}

    def extend(self, fitted: Fitted, view: View, ctx: Context) -> Noise:
        """Return noise for images that the search has not seen. Class-wise noise needs nothing more than their class."""
        assignment = fitted.noise.assignment
        missing = [
            name for name in _classes(view) if not set(assignment.keys(name)) <= set(fitted.noise.keys)
        ]
        if fitted.noise.form == "classwise" and not missing:
            return fitted.noise
        what = f"class {missing[0]!r}" if fitted.noise.form == "classwise" else "images that were not there"
        raise DataError(
            f"The noise of this run knows nothing of {what}, and {self.name} cannot extend it.",
            "Find the noise anew with --refit.",
        )

    def keys(self, view: View) -> tuple[str, ...]:
        """Return what the rows of the bank belong to: own ids, or own classes, each once for each of its noises."""
        if self.form == "samplewise":
            return tuple(id for id, own in zip(view.ids, view.own, strict=True) if own)
        assignment = self.config.assignment(0)
        return tuple(key for name in _classes(view) for key in assignment.keys(name))

    def rows(self, view: View, seed: int = 0) -> torch.Tensor:
        """Return the row of every image, int64 (N,); -1 for context. ``seed`` is that of the run, for one of several noises per class."""
        index, assignment = (
            {key: row for row, key in enumerate(self.keys(view))},
            self.config.assignment(seed),
        )
        named = zip(view.ids, view.labels, strict=True)
        keys = (
            view.ids
            if self.form == "samplewise"
            else [assignment.key(id, view.classes[label]) for id, label in named]
        )
        return torch.tensor(
            [index.get(key, -1) if own else -1 for key, own in zip(keys, view.own, strict=True)]
        )

    def to_noise(self, patterns: torch.Tensor, view: View, seed: int) -> Noise:
        """Project, round and check patterns in levels, and give them their keys and provenance."""
        budget = Budget(self.config.epsilon)
        bank = np.empty(tuple(patterns.shape), np.int8)
        for start in range(0, len(bank), CHUNK):
            bank[start : start + CHUNK] = budget.round(
                patterns[start : start + CHUNK].detach().cpu().double().numpy()
            )
        digests = tuple(digest for digest, own in zip(view.digests, view.own, strict=True) if own)
        return Noise(
            bank=bank,
            keys=self.keys(view),
            form=self.form,
            budget=budget,
            grid=(self.config.grid, self.config.grid),
            interpolation=self.config.interpolation,
            digests=digests if self.form == "samplewise" else (),
            assignment=self.config.assignment(seed),
            provenance={
                "method": self.name,
                "config": self.config.model_dump(mode="json"),
                "fingerprint": view.fingerprint,
                "version": __version__,
                "seed": seed,
            },
        )

    def fit(
        self,
        view: View,
        ctx: Context,
        on_progress: OnProgress = silent,
        *,
        state: State | None = None,
        save: Save | None = None,
        every: float = 60.0,
    ) -> Fitted:
        """Search for noise.

        Args:
            view: The images, context included, at ``resolution * zoom``.
            ctx: Device, precision, seed.
            on_progress: Told about progress.
            state: A saved state to go on from; None to start.
            save: Called with the state now and then, between two steps.
            every: Seconds between two calls of ``save``, unless saving would then take more than a twentieth
                of the time.

        Returns:
            The noise, inside its budget and on whole levels, with what is needed to extend it.
        """
        require_resolved(self.config)
        if len(view.classes) < 2 and type(self).surrogate is not Method.surrogate:
            raise DataError(
                "There is one class only, so there is nothing to tell it apart from.",
                "Give other classes to stand against with --context.",
            )
        if state is None:
            state = self.start(view, ctx)
        else:  # it was read into memory, wherever it was before
            state = {
                key: self.placed(key, value, ctx) if isinstance(value, torch.Tensor) else value
                for key, value in state.items()
            }
        log: list[float | None] = [None if error < 0 else error for error in state.get("log", [])]
        saved, patience = time.monotonic(), 0.0
        reason = stop_reason(self.config, log)
        while not reason:
            step = self.advance(state, view, ctx)
            text = "" if not log or log[-1] is None else f"round {len(log)}: error {log[-1]:.1%}"
            on_progress(
                Event(
                    "searching",
                    len(log) * step.total + step.done,
                    int(self.config.max_rounds) * step.total,
                    text,
                )
            )
            if step.round_ended:
                log.append(step.error)
                state["log"] = [-1.0 if error is None else error for error in log]
                reason = stop_reason(self.config, log)
            if save is not None and not reason and time.monotonic() - saved > max(every, patience):
                started = time.monotonic()
                save(state)
                saved = time.monotonic()
                patience = 19 * (saved - started) if every > 0 else 0.0
        noise = self.to_noise(self.finish(state), view, ctx.seed)
        return Fitted(
            noise,
            {k: v.detach().cpu() for k, v in self.surrogate(state).items()},
            view.classes,
            tuple(log),
            reason,
        )


def _classes(view: View) -> tuple[str, ...]:
    return tuple(
        sorted({view.classes[label] for label, own in zip(view.labels, view.own, strict=True) if own})
    )
