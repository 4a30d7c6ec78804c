"""The same network trained from scratch on each of several versions of the same images, and tested on the same held-out ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from unlearnable.errors import DataError
from unlearnable.evaluation.statistics import (
    Answers,
    BoolArray,
    IntArray,
    Interval,
    balanced,
    bootstrap,
    interval,
    kept,
    recalls,
)
from unlearnable.evaluation.trials import Trial
from unlearnable.evaluation.verdict import Verdict, judge
from unlearnable.events import Event, OnProgress, silent
from unlearnable.training.compute import Compute
from unlearnable.training.loop import Epoch, fit_model

Labelled = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class Arm:
    """What one network is trained and tested on. The test labels are the same, in the same order, in all arms of a seed.

    Args:
        train: uint8 (N, 3, S, S) images and int64 (N,) labels.
        test: The same for clean images that none of the arms is trained on.
    """

    train: Labelled
    test: Labelled


@dataclass(frozen=True, eq=False)
class Run:
    """One network's story; accuracies are shares in [0, 1].

    Args:
        seed: Of the split, the initialisation and the order.
        train: Accuracy on the training batches, per epoch.
        test: Balanced accuracy on the test images, per epoch.
        correct: bool (T,): which test images the network of the peak epoch got right.
        labels: int64 (T,): their classes.
    """

    seed: int
    train: tuple[float, ...]
    test: tuple[float, ...]
    correct: BoolArray
    labels: IntArray


@dataclass(frozen=True)
class ArmResult:
    """What one arm came to, over all seeds.

    Args:
        name: ``clean``, ``protected`` or another.
        runs: One per seed.
        peak: Balanced accuracy at the best epoch, mean over seeds.
        last: Balanced accuracy after the last epoch, mean over seeds.
        recall: Recall per judged class at the best epoch, mean over seeds; NaN where no image tests a class.
        kept: Share of what clean images teach; None for the first arm.
        verdict: None for the first arm.
    """

    name: str
    runs: tuple[Run, ...]
    peak: Interval
    last: float
    recall: tuple[float, ...]
    kept: Interval | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Comparison:
    """The arms of one trial; the first is the one that the others are measured against.

    Args:
        trial: Network and recipe.
        chance: Accuracy of guessing, a share.
        tested: Test images per seed (the smallest number over seeds).
        arms: The results.
    """

    trial: Trial
    chance: float
    tested: int
    arms: tuple[ArmResult, ...]

    def arm(self, name: str) -> ArmResult:
        """Return one arm's result."""
        return next(arm for arm in self.arms if arm.name == name)


def compare(
    names: Sequence[str],
    data: Callable[[str, int], Arm],
    trial: Trial,
    classes: int,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    judged: Sequence[int] | None = None,
    compute: Compute | None = None,
    on_progress: OnProgress = silent,
) -> Comparison:
    """Train the trial's network on every arm, once per seed.

    Args:
        names: Names of the arms; the first is the clean one.
        data: Gives the images of an arm for a seed. It is called arm by arm, so that one arm is in memory at
            a time.
        trial: Network, size and recipe.
        classes: Number of classes, context included.
        seeds: Each changes initialisation and order, and the split if ``data`` makes one.
        judged: Labels of the classes whose recall counts; all by default.
        compute: Where; chosen by default.
        on_progress: Hears of every epoch.

    Raises:
        DataError: If no test image belongs to a judged class.
    """
    compute = compute or Compute.choose()
    judged = tuple(range(classes)) if judged is None else tuple(judged)
    total, done = len(names) * len(seeds) * trial.recipe.epochs, 0
    runs: dict[str, list[Run]] = {name: [] for name in names}
    for name in names:
        for seed in seeds:

            def tell(epoch: Epoch, before: int = done, name: str = name) -> None:
                on_progress(
                    Event(trial.name, before + epoch.number, total, f"{name}: {epoch.test_accuracy:.0%}")
                )

            runs[name].append(_run(data(name, seed), trial, classes, seed, judged, compute, tell))
            done += trial.recipe.epochs
    return summarise(trial, {name: tuple(found) for name, found in runs.items()}, judged, 1 / classes)


def _run(
    arm: Arm,
    trial: Trial,
    classes: int,
    seed: int,
    judged: Sequence[int],
    compute: Compute,
    tell: Callable[[Epoch], None],
) -> Run:
    labels = arm.test[1].numpy()
    if not np.isin(labels, judged).any():
        raise DataError(
            "No held-out image belongs to a protected class, so nothing can be measured.",
            "Give more photos, or --test.",
        )
    _, history = fit_model(
        trial.target, arm.train, arm.test, classes, trial.recipe, trial.size, seed, compute, tell
    )
    test = balanced(np.stack([epoch.correct.numpy() for epoch in history]), labels, judged)
    best = history[int(test.argmax())]
    train = tuple(epoch.train_accuracy for epoch in history)
    return Run(seed, train, tuple(float(value) for value in test), best.correct.numpy(), labels)


def summarise(
    trial: Trial, runs: dict[str, tuple[Run, ...]], judged: Sequence[int], chance: float
) -> Comparison:
    """Turn the runs of every arm into figures, intervals and verdicts."""
    columns = list(zip(*runs.values(), strict=True))
    drawn = bootstrap(
        [Answers(column[0].labels, np.stack([run.correct for run in column])) for column in columns], judged
    )
    tested = min(int(np.isin(column[0].labels, judged).sum()) for column in columns)
    results: list[ArmResult] = []
    for index, (name, mine) in enumerate(runs.items()):
        peak = interval(float(np.mean([max(run.test) for run in mine])), drawn[index])
        recall = np.mean([recalls(run.correct, run.labels, judged) for run in mine], axis=0)
        share: Interval | None = None
        verdict: Verdict | None = None
        if results:
            clean = results[0].peak
            share = interval(
                float(kept(peak.value, clean.value, chance)), kept(drawn[index], drawn[0], chance)
            )
            verdict = judge(clean, peak, share, chance, tested)
        last = float(np.mean([run.test[-1] for run in mine]))
        results.append(
            ArmResult(name, mine, peak, last, tuple(float(value) for value in recall), share, verdict)
        )
    return Comparison(trial, chance, tested, tuple(results))
