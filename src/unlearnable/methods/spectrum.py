"""Spatial frequencies of noise on its grid: orthonormal bases, and the projection onto some of them.

A pattern over the whole grid is expanded in the cosines of the discrete cosine transform (DCT-II), which have
no jump at the frame's edges. A tile that is repeated over the grid is expanded in sines and cosines of whole
periods (the real Fourier basis), which continue into the next tile. Both bases are orthonormal, so leaving
coefficients out is an orthogonal projection, and both are separable: one small matrix for each axis.
"""

from __future__ import annotations

import math

import torch


def cosines(side: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the basis of the DCT-II: float64 (side, side), one function a row, and its cycles per side."""
    number = torch.arange(side, dtype=torch.float64)
    rows = torch.cos(math.pi / side * number[:, None] * (number[None, :] + 0.5))
    rows *= math.sqrt(2 / side)
    rows[0] /= math.sqrt(2)
    return rows, number / 2


def waves(side: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the real Fourier basis: float64 (side, side), one function a row, and its cycles per side."""
    position = 2 * math.pi / side * torch.arange(side, dtype=torch.float64)
    cycles = (torch.arange(side) + 1) // 2
    angles = cycles[:, None] * position[None, :]
    odd = (torch.arange(side) % 2 == 1)[:, None]
    rows = torch.where(odd, torch.cos(angles), torch.sin(angles))
    rows[0] = 1.0
    return rows / rows.norm(dim=1, keepdim=True), cycles.double()


class Part:
    """The part of noise that some basis functions span: ``part(d)`` is the orthogonal projection onto them.

    Args:
        mask: bool (rows, columns): the products of a basis function down and one across that are in it.
        down: The basis of the rows, one function a row.
        across: The basis of the columns.
        like: A tensor of the device and the type to compute in.
    """

    def __init__(
        self, mask: torch.Tensor, down: torch.Tensor, across: torch.Tensor, like: torch.Tensor
    ) -> None:
        # functions that are in no product are left out: low frequencies take a few of them
        rows, columns = mask.any(1), mask.any(0)
        self._down, self._across = down[rows].to(like), across[columns].to(like)
        self._mask = mask[rows][:, columns].to(like)

    def __call__(self, d: torch.Tensor) -> torch.Tensor:
        """Return the projection of noise (..., h, w), in its shape."""
        coefficients = self._down @ d @ self._across.T * self._mask
        return self._down.T @ coefficients @ self._across
