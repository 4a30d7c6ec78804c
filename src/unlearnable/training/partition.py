"""Which process owns an image, and which images a step takes: pure functions of ids, seeds and numbers.

Every process draws the same order of all images, cuts it into the same batches, and takes the members of each
batch that it owns. So the shares of all processes together are the batch of a search without torchrun,
whatever their number.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from unlearnable import hashing


def owner(id: str, count: int) -> int:
    """Return the rank that owns an image, by the hash of its id.

    Args:
        id: Id of the image.
        count: Number of processes.
    """
    # without a seed, so that nothing has to be agreed on first
    return hashing.derive(0, "owner", id) % count


def owned(ids: Sequence[str], rank: int, count: int) -> torch.Tensor:
    """Return which images a rank owns, bool (N,)."""
    return torch.tensor([owner(id, count) == rank for id in ids], dtype=torch.bool)


def shuffled(positions: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Return positions in the order of one pass over them, int64 (N,)."""
    return positions[torch.randperm(len(positions), generator=rng)]


def batch(order: torch.Tensor, number: int, size: int) -> torch.Tensor:
    """Return the positions in one batch of a pass; the last one may have fewer than ``size``."""
    return order[number * size : (number + 1) * size]


def members(positions: torch.Tensor, mine: torch.Tensor) -> torch.Tensor:
    """Return the places in a batch of the images that a rank owns, int64, in the order of the batch.

    Args:
        positions: int64 (B,), the batch.
        mine: bool (N,), as ``owned`` returns it.
    """
    return mine[positions].nonzero()[:, 0]


def local_rows(rows: torch.Tensor, mine: torch.Tensor) -> torch.Tensor:
    """Return the rows of images in a bank that holds those of one rank only, in the order of all rows.

    Args:
        rows: int64 (N,), rising; -1 for an image without a row.
        mine: bool (N,), as ``owned`` returns it.

    Returns:
        int64 (N,); -1 for an image without a row there.
    """
    held = mine & (rows >= 0)
    return torch.where(held, held.cumsum(0) - 1, -1)
