"""Gratings: waves of a class's own frequency in green against magenta, with phases that differ by image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field

from unlearnable.assignment import SEPARATOR
from unlearnable.data.image_set import is_small
from unlearnable.errors import UsageError
from unlearnable.methods.computed import Numbered
from unlearnable.methods.config import NoiseConfig
from unlearnable.methods.context import Context
from unlearnable.methods.registry import register
from unlearnable.methods.typed_settings import takes

# red, green and blue: green against magenta varies least in photos, and its three values fill the budget
COLOURS = {"opponent": (1.0, -1.0, 1.0), "luminance": (1.0, 1.0, 1.0)}
# orientations of a wave, in quarters of a right angle; a mirrored photo has the same one, as a wave has both
# diagonals
ORIENTATIONS = 5
# waves along a photo and along a small image, coarse and fine
OF_PHOTOS, OF_SMALL = (5.0, 12.0), (2.0, 5.0)
FEWEST = 2  # cells of the grid in a wave
# least part of the energy of a row at the frequencies of its motif
EXPLAINED = 0.5


class GratingsConfig(NoiseConfig):
    """Settings of gratings.

    Attributes:
        coarse: Waves along a photo, for half of the classes; ``auto`` is 5, and 2 for images up to 40 px.
        fine: Waves along a photo, for the other half; ``auto`` is 12, and 5 for images up to 40 px. More are
            less visible, and compression removes them.
        sharpness: A wave is multiplied by it and clipped to the budget. 1.5 has soft edges; with 10, nearly
            every pixel uses the whole budget, which is stronger and more visible.
        colour: ``opponent`` waves are green against magenta. ``luminance`` ones are left if photos are turned
            grey.
        patterns_per_class: Class-wise, patterns of a class that differ in phase only. Half of them are the
            negatives of the others, so that no linear projection finds the class. Sample-wise, every image
            has its own phases.
    """

    coarse: Annotated[float, Field(gt=0)] | Literal["auto"] = "auto"
    fine: Annotated[float, Field(gt=0)] | Literal["auto"] = "auto"
    sharpness: float = Field(default=1.5, ge=1)
    colour: Literal["opponent", "luminance"] = "opponent"
    patterns_per_class: int = Field(default=8, ge=1)


@register
class Gratings(Numbered[GratingsConfig]):
    """Waves over the whole photo: a class has their frequency and orientation, an image their phases.

    A method of this package, in no paper. The pattern of a class with the frequencies (u, v) is

        epsilon clip(sharpness cos(2 pi (u y + a)) cos(2 pi (v x + b)), -1, 1)

    in red and blue, and its negative in green, for y and x from 0 to 1 and phases a and b drawn for every
    pattern. There is no search. The aim is that a network learns the waves before it learns what photos show,
    because photos have little energy in green against magenta at any one frequency. The waves are coarse
    enough to be left after strong JPEG and half size. Without colour, a sixth of their strength is left, with
    the other sign, so grey undoes them.

    Ten classes have one wave each: five orientations, ``coarse`` and ``fine``. The next 45 have the sum of
    two of these. Beyond that, a class shares the waves that the fewest others have. The seed decides the
    order.
    """

    name: ClassVar[str] = "gratings"
    Config: ClassVar[type[NoiseConfig]] = GratingsConfig
    config: GratingsConfig

    @takes(GratingsConfig)
    def __init__(self, **settings: Any) -> None: ...

    def resolved(self, frame: tuple[int, int], count: int) -> dict[str, Any]:
        """Return the settings that ``auto`` stands for.

        Raises:
            UsageError: If the waves are in the wrong order, or the grid is too coarse for them.
        """
        found = super().resolved(frame, count)
        usual = OF_SMALL if is_small(frame) else OF_PHOTOS
        coarse, fine = (
            one if given == "auto" else given
            for given, one in zip((self.config.coarse, self.config.fine), usual, strict=True)
        )
        if fine <= coarse:
            raise UsageError(
                f"fine is {fine:g} waves, but must be more than coarse, {coarse:g}.",
                "Give fewer coarse or more fine waves.",
            )
        if found["grid"] < FEWEST * fine:
            raise UsageError(
                f"fine is {fine:g} waves, and the grid has {found['grid']} cells a side.",
                f"Give at most {found['grid'] // FEWEST} fine waves, or a larger grid.",
            )
        return {**found, "coarse": float(coarse), "fine": float(fine)}

    def listed(self, count: int, ctx: Context) -> Sequence[torch.Tensor]:
        """Return the frequencies (u, v) of the waves of each number, (1 or 2, 2), in waves along a photo."""
        single = [
            torch.tensor([[waves * math.sin(angle), waves * math.cos(angle)]])
            for waves in (float(self.config.coarse), float(self.config.fine))
            for angle in (step * math.pi / 2 / (ORIENTATIONS - 1) for step in range(ORIENTATIONS))
        ]
        single = [single[i] for i in torch.randperm(len(single), generator=ctx.rng("gratings"))]
        return [*single, *(torch.cat(pair) for pair in combinations(single, 2))][:count]

    def matching(self, row: torch.Tensor, motifs: Sequence[torch.Tensor]) -> int | None:
        """Return the number of the waves that hold most of the energy of a row."""
        shares = [self._share(row[0], motif) for motif in motifs]
        best = max(shares)
        # a sum of two waves explains a single one of them too, so the shortest explanation counts
        good = [number for number, share in enumerate(shares) if share > best - 0.05]
        return min(good, key=lambda number: len(motifs[number])) if best > EXPLAINED else None

    def _share(self, row: torch.Tensor, motif: torch.Tensor) -> float:
        """Return the part of a row's energy (h, w) that waves of these frequencies explain, in any phase."""
        found = 0.0
        for u, v in motif.tolist():
            down, across = (_basis(waves, self.config.side).to(row) for waves in (u, v))
            found += float((down @ row @ across.T).square().sum())
        return found / max(1e-9, float(row.square().sum()))

    def patterns(self, motif: torch.Tensor, keys: tuple[str, ...], ctx: Context) -> torch.Tensor:
        """Return the waves of a class in the phases of each key, in levels, (keys, 3, side, side)."""
        colour = torch.tensor(COLOURS[self.config.colour]).view(3, 1, 1)
        waves = torch.stack([self._wave(motif, key, ctx) for key in keys])
        return self.config.epsilon * (self.config.sharpness * waves).clip(-1, 1)[:, None] * colour

    def _wave(self, motif: torch.Tensor, key: str, ctx: Context) -> torch.Tensor:
        """Return the sum of the waves of a motif in the phases of a key, (side, side)."""
        name, sign = (key, 1.0) if self.form == "samplewise" else _antithetic(key)
        phases = torch.rand(len(motif), 2, generator=ctx.rng("phase", name)).tolist()
        x = (torch.arange(self.config.side) + 0.5) / self.config.side
        parts = [
            torch.outer(_cosine(u, x, a), _cosine(v, x, b))
            for (u, v), (a, b) in zip(motif.tolist(), phases, strict=True)
        ]
        return sign * torch.stack(parts).sum(0)


def _cosine(waves: float, x: torch.Tensor, phase: float) -> torch.Tensor:
    # a wave along one axis only is constant along the other, whatever its phase
    return torch.cos(2 * math.pi * (waves * x + phase)) if waves > 1e-6 else torch.ones_like(x)


def _basis(waves: float, side: int) -> torch.Tensor:
    """Return cosine and sine of some waves along a side, orthonormal, (1 or 2, side)."""
    x = (torch.arange(side, dtype=torch.float64) + 0.5) / side
    both = torch.stack([_cosine(waves, x, 0.0), _cosine(waves, x, 0.25)])
    basis: torch.Tensor = torch.linalg.qr((both[:1] if waves <= 1e-6 else both).T)[0].T
    return basis


def _antithetic(key: str) -> tuple[str, float]:
    """Return the key whose phases a class-wise pattern has, and its sign: every second one is a negative."""
    name, separator, number = key.rpartition(SEPARATOR)
    if not separator:
        return key, 1.0
    return f"{name}{separator}{int(number) // 2}", -1.0 if int(number) % 2 else 1.0
