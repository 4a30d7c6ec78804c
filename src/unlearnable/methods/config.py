"""The settings that every method has, what ``auto`` rounds are, and when a search stops."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from unlearnable.lifting import Interpolation

# ``max_rounds = "auto"``: images that all rounds together go over, and the fewest and most rounds
LOOKS, LEAST, MOST = 90_000, 60, 300


class Config(BaseModel):
    """What every method has settings for.

    Attributes:
        form: One noise per image, or one per class. ``auto`` is class-wise; `docs/results.md` has the measurements.
        epsilon: Largest change of a pixel, in levels of 1/255.
        resolution: Side in pixels that a network sees during the search; ``auto`` is 64 for photos, the own size of images up to 40 px.
        grid: Side of the grid over the frame on which noise lives; 0 for the resolution.
        tile: Class-wise: side of the pattern that is repeated over the grid; 0 for one pattern over the whole grid.
        interpolation: How the grid is lifted to a photo's own size.
        min_rounds: Rounds before the search may stop.
        max_rounds: Rounds after which it stops; ``auto`` is enough to go over 90,000 images, at least 60 and at most 300.
        stop_error: Training error on protected images, in [0, 1], below which it stops; 0 for never.
        patience: Rounds without a lower error after which it stops; 0 for never.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    form: Literal["auto", "samplewise", "classwise"] = "auto"
    epsilon: int = Field(8, ge=1, le=127)
    resolution: Annotated[int, Field(ge=8)] | Literal["auto"] = "auto"
    grid: int = Field(0, ge=0)
    tile: int = Field(0, ge=0)
    interpolation: Interpolation = "bilinear"
    min_rounds: int = Field(1, ge=1)
    max_rounds: Annotated[int, Field(ge=1)] | Literal["auto"] = 1
    stop_error: float = Field(0.01, ge=0, le=1)
    patience: int = Field(0, ge=0)


def rounds_for(count: int) -> int:
    """Return the number of rounds that ``auto`` stands for: fewer photos are gone over more often."""
    return min(MOST, max(LEAST, round(LOOKS / count)))


def stop_reason(config: Config, log: list[float | None]) -> str:
    """Say why a search stops after the rounds in ``log``; empty while it goes on."""
    errors = [error for error in log if error is not None]
    if len(log) >= config.min_rounds and errors:
        if errors[-1] < config.stop_error:
            return f"the error, {errors[-1]:.1%}, is below {config.stop_error:.1%}"
        if config.patience and len(errors) > config.patience and min(errors[-config.patience :]) >= min(errors[: -config.patience]):
            return f"the error has not fallen for {config.patience} rounds"
    done = "1 round is" if config.max_rounds == 1 else f"{config.max_rounds} rounds are"
    return f"{done} done" if len(log) >= int(config.max_rounds) else ""


def require_resolved(config: Config) -> None:
    """Refuse settings of which one is still ``auto``."""
    if "auto" in (config.form, config.resolution, config.max_rounds) or not config.grid:
        raise ValueError("Call resolve() first, so that every setting has a value.")
