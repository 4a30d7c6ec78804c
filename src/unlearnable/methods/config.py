"""The settings that every method has, what ``auto`` rounds are, and when a search stops."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from unlearnable.assignment import Assignment, Place
from unlearnable.lifting import Interpolation

# ``max_rounds = "auto"``: noise steps on all images together, and the fewest and most on one image
LOOKS, LEAST, MOST = 90_000, 60, 300


class Config(BaseModel):
    """What every method has settings for.

    Attributes:
        form: One noise per image, or one per class. ``auto`` is class-wise; `docs/results.md` has the
            measurements.
        epsilon: Largest change of a pixel, in levels of 1/255.
        resolution: Side in pixels that a network sees during the search; ``auto`` is 64 for photos, the own
            size of images up to 40 px.
        grid: Side of the grid over the frame on which noise lives; 0 for the resolution.
        tile: Side of a pattern smaller than the grid; 0 for one pattern over the whole grid.
        place: Where such a pattern lies: ``tile``, repeated over the grid, or once, a patch with nothing
            around it, in the ``centre`` or at a place of the image's own, drawn by its id (``random``). The
            search sees it where it will be published.
        several: Class-wise: noises per class, of which every image gets one, drawn by its id.
        interpolation: How the grid is lifted to a photo's own size.
        min_rounds: Rounds before the search may stop.
        max_rounds: Rounds after which it stops; ``auto`` is enough for 90,000 noise steps, at least 60 and at
            most 300 for an image.
        stop_error: Training error on protected images, in [0, 1], below which it stops; 0 for never.
        patience: Rounds without a lower error after which it stops; 0 for never.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    form: Literal["auto", "samplewise", "classwise"] = "auto"
    epsilon: int = Field(8, ge=1, le=127)
    resolution: Annotated[int, Field(ge=8)] | Literal["auto"] = "auto"
    grid: int = Field(0, ge=0)
    tile: int = Field(0, ge=0)
    place: Place = "tile"
    several: int = Field(1, ge=1)
    interpolation: Interpolation = "bilinear"
    min_rounds: int = Field(1, ge=1)
    max_rounds: Annotated[int, Field(ge=1)] | Literal["auto"] = 1
    stop_error: float = Field(0.01, ge=0, le=1)
    patience: int = Field(0, ge=0)

    rises: ClassVar[bool] = (
        # whether the search is to raise the error on protected images, and stops at one that is high enough
        False
    )

    @property
    def side(self) -> int:
        """Side of a pattern, in pixels of the grid."""
        return self.tile or self.grid

    def assignment(self, seed: int) -> Assignment:
        """Return which image gets which pattern, and where, in a run with this seed: in the search and when it is published."""
        several = 1 if self.form == "samplewise" else self.several
        place: Place = self.place if self.side < self.grid else "tile"
        return Assignment(several=several, place=place, seed=seed if several > 1 or place == "random" else 0)


def rounds_for(count: int, steps: int = 1) -> int:
    """Return the number of rounds that ``auto`` stands for, ``steps`` noise steps in each: fewer photos are gone over more often."""
    return max(1, round(min(MOST, max(LEAST, LOOKS / count)) / steps))


def stop_reason(config: Config, log: list[float | None]) -> str:
    """Say why a search stops after the rounds in ``log``; empty while it goes on."""
    errors = [error for error in log if error is not None]
    if len(log) >= config.min_rounds and errors:
        if config.rises and errors[-1] >= config.stop_error:
            return f"the error, {errors[-1]:.1%}, has reached {config.stop_error:.1%}"
        if not config.rises and errors[-1] < config.stop_error:
            return f"the error, {errors[-1]:.1%}, is below {config.stop_error:.1%}"
        costs = [-error for error in errors] if config.rises else errors
        if (
            config.patience
            and len(costs) > config.patience
            and min(costs[-config.patience :]) >= min(costs[: -config.patience])
        ):
            return f"the error has not {'risen' if config.rises else 'fallen'} for {config.patience} rounds"
    done = "1 round is" if config.max_rounds == 1 else f"{config.max_rounds} rounds are"
    return f"{done} done" if len(log) >= int(config.max_rounds) else ""


def require_resolved(config: Config) -> None:
    """Refuse settings of which one is still ``auto``."""
    if "auto" in (config.form, config.resolution, config.max_rounds) or not config.grid:
        raise ValueError("Call resolve() first, so that every setting has a value.")
