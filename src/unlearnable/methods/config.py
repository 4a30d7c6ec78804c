"""The settings of the noise, those of the rounds of a search, and the rounds that ``auto`` stands for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from unlearnable.assignment import Assignment, Offset
from unlearnable.budget import Budget
from unlearnable.fields import Checked
from unlearnable.lifting import Grey, Interpolation

# ``max_rounds = "auto"``: the fewest and most noise steps on one image
FEWEST, MOST = 60, 300


class NoiseConfig(Checked):
    """Settings of the noise, which every method has. A configuration is data: the method acts on it.

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

    @property
    def budget(self) -> Budget:
        """The budget of the noise, in levels."""
        return Budget(self.epsilon)

    @property
    def side(self) -> int:
        """Side of a pattern, in pixels of the grid."""
        return self.tile or self.grid

    def assignment(self, seed: int) -> Assignment:
        """Return the assignment of patterns and offsets to images in a run with this seed.

        The search and the published files use the same assignment.
        """
        patterns = 1 if self.form == "samplewise" else self.patterns_per_class
        offset: Offset = self.offset if self.side < self.grid else "tile"
        # the seed is left out where nothing is drawn, so that noise of two seeds can be joined
        drawn = patterns > 1 or offset == "random"
        return Assignment(patterns_per_class=patterns, offset=offset, seed=seed if drawn else 0)


class Config(NoiseConfig):
    """Settings of a method that searches in rounds: those of the noise, and when the search stops.

    Attributes:
        min_rounds: Rounds before the search may stop.
        max_rounds: Rounds after which it stops. ``auto`` allows ``auto_steps`` noise steps on all images
            together, but at least 60 and at most 300 on each image.
        auto_steps: Noise steps on all images together that ``max_rounds = "auto"`` allows.
        stop_error: Training error on protected images, in [0, 1], below which it stops; 0 for never.
        patience: Rounds without a lower error after which it stops; 0 for never.
    """

    min_rounds: int = Field(default=1, ge=1)
    max_rounds: Annotated[int, Field(ge=1)] | Literal["auto"] = 1
    auto_steps: int = Field(default=90_000, ge=1)
    stop_error: float = Field(default=0.01, ge=0, le=1)
    patience: int = Field(default=0, ge=0)

    @property
    def earliest_stop(self) -> int:
        """Rounds before the search may stop by its error."""
        return self.min_rounds


def rounds_for(count: int, steps: int = 1, in_all: int = 90_000) -> int:
    """Return the rounds that ``auto`` stands for. A search on fewer photos goes over each of them more often.

    Args:
        count: Number of images.
        steps: Noise steps on each image in a round.
        in_all: Noise steps on all images together.
    """
    return max(1, round(min(MOST, max(FEWEST, in_all / count)) / steps))
