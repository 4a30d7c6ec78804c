"""The contract of a method.

A method takes small steps on a state. ``search_loop.py`` repeats them, and the noise at the end is projected
into the budget here, because a method is not trusted to obey it.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar, cast

import torch

from unlearnable import fields
from unlearnable.arguments import instance
from unlearnable.data.image_set import is_small
from unlearnable.data.view import View
from unlearnable.errors import DataError, UsageError
from unlearnable.events import OnProgress, silent
from unlearnable.methods import bank
from unlearnable.methods.checkpoint import Checkpoint
from unlearnable.methods.config import Config, NoiseConfig, rounds_for
from unlearnable.methods.context import Context
from unlearnable.methods.fitted import Fitted
from unlearnable.methods.search_loop import Log, Save, require_resolved, search, stop_reason
from unlearnable.methods.steps import Progress, State, Steps
from unlearnable.noise import Form, Noise

ONE_CLASS = "There is one class only"

C = TypeVar("C", bound=NoiseConfig)


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
    Config: ClassVar[type[NoiseConfig]]
    # raised when the same settings and seed give other noise than before; result files record it
    revision: ClassVar[int] = 1
    # whether the search raises the error on protected images, and stops when it is high enough
    rises: ClassVar[bool] = False
    # Whether several processes may search together (``shared.py``). Not inherited: a hook that a subclass
    # overrides may draw for the images of a batch, or compare them.
    shared: ClassVar[bool] = False

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
        found = {
            "form": "classwise" if self.config.form == "auto" else self.config.form,
            "resolution": size,
            "grid": self.config.grid or size,
        }
        if isinstance(self.config, Config):
            most = self.config.max_rounds
            found["max_rounds"] = rounds_for(count, in_all=self.config.auto_steps) if most == "auto" else most
        return found

    def resolve(self, frame: tuple[int, int], count: int) -> Method[C]:
        """Return this method with every ``auto`` replaced; arguments are those of ``resolved``."""
        return type(self)(self.config.model_copy(update=self.resolved(frame, count)))

    @property
    def most_rounds(self) -> int:
        """Rounds after which a search stops: ``max_rounds``, resolved; 1 without settings of rounds."""
        return int(self.config.max_rounds) if isinstance(self.config, Config) else 1

    @property
    def may_stop_early(self) -> bool:
        """Whether a search may stop before its last round."""
        config = self.config
        return isinstance(config, Config) and bool(config.stop_error or config.patience)

    def stop_reason(self, log: Log) -> str:
        """Return why a search stops after some rounds, or an empty text while it continues.

        Args:
            log: Error after each round, in [0, 1]; None where a round measures none.
        """
        if isinstance(self.config, Config):
            return stop_reason(self.config, log, rises=self.rises)
        return "1 round is done" if log else ""

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
                f"{ONE_CLASS}, so there is nothing to tell it apart from.",
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

    def whole(self, state: State, view: View, ctx: Context) -> torch.Tensor:
        """Return what ``finish`` does; of several processes, the rows of all of them."""
        return self.finish(state)

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
            name
            for name in bank.own_classes(view)
            if not set(assignment.keys(name)) <= set(fitted.noise.keys)
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

    def checkpoint(self, path: Path, identity: dict[str, Any], view: View, ctx: Context) -> Checkpoint:
        """Return the checkpoint of a search.

        Args:
            path: Its file.
            identity: The search.
            view: The images.
            ctx: Device, precision, processes.
        """
        return Checkpoint(path, identity)

    def keys(self, view: View) -> tuple[str, ...]:
        """Return the key of every row of the bank: own ids, or own classes once per pattern."""
        return bank.keys(self.config, view)

    def rows(self, view: View, seed: int = 0) -> torch.Tensor:
        """Return the row of every image, int64 (N,); -1 for context.

        Args:
            view: The images.
            seed: Seed of the run, which decides the pattern of an image where a class has more than one.
        """
        return bank.rows(self.config, self.keys(view), view, seed)

    def to_noise(self, patterns: torch.Tensor, view: View, seed: int) -> Noise:
        """Return patterns, in levels, as noise: projected, rounded, with keys and provenance."""
        return bank.to_noise(self, patterns, view, seed)

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
        state, log, reason = search(self, view, ctx, on_progress, state=state, save=save, every=every)
        noise = self.to_noise(self.whole(state, view, ctx), view, ctx.seed)
        weights = {name: value.detach().cpu() for name, value in self.surrogate(state).items()}
        return Fitted(noise, weights, view.classes, tuple(log), reason)
