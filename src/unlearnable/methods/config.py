"""The settings that every method has, the rounds that ``auto`` stands for, and when a search stops."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from unlearnable.assignment import Assignment, Offset
from unlearnable.budget import Budget
from unlearnable.errors import UsageError
from unlearnable.fields import Checked
from unlearnable.lifting import Grey, Interpolation
from unlearnable.words import counted

# ``max_rounds = "auto"``: noise steps on all images together, and the fewest and most on one image
NOISE_STEPS, FEWEST, MOST = 90_000, 60, 300


class Config(Checked):
    """Settings of every method. A configuration is data: the method decides how to act on it.

    Attributes:
        form: One noise per image, or one per class. ``auto`` chooses class-wise noise; `docs/results.md` has
            the measurements.
        epsilon: Largest change of a pixel, in levels of 1/255.
        resolution: Side in pixels of the images that the network gets during the search. ``auto`` is 64 for
            photos, and the images' own size up to 40 px.
        grid: Side of the grid over the frame on which noise lives; 0 for the resolution.
        tile: Side of a pattern smaller than the grid; 0 for one pattern over the whole grid.
        offset: Where a pattern smaller than the grid lies. ``tile`` repeats it over the grid; otherwise it
            appears once, as a patch with nothing around it, in the ``centre`` or at an offset drawn for each
            image by its id (``random``). The search puts it where it will be published. Old name: `place`.
        patterns_per_class: Class-wise only. Patterns per class; every image gets one of them, drawn by its
            id. Old name: `several`.
        interpolation: How the grid is lifted to a photo's own size.
        grey: Noise of grey photos, which is equal in the three channels: the mean over the channels of the
            pattern, as it is (``mean``) or scaled inside the budget to the strength of colour photos
            (``full``).
        min_rounds: Rounds before the search may stop.
        max_rounds: Rounds after which it stops. ``auto`` allows 90,000 noise steps on all images together,
            but at least 60 and at most 300 on each image.
        stop_error: Training error on protected images, in [0, 1], below which it stops; 0 for never.
        patience: Rounds without a lower error after which it stops; 0 for never.
    """

    # strict: "8", 8.0 and True are no whole numbers
    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    form: Literal["auto", "samplewise", "classwise"] = "auto"
    epsilon: int = Field(default=8, ge=1, le=127)
    resolution: Annotated[int, Field(ge=8)] | Literal["auto"] = "auto"
    grid: int = Field(default=0, ge=0)
    tile: int = Field(default=0, ge=0)
    offset: Offset = "tile"
    patterns_per_class: int = Field(default=1, ge=1)
    interpolation: Interpolation = "bilinear"
    grey: Grey = "full"
    min_rounds: int = Field(default=1, ge=1)
    max_rounds: Annotated[int, Field(ge=1)] | Literal["auto"] = 1
    stop_error: float = Field(default=0.01, ge=0, le=1)
    patience: int = Field(default=0, ge=0)

    @property
    def budget(self) -> Budget:
        """The budget of the noise, in levels."""
        return Budget(self.epsilon)

    @property
    def side(self) -> int:
        """Side of a pattern, in pixels of the grid."""
        return self.tile or self.grid

    @property
    def earliest_stop(self) -> int:
        """Rounds before the search may stop by its error."""
        return self.min_rounds

    def assignment(self, seed: int) -> Assignment:
        """Return the assignment of patterns and offsets to images in a run with this seed.

        The search and the published files use the same assignment.
        """
        patterns = 1 if self.form == "samplewise" else self.patterns_per_class
        offset: Offset = self.offset if self.side < self.grid else "tile"
        # the seed is left out where nothing is drawn, so that noise of two seeds can be joined
        drawn = patterns > 1 or offset == "random"
        return Assignment(patterns_per_class=patterns, offset=offset, seed=seed if drawn else 0)


def rounds_for(count: int, steps: int = 1) -> int:
    """Return the rounds that ``auto`` stands for with ``count`` images and ``steps`` noise steps a round.

    A search on fewer photos goes over each of them more often.
    """
    return max(1, round(min(MOST, max(FEWEST, NOISE_STEPS / count)) / steps))


def stop_reason(config: Config, log: list[float | None], *, rises: bool = False) -> str:
    """Return why a search stops after the rounds in ``log``, or an empty text while it continues.

    Args:
        config: The settings, resolved.
        log: Error after each round, in [0, 1]; None where a round measures none.
        rises: Whether the method raises the error: it then stops when the error is high enough.
    """
    errors = [error for error in log if error is not None]
    if len(log) >= config.earliest_stop and errors:
        if rises and errors[-1] >= config.stop_error:
            return f"the error, {errors[-1]:.1%}, has reached {config.stop_error:.1%}"
        if not rises and errors[-1] < config.stop_error:
            return f"the error, {errors[-1]:.1%}, is below {config.stop_error:.1%}"
        costs = [-error for error in errors] if rises else errors
        if (
            config.patience
            and len(costs) > config.patience
            and min(costs[-config.patience :]) >= min(costs[: -config.patience])
        ):
            return f"the error has not {'risen' if rises else 'fallen'} for {config.patience} rounds"
    most = int(config.max_rounds)
    return f"{counted(most, 'round', 'is')} done" if len(log) >= most else ""


def require_resolved(config: Config) -> None:
    """Raise UsageError if a setting is still ``auto``."""
    if "auto" in (config.form, config.resolution, config.max_rounds) or not config.grid:
        raise UsageError(
            "A setting is still auto.",
            "Call un.fit(images, method), or method.resolve(...) before method.fit.",
        )
