"""The contract of a method, and the loop that runs it.

A method takes small steps on a state. Everything else happens here, once: rounds, reasons to stop,
checkpoints, progress, and at the end the budget, because a method is not trusted to obey it.
"""

from __future__ import annotations

import inspect
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar, Concatenate, Generic, ParamSpec, TypeVar, cast

import numpy as np
import torch

from unlearnable import fields
from unlearnable.arguments import instance, shown
from unlearnable.data.image_set import is_small
from unlearnable.data.view import View
from unlearnable.errors import DataError, UnlearnableError, UsageError
from unlearnable.events import Event, OnProgress, silent
from unlearnable.methods.config import Config, require_resolved, rounds_for, stop_reason
from unlearnable.methods.context import Context
from unlearnable.methods.fitted import Fitted
from unlearnable.methods.steps import Progress, State, Steps
from unlearnable.noise import Form, Noise
from unlearnable.version import __version__

Save = Callable[[State], None]
CHUNK = 256  # patterns that are rounded at a time


C = TypeVar("C", bound=Config)
P = ParamSpec("P")


def takes(
    config: Callable[P, Config],
) -> Callable[[Callable[..., None]], Callable[Concatenate[Any, P], None]]:
    """Give the ``__init__`` of a method the settings of its configuration, for editors and type checkers.

    It replaces ``def __init__(self, **settings): ...``, which has no body of its own. A method without it
    takes the same settings, unchecked until it is called.

    Args:
        config: The class of the configuration.
    """

    def typed(init: Callable[..., None]) -> Callable[Concatenate[Any, P], None]:
        @wraps(init)
        def given(self: Any, config: Any = None, **settings: Any) -> None:
            Method.__init__(self, config, **settings)

        return cast(Callable[Concatenate[Any, P], None], given)

    return typed


class Method(ABC, Generic[C]):
    """A way of making noise.

    A subclass gives ``name``, ``Config`` and the steps; its docstring cites paper, section and equation.

    Args:
        config: Frozen settings, or None for the settings given by name.
        settings: Settings by name: fields of ``Config``.

    Raises:
        UsageError: If a setting is unknown, or a value is of another type or out of range.
    """

    name: ClassVar[str]
    Config: ClassVar[type[Config]]
    # raised when the same settings and seed give other noise than before; result files record it
    revision: ClassVar[int] = 1
    # whether the search raises the error on protected images, and stops when it is high enough
    rises: ClassVar[bool] = False

    def __init__(self, config: C | None = None, **settings: Any) -> None:
        if config is not None and settings:
            raise UsageError("A configuration and settings are both given.", "Give one of them.")
        if config is None:
            config = cast(C, self.Config.model_validate(settings, context={"name": self.name}))
        need = f"of type {self.Config.__name__}"
        remedy = f'Give settings by name, such as {type(self).__name__}(form="samplewise").'
        self.config: C = cast(C, instance("config", config, self.Config, need, remedy))

    def __init_subclass__(cls, **more: Any) -> None:
        """Show the settings in ``help()`` and in editors that run the code, such as notebooks."""
        super().__init_subclass__(**more)
        if hasattr(cls, "Config"):
            cls.__signature__ = fields.signature(cls.Config)  # type: ignore[attr-defined]
            if cls.__doc__:
                cls.__doc__ = f"{inspect.cleandoc(cls.__doc__)}\n\n{fields.table(cls.Config)}\n"

    def resolved(self, frame: tuple[int, int], count: int) -> dict[str, Any]:
        """Return the settings that ``auto`` stands for.

        Args:
            frame: Usual (height, width) of the photos.
            count: Number of photos.
        """
        usual = max(frame) if is_small(frame) else 64
        size = usual if self.config.resolution == "auto" else self.config.resolution
        return {
            "form": "classwise" if self.config.form == "auto" else self.config.form,
            "resolution": size,
            "grid": self.config.grid or size,
            "max_rounds": rounds_for(count) if self.config.max_rounds == "auto" else self.config.max_rounds,
        }

    def resolve(self, frame: tuple[int, int], count: int) -> Method[C]:
        """Return this method with every ``auto`` replaced; arguments are those of ``resolved``."""
        return type(self)(self.config.model_copy(update=self.resolved(frame, count)))

    @property
    def tells_classes_apart(self) -> bool:
        """Whether the search needs two classes or more, own or context: one with a trained surrogate does."""
        return type(self).surrogate is not Method.surrogate

    def require_classes(self, count: int) -> None:
        """Refuse images of a single class if the search needs more.

        Raises:
            DataError: If it does.
        """
        if count < 2 and self.tells_classes_apart:
            raise DataError(
                "There is one class only, so there is nothing to tell it apart from.",
                "Add other classes with --context FOLDER, or use --method feature_shift or textures.",
            )

    @property
    def zoom(self) -> float:
        """How much larger than the resolution the view must be."""
        return 1.0

    @property
    def form(self) -> Form:
        """The form of the noise, resolved."""
        return "samplewise" if self.config.form == "samplewise" else "classwise"

    @abstractmethod
    def start(self, view: View, ctx: Context) -> State:
        """Return the state before the first step."""

    def to_device(self, name: str, value: torch.Tensor, ctx: Context) -> torch.Tensor:
        """Return a tensor of the state on the device, or wherever the search needs it."""
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

    def round_steps(self, number: int, images: int, moving: int | None = None) -> tuple[Steps, ...]:
        """Return the steps of a round, in order; nothing for a method without rounds.

        Args:
            number: Number of the round, from 0.
            images: Number of images, context included.
            moving: Number of images whose noise the round moves; by default what the settings ask for.
        """
        return ()

    def brief(self) -> Method[C]:
        """Return this method with fewer steps in a round, each as long as its own, for estimates of time."""
        return self

    def extend(self, fitted: Fitted, view: View, ctx: Context) -> Noise:
        """Return noise for images that the search has not seen. Class-wise noise needs only their class.

        A method without a surrogate makes sample-wise noise for them as for the others, from their own
        pixels. Override this for noise that depends on more.

        Raises:
            DataError: If the noise does not cover a class, or the method cannot make noise for one image.
        """
        assignment = fitted.noise.assignment
        missing = [
            name for name in _classes(view) if not set(assignment.keys(name)) <= set(fitted.noise.keys)
        ]
        if fitted.noise.form == "classwise" and not missing:
            return fitted.noise
        if self.form == "samplewise" and type(self).surrogate is Method.surrogate:
            return self.fit(view, ctx).noise
        what = f"class {missing[0]!r}" if fitted.noise.form == "classwise" else "images that came later"
        raise DataError(
            f"The noise of this run does not cover {what}, and {self.name} cannot extend it.",
            "Find new noise with `unlearnable protect --refit`.",
        )

    def keys(self, view: View) -> tuple[str, ...]:
        """Return the key of every row of the bank: own ids, or own classes once per pattern."""
        if self.form == "samplewise":
            return tuple(id for id, own in zip(view.ids, view.own, strict=True) if own)
        assignment = self.config.assignment(0)
        return tuple(key for name in _classes(view) for key in assignment.keys(name))

    def rows(self, view: View, seed: int = 0) -> torch.Tensor:
        """Return the row of every image, int64 (N,); -1 for context.

        Args:
            view: The images.
            seed: Seed of the run, which decides the pattern of an image where a class has more than one.
        """
        assignment = self.config.assignment(seed)
        keys = view.ids
        if self.form == "classwise":
            named = zip(view.ids, view.labels, strict=True)
            keys = tuple(assignment.key(id, view.classes[label]) for id, label in named)
        row = {key: row for row, key in enumerate(self.keys(view))}
        own = zip(keys, view.own, strict=True)
        return torch.tensor([row.get(key, -1) if is_own else -1 for key, is_own in own])

    def to_noise(self, patterns: torch.Tensor, view: View, seed: int) -> Noise:
        """Return patterns, in levels, as noise: projected, rounded, with keys and provenance."""
        if not isinstance(patterns, torch.Tensor) or patterns.ndim != 4:
            raise UnlearnableError(
                f"The noise of {self.name} is {shown(patterns)}, but must be a tensor (rows, 3, h, w).",
                "Correct what its `finish` returns.",
            )
        budget = self.config.budget
        bank = np.empty(tuple(patterns.shape), np.int8)
        for start in range(0, len(bank), CHUNK):
            chunk = patterns[start : start + CHUNK].detach().cpu().double().numpy()
            bank[start : start + CHUNK] = budget.round(chunk)
        digests = tuple(digest for digest, own in zip(view.digests, view.own, strict=True) if own)
        classes = (view.classes[label] for label, own in zip(view.labels, view.own, strict=True) if own)
        return Noise(
            bank=bank,
            keys=self.keys(view),
            form=self.form,
            budget=budget,
            grid=(self.config.grid, self.config.grid),
            interpolation=self.config.interpolation,
            grey=self.config.grey,
            digests=digests if self.form == "samplewise" else (),
            classes=tuple(classes) if self.form == "samplewise" else (),
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
            on_progress: Called with an event after every step.
            state: A saved state to resume from; None to start.
            save: Called with the state now and then, between two steps.
            every: Seconds between two calls of ``save``, unless saving would then take more than a twentieth
                of the time.

        Returns:
            The noise, inside its budget and on whole levels, with everything needed to extend it.

        Raises:
            DataError: If there is only one class and the method tells classes apart.
            UsageError: If a setting is still ``auto``.
        """
        require_resolved(self.config)
        # so that the same images give the same noise, in whatever order their source has them
        view = view.in_order_of_ids()
        self.require_classes(len(view.classes))
        if state is None:
            state = self.start(view, ctx)
        else:
            # a checkpoint is read into memory, wherever its tensors were before
            state = {
                key: self.to_device(key, value, ctx) if isinstance(value, torch.Tensor) else value
                for key, value in state.items()
            }
        log: list[float | None] = [None if error < 0 else error for error in state.get("log", [])]
        saved, patience = time.monotonic(), 0.0
        reason = stop_reason(self.config, log, rises=self.rises)
        while not reason:
            remedy = f"Correct what {self.name}.advance returns."
            step = instance("A step", self.advance(state, view, ctx), Progress, "a Progress", remedy)
            text = "" if not log or log[-1] is None else f"round {len(log)}: error {log[-1]:.1%}"
            done, total = len(log) * step.total + step.done, int(self.config.max_rounds) * step.total
            on_progress(Event("searching", done, total, text))
            if step.round_ended:
                log.append(step.error)
                state["log"] = [-1.0 if error is None else error for error in log]
                reason = stop_reason(self.config, log, rises=self.rises)
            if save is not None and not reason and time.monotonic() - saved > max(every, patience):
                started = time.monotonic()
                save(state)
                saved = time.monotonic()
                patience = 19 * (saved - started) if every > 0 else 0.0
        noise = self.to_noise(self.finish(state), view, ctx.seed)
        weights = {name: value.detach().cpu() for name, value in self.surrogate(state).items()}
        return Fitted(noise, weights, view.classes, tuple(log), reason)


def _classes(view: View) -> tuple[str, ...]:
    return tuple(
        sorted({view.classes[label] for label, own in zip(view.labels, view.own, strict=True) if own})
    )
