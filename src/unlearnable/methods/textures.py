"""Textures: a class's own regular pattern in luminance, positive on half of its images, negative on half."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field

from unlearnable.assignment import SEPARATOR, Assignment
from unlearnable.data.image_set import is_small
from unlearnable.errors import UsageError
from unlearnable.lifting import Interpolation
from unlearnable.methods.computed import Numbered
from unlearnable.methods.config import NoiseConfig
from unlearnable.methods.context import Context
from unlearnable.methods.registry import register
from unlearnable.methods.typed_settings import takes
from unlearnable.words import counted

Pairs = tuple[tuple[int, int], ...]
# (vertical, horizontal) frequencies of the 8x8 DCT
MIDDLE: Pairs = ((3, 3), (2, 4), (4, 2), (5, 1), (1, 5), (5, 3), (0, 5), (6, 0), (3, 5), (6, 2))
LOW: Pairs = ((0, 4), (5, 0), (2, 2), (4, 1), (1, 4), (3, 2), (2, 3), (4, 0), (1, 3), (3, 1))
HIGH: Pairs = ((5, 5), (4, 6), (6, 4), (2, 7), (7, 2), (5, 7), (7, 5), (6, 6), (0, 7), (7, 0))
# the textures on the two colours of a board; one list twice is one texture without a board
KINDS = {"middle": (MIDDLE, MIDDLE), "low": (LOW, LOW), "mixed": (LOW, HIGH)}
BLOCK = 8
# cells along a photo: a trainer's resizing removes finer ones. No size was found that protects photos well
PHOTO_GRID = 28


class TexturesConfig(NoiseConfig):
    """Settings of textures.

    Attributes:
        kind: Frequencies of the textures: ``middle``; ``low``, which survive strong JPEG and are learned
            more slowly; or ``mixed``, low and high ones side by side.
        cell: Side of one value of a texture, in pixels of a photo of the usual size; a texture repeats after
            8 cells. ``auto`` is 1 for images up to 40 px, and a 28th of the frame for photos. It decides
            the grid: give one of the two.
        tile: Side of a pattern, in cells; the pattern is repeated over the grid. 16 holds two textures side
            by side, which more than ten classes need; 0 for one pattern over the whole grid.
        patterns_per_class: 2 gives half of the images of a class, by hash of their ids, the negative of its
            texture, so that no linear projection finds the class. 1 gives all of them the same.
    """

    kind: Literal["middle", "low", "mixed"] = "middle"
    cell: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    tile: int = Field(default=2 * BLOCK, ge=0)
    patterns_per_class: int = Field(default=2, ge=1, le=2)
    interpolation: Interpolation = "nearest"


@register
class Textures(Numbered[TexturesConfig]):
    """Luminance textures: signs of a function of the 8x8 DCT, with its negative on half of a class.

    A method of this package, in no paper. The texture of (u, v) is epsilon sign(D_u D_v^T) with the DCT's
    functions D. The three channels are equal, so grey photos and photos turned grey have all of it. Its
    energy is in few coefficients of JPEG, where tiles are 8 px large.

    The seed decides the order of the textures. The first ten classes have one each (``mixed``: a low and a
    high one on alternate tiles), later ones two on alternate tiles: 55 in all, ``mixed`` 100. Beyond that, a
    class shares the texture that the fewest others have.
    """

    name: ClassVar[str] = "textures"
    Config: ClassVar[type[NoiseConfig]] = TexturesConfig

    @takes(TexturesConfig)
    def __init__(self, **settings: Any) -> None: ...

    def resolved(self, frame: tuple[int, int], count: int) -> dict[str, Any]:
        """Return the settings that ``auto`` stands for; the grid has the photo's side over ``cell``.

        Raises:
            UsageError: If ``grid`` and ``cell`` contradict each other, or leave no room for a texture.
        """
        grid = self.config.grid
        if self.config.cell != "auto":
            grid = max(1, round(math.sqrt(frame[0] * frame[1]) / self.config.cell))
            if self.config.grid not in (0, grid):
                raise UsageError(
                    f"cell is {self.config.cell}, which makes a grid of {grid}, not {self.config.grid}.",
                    "Give cell or grid, and leave the other out.",
                )
        elif not grid and not is_small(frame):
            grid = PHOTO_GRID
        found = super().resolved(frame, count)
        grid = grid or found["grid"]
        if grid < BLOCK:
            raise UsageError(
                f"The grid has {counted(grid, 'cell')} a side, and a texture needs {BLOCK}.",
                f"Give a cell of at most {max(1, min(frame) // BLOCK)} px, or a grid of at least {BLOCK}.",
            )
        return {**found, "grid": grid}

    def listed(self, count: int, ctx: Context) -> Sequence[torch.Tensor]:
        """Return the textures in the order of numbers: -1 and 1, (1, side, side)."""
        first, second = (
            [pairs[i] for i in torch.randperm(len(pairs), generator=ctx.rng("textures", *map(str, pairs)))]
            for pairs in KINDS[self.config.kind]
        )
        length, same = len(first), self.config.kind != "mixed"
        # of two textures from one list, each pair of them is a board once
        chosen = [(i, i + step) for step in range(length) for i in range(length - (step if same else 0))]
        side = self.config.side
        times = -(-side // (2 * BLOCK))
        distinct: dict[bytes, torch.Tensor] = {}
        for i, j in chosen:
            board = _board(_texture(*first[i]), _texture(*second[j % length]))
            whole = board.repeat(times, times)[None, :side, :side]
            # on a pattern too small for a board, many are equal
            distinct.setdefault(whole.numpy().tobytes(), whole)
        return list(distinct.values())[:count]

    def matching(self, row: torch.Tensor, motifs: Sequence[torch.Tensor]) -> int | None:
        """Return the number of the texture that a row is, or is the negative of."""
        sign = row[0, 0, 0].sign()
        equal = [torch.equal(row, sign * self.config.epsilon * one.expand_as(row)) for one in motifs]
        return equal.index(True) if any(equal) else None

    def patterns(self, motif: torch.Tensor, keys: tuple[str, ...], ctx: Context) -> torch.Tensor:
        """Return the texture or its negative for each key, in levels, (keys, 3, side, side)."""
        signs = torch.tensor([self._sign(key, ctx.seed) for key in keys]).view(-1, 1, 1, 1)
        return self.config.epsilon * signs * motif.expand(len(keys), 3, -1, -1)

    def _sign(self, key: str, seed: int) -> float:
        if self.form == "samplewise":
            # the hash that gives an image one of two class-wise patterns
            key = Assignment(patterns_per_class=self.config.patterns_per_class, seed=seed).key(key, "")
        return -1.0 if key.endswith(f"{SEPARATOR}1") else 1.0


def _texture(u: int, v: int) -> torch.Tensor:
    """Return the signs of a function of the 8x8 DCT, (8, 8); u counts its vertical half-waves."""
    x = (torch.arange(BLOCK) + 0.5) * math.pi / BLOCK
    return torch.outer(torch.cos(u * x).sign(), torch.cos(v * x).sign())


def _board(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Return two textures on alternate tiles, (16, 16)."""
    return torch.cat([torch.cat([first, second], 1), torch.cat([second, first], 1)])
