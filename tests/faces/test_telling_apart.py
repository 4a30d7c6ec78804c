"""Verification of strangers: what a network has learned stands beside what takes no training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from unlearnable.data.arrays import arrays
from unlearnable.evaluation.schedule import PHOTOS, trials
from unlearnable.evaluation.trial import Trial
from unlearnable.faces.same_person import PhotoPairs, all_pairs, auc, by_folds, matched
from unlearnable.faces.strangers import Strangers
from unlearnable.faces.telling_apart import Examiner, StrangersTold
from unlearnable.training.compute import Compute

SIDE, PEOPLE, PHOTOS_EACH = 16, 25, 4
CPU = Compute()


def strangers(folds: bool = False) -> Strangers:
    """Pictures of noise; four pixels in a corner belong to the person, four in another one to nobody."""
    rng = np.random.default_rng(0)
    names = [f"p{number:02d}" for number in range(PEOPLE) for _ in range(PHOTOS_EACH)]
    pixels = rng.integers(0, 256, (len(names), SIDE, SIDE, 3), dtype=np.uint8)
    own = rng.integers(0, 256, (PEOPLE, 2, 2, 3), dtype=np.uint8)
    pixels[:, :2, :2] = np.repeat(own, PHOTOS_EACH, axis=0)
    pairs = all_pairs(names)
    if folds:
        pairs = replace(pairs, fold=np.arange(len(pairs.same)) % 10)
    return Strangers(arrays(pixels, names), pairs, {})


class Corner(nn.Module):
    """A network whose features are one corner of the picture."""

    def __init__(self, row: int, noise: float = 0.0) -> None:
        super().__init__()
        self.row, self.noise, self.head = row, noise, nn.Linear(12, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = x[:, :, self.row : self.row + 2, :2].flatten(1) - 0.5
        found = found + self.noise * torch.randn(found.shape, generator=torch.Generator().manual_seed(1))
        return self.head(found)


KNOWS, BLIND = Corner(0), Corner(8)
TRIAL = trials(PHOTOS, 100, ("cnn:width=8,depth=2",), ())[0]
TRIAL = replace(TRIAL, victim=TRIAL.victim.model_copy(update={"size": SIDE}))


def told(clean: nn.Module, protected: nn.Module, seeds: int = 2, folds: bool = False) -> StrangersTold:
    examiner = Examiner(strangers(folds), SIDE, CPU)
    for arm, model in (("clean", clean), ("protected", protected)):
        for seed in range(seeds):
            examiner(TRIAL, arm, seed, model)
    (found,) = examiner.results()
    return found


def test_a_network_that_learned_nothing_is_at_the_floor() -> None:
    found = told(KNOWS, BLIND)
    assert found.clean.auc == pytest.approx(1)
    assert found.protected.auc < 0.6
    assert found.floor == max(found.pixels.auc, found.untrained.auc)
    assert 0.45 < found.floor < 0.8
    assert found.verdict == "protected"
    assert found.retained.value < 0.2
    assert found.interval.low < found.protected.auc < found.interval.high
    assert (found.people, found.same, found.different) == (PEOPLE, PEOPLE * 6, 100 * 99 // 2 - PEOPLE * 6)


def test_a_network_that_learned_as_much_is_not_protected_from() -> None:
    assert told(KNOWS, Corner(0, 0.02)).retained.value > 0.9
    assert told(KNOWS, KNOWS).verdict == "not protected"
    assert told(KNOWS, KNOWS).retained.value == pytest.approx(1)


def test_a_clean_network_at_the_floor_cannot_tell() -> None:
    assert told(BLIND, BLIND).verdict == "cannot tell"


def test_the_figures_are_those_of_the_features() -> None:
    given = strangers(folds=True)
    noisy = Corner(0, 0.5)
    found = told(noisy, BLIND, folds=True).clean
    x = torch.from_numpy(given.crops.view(SIDE).pixels).float() / 255
    noisy.head = nn.Identity()  # type: ignore[assignment]
    features = noisy(x).numpy()
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    scores = given.pairs.similarities(features)
    noisy.head = nn.Linear(12, 5)
    assert 0.6 < found.auc < 0.99
    assert found.auc == pytest.approx(auc(scores, given.pairs.same), abs=1e-4)
    assert found.matched == pytest.approx(matched(scores, given.pairs.same, 0.01), abs=0.02)
    assert given.pairs.fold is not None
    assert found.folds == pytest.approx(by_folds(scores, given.pairs.same, given.pairs.fold), abs=0.01)


def test_other_trials_are_not_examined() -> None:
    examiner = Examiner(strangers(), SIDE, CPU)
    chain = next(trial for trial in trials(PHOTOS, 100, specs=("grey",)) if trial.chain)
    examiner(chain, "clean", 0, KNOWS)
    examiner(Trial("tuned", TRIAL.victim.model_copy(update={"start": "weights.pth"})), "clean", 0, KNOWS)
    assert examiner.results() == []


def test_the_interval_is_wider_with_fewer_people() -> None:
    whole = strangers()
    few = [row for row, id in enumerate(whole.crops.ids) if whole.crops.labels[row] < 8]
    inside = np.isin(whole.pairs.first, few) & np.isin(whole.pairs.second, few)
    pairs = PhotoPairs(whole.pairs.first[inside], whole.pairs.second[inside], whole.pairs.same[inside])
    widths = []
    for own in (whole, Strangers(whole.crops, pairs, {})):
        examiner = Examiner(own, SIDE, CPU)
        examiner(TRIAL, "clean", 0, KNOWS)
        examiner(TRIAL, "protected", 0, Corner(0, 0.5))
        (found,) = examiner.results()
        widths.append(found.interval.high - found.interval.low)
    assert 0.01 < widths[0] < widths[1]
    # eight people are too few for a verdict
    assert found.people == 8
    assert found.verdict == "cannot tell"
