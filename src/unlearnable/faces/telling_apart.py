"""Verification of strangers: whether a network's features tell people apart whom nobody trained on.

The figures stand beside their floor, because the area under the curve of a network that has learned nothing
is not 1/2: photos of one person resemble each other in light and background.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from unlearnable.evaluation.intervals import Spread
from unlearnable.evaluation.statistics import Floats, Interval
from unlearnable.evaluation.trial import Trial
from unlearnable.evaluation.verdict import MIN_PER_CLASS, Verdict, judge
from unlearnable.faces.recogniser import unit
from unlearnable.faces.same_person import areas, auc, by_folds, matched, supported_rate
from unlearnable.faces.strangers import Strangers
from unlearnable.training.compute import Compute
from unlearnable.training.loop import outputs
from unlearnable.training.weights import split

ARMS = ("clean", "protected")
# resamples of people behind an interval
RESAMPLES = 200


@dataclass(frozen=True)
class Apart:
    """How well one way of comparing faces tells strangers apart, mean over seeds.

    Args:
        auc: Area under the ROC curve.
        matched: Share of the pairs of one person that are accepted (TAR) at the rate of false matches.
        folds: Accuracy over the folds of a file of pairs; None without one.
    """

    auc: float
    matched: float
    folds: float | None


@dataclass(frozen=True)
class StrangersTold:
    """Verification of strangers with the networks of one trial.

    Args:
        name: Name of the trial.
        clean: The network trained on the photos.
        protected: The network trained on the published copies.
        pixels: Cosine of the pixels themselves, each crop minus its mean.
        untrained: The network before training.
        interval: 95% interval of the protected area, over strangers and seeds.
        retained: Share of the clean network's gain over the floor that is retained, with its interval.
        verdict: The verdict, with the floor in place of guessing.
        rate: The rate of false matches (FAR) of ``matched``.
        people: Number of strangers.
        same: Number of pairs of one person.
        different: Number of pairs of two people.
    """

    name: str
    clean: Apart
    protected: Apart
    pixels: Apart
    untrained: Apart
    interval: Interval
    retained: Interval
    verdict: Verdict
    rate: float
    people: int
    same: int
    different: int

    @property
    def floor(self) -> float:
        """The area that takes no training: that of the pixels or of the untrained network."""
        return max(self.pixels.auc, self.untrained.auc)


@dataclass
class Examiner:
    """Embeds strangers with every network that is trained from scratch on the files as published.

    Args:
        strangers: The strangers.
        side: Side of the squares that networks train on, in pixels.
        compute: Device and precision.
    """

    strangers: Strangers
    side: int
    compute: Compute
    _pixels: torch.Tensor = field(init=False)
    _found: dict[str, tuple[Trial, dict[str, dict[int, Floats]]]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._pixels = torch.from_numpy(np.asarray(self.strangers.crops.view(self.side).pixels))

    def __call__(self, trial: Trial, arm: str, seed: int, model: nn.Module) -> None:
        """Keep the similarities of all pairs by a trained network; see ``comparison.OnLearned``."""
        if trial.decides:
            _, arms = self._found.setdefault(trial.name, (trial, {name: {} for name in ARMS}))
            arms[arm][seed] = self._similarities(_features(model), trial.victim.size)

    def results(self) -> list[StrangersTold]:
        """Return the figures of every trial, in the order in which they ran."""
        return [self._told(trial, arms) for trial, arms in self._found.values()]

    def _similarities(self, embed: nn.Module, size: int) -> Floats:
        found = outputs(embed, self._pixels, size, self.compute).float().flatten(1).numpy()
        return self.strangers.pairs.similarities(unit(found))

    def _told(self, trial: Trial, arms: dict[str, dict[int, Floats]]) -> StrangersTold:
        size, same = trial.victim.size, self.strangers.pairs.same
        fresh = [
            self._similarities(_features(self.compute.to_device(trial.victim.build(2, seed))), size)
            for seed in arms["clean"]
        ]
        pixels, untrained = self._apart([self._similarities(_Pixels(), size)]), self._apart(fresh)
        clean, protected = ([*arms[name].values()] for name in ARMS)
        spread = _spread([clean, protected], self.strangers)
        floor, people = max(pixels.auc, untrained.auc), self.strangers.people
        retained = spread.retained(1, floor)
        verdict = judge(spread.accuracy(0), spread.accuracy(1), retained, floor, people, MIN_PER_CLASS)
        return StrangersTold(
            trial.name,
            self._apart(clean),
            self._apart(protected),
            pixels,
            untrained,
            spread.accuracy(1),
            retained,
            verdict,
            supported_rate(int((~same).sum())),
            people,
            int(same.sum()),
            int((~same).sum()),
        )

    def _apart(self, by_seed: list[Floats]) -> Apart:
        same, fold = self.strangers.pairs.same, self.strangers.pairs.fold
        rate = supported_rate(int((~same).sum()))
        return Apart(
            float(np.mean([auc(scores, same) for scores in by_seed])),
            float(np.mean([matched(scores, same, rate) for scores in by_seed])),
            None if fold is None else float(np.mean([by_folds(scores, same, fold) for scores in by_seed])),
        )


class _Pixels(nn.Module):
    """Each picture minus its mean, as one row."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = x.flatten(1)
        return rows - rows.mean(dim=1, keepdim=True)


def _features(model: nn.Module) -> nn.Module:
    backbone, _ = split(model)
    return backbone


def _spread(arms: list[list[Floats]], strangers: Strangers) -> Spread:
    """Return the areas of two arms with the covariance of their errors, by resampling people and by seeds.

    Pairs of one person are not independent, so people are drawn again with replacement, not pairs. A pair
    counts as often as its person was drawn, or as the product for two.
    """
    pairs, labels = strangers.pairs, strangers.crops.labels
    rng = np.random.default_rng(0)
    people = np.unique(labels[np.concatenate([pairs.first, pairs.second])])
    drawn = np.zeros((RESAMPLES, int(labels.max()) + 1))
    for row in drawn:
        np.add.at(row, rng.choice(people, len(people)), 1)
    first, second = drawn[:, labels[pairs.first]], drawn[:, labels[pairs.second]]
    weights = np.where(pairs.same, first, first * second)
    # a draw without pairs of one kind has no area
    weights = weights[(weights[:, pairs.same].sum(axis=1) > 0) & (weights[:, ~pairs.same].sum(axis=1) > 0)]
    values = np.array([[auc(scores, pairs.same) for scores in arm] for arm in arms])
    resampled = np.array(
        [np.mean([areas(scores, pairs.same, weights) for scores in arm], axis=0) for arm in arms]
    )
    count = values.shape[1]
    seeds = np.atleast_2d(np.cov(values)) / count if count > 1 else np.zeros((2, 2))
    return Spread(values.mean(axis=1), np.cov(resampled), seeds, count, float(len(people)))
