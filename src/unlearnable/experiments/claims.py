"""The outcome of a claim about a table."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import mean, stdev

from unlearnable.experiments.base import Below
from unlearnable.experiments.measured import Measured


@dataclass(frozen=True)
class ClaimOutcome:
    """The outcome of a claim.

    Args:
        claim: The claim.
        word: ``holds``, ``does not hold`` or ``within the spread``; with one seed, which has no spread,
            ``seen once`` or ``not seen``; ``not measured``.
        lower: Mean accuracy at the position that is claimed to be lower; None if not measured.
        upper: Mean accuracy at the other position.
        seeds: Seeds measured at both.
    """

    claim: Below
    word: str
    lower: float | None = None
    upper: float | None = None
    seeds: int = 0


def outcome(claim: Below, low: Measured | None, high: Measured | None) -> ClaimOutcome:
    """Return the outcome of a claim, from the accuracies at its two positions; None where nothing was run."""
    if low is None or high is None:
        return ClaimOutcome(claim, "not measured")
    lower, upper = low.of(claim.measure), high.of(claim.upper_measure or claim.measure)
    if not lower or not upper:
        return ClaimOutcome(claim, "not measured")
    gap, seeds = mean(upper) - mean(lower) - claim.by, min(len(lower), len(upper))
    if seeds == 1:
        word = "seen once" if gap >= 0 else "not seen"
    elif low is high:
        # two epochs of the same trainings: the spread is that of their differences
        word = _word(gap, stdev(above - below for above, below in zip(upper, lower, strict=True)))
    else:
        word = _word(gap, (stdev(lower) ** 2 + stdev(upper) ** 2) ** 0.5)
    return ClaimOutcome(claim, word, mean(lower), mean(upper), seeds)


def _word(gap: float, spread: float) -> str:
    return "within the spread" if abs(gap) < spread else "holds" if gap >= 0 else "does not hold"
