"""Policies: pairs of image operations, each with its probability and strength."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from unlearnable.countermeasures.operations import Magnitude, apply
from unlearnable.training.compute import Compute


def apply_pairs(
    x: torch.Tensor,
    kinds: torch.Tensor,
    numbers: torch.Tensor,
    magnitudes: Mapping[str, Magnitude],
    rng: torch.Generator,
    compute: Compute,
) -> torch.Tensor:
    """Return the images after one pair of operations each, drawn from a policy.

    Args:
        x: float (B, 3, s, s) in [0, 1], on the device.
        kinds: int64 (P, 2) on the host: positions of each pair's operations in ``magnitudes``.
        numbers: float (P, 2, 2) on the host: probability and strength of each operation.
        magnitudes: Magnitudes of the operations by name.
        rng: Generator for pairs, probabilities and signs.
        compute: Device.

    Returns:
        float (B, 3, s, s) in [0, 1].
    """
    chosen = torch.randint(0, len(kinds), (len(x),), generator=rng)
    for position in range(2):
        probability, strengths = numbers[chosen, position].unbind(1)
        happens = torch.rand(len(x), generator=rng) < probability
        x = apply(x, torch.where(happens, kinds[chosen, position], -1), strengths, magnitudes, rng, compute)
    return x


def read_policy(text: str, names: Sequence[str], strongest: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the kinds and numbers of a policy, as ``apply_pairs`` takes them.

    Args:
        text: A pair in each line: name, probability and magnitude of both operations. Lines that begin with
            ``#`` are comments.
        names: Names of the operations in order.
        strongest: The magnitude that is strength 1.
    """
    lines = [line.split() for line in text.strip().splitlines() if not line.startswith("#")]
    kinds = torch.tensor([[names.index(line[0]), names.index(line[3])] for line in lines])
    return kinds, torch.tensor(
        [[[float(line[i + 1]), float(line[i + 2]) / strongest] for i in (0, 3)] for line in lines]
    )
