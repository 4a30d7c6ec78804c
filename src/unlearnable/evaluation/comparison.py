"""The same victim trained on each of several versions of the same images, tested on the same held-out ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from unlearnable.errors import DataError
from unlearnable.evaluation.schedule import Trial
from unlearnable.evaluation.statistics import (
    Answers,
    BoolArray,
    Curve,
    IntArray,
    Interval,
    bootstrap,
    curve,
    interval,
    kept,
    recalls,
)
from unlearnable.evaluation.verdict import Verdict, judge
from unlearnable.events import Event, OnProgress, silent
from unlearnable.training.compute import Compute
from unlearnable.training.victim import Epoch, Labelled, learn


@dataclass(frozen=True)
class Arm:
    """What one victim is trained and tested on.

    Args:
        train: The images it trains on.
        test: Clean images that no arm trains on; the same labels in the same order in all arms of a seed.
    """

    train: Labelled
    test: Labelled


@dataclass(frozen=True, eq=False)
class Run:
    """One training of a victim.

    Args:
        seed: Of the split, the initialisation and the order.
        train: Accuracy on the training batches, per epoch, shares in [0, 1].
        test: Balanced accuracy on the test images, per epoch.
        correct: bool (T,): which test images the network of the best epoch named correctly.
        labels: int64 (T,): their classes.
    """

    seed: int
    train: tuple[float, ...]
    test: Curve
    correct: BoolArray
    labels: IntArray


@dataclass(frozen=True)
class ArmResult:
    """The result of one arm over all seeds.

    Args:
        name: ``clean``, ``protected`` or another.
        runs: One per seed.
        peak: Balanced accuracy at the best epoch, mean over seeds.
        last: Balanced accuracy at the last epoch, mean over seeds.
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
        trial: Victim and countermeasures.
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
    """Train the trial's victim on every arm, once per seed.

    Args:
        names: Names of the arms; the first is the clean one.
        data: Returns the images of an arm for a seed. It is called arm by arm, so that one arm is in memory
            at a time.
        trial: Victim and countermeasures.
        classes: Number of classes, context included.
        seeds: Each changes initialisation and order, and the split if ``data`` makes one.
        judged: Labels of the classes whose recall counts; all by default.
        compute: Where; chosen by default.
        on_progress: Called after every epoch.

    Raises:
        DataError: If no test image belongs to a judged class.
    """
    compute = compute or Compute.choose()
    judged = tuple(range(classes)) if judged is None else tuple(judged)
    total, done = len(names) * len(seeds) * trial.victim.epochs, 0
    runs: dict[str, list[Run]] = {name: [] for name in names}
    for name in names:
        for seed in seeds:

            def report(epoch: Epoch, before: int = done, name: str = name) -> None:
                text = f"{name}: {epoch.test_accuracy:.0%}"
                on_progress(Event(trial.name, before + epoch.number, total, text))

            runs[name].append(_run(data(name, seed), trial, seed, judged, compute, report))
            done += trial.victim.epochs
    return summarise(trial, {name: tuple(found) for name, found in runs.items()}, judged, 1 / classes)


def _run(
    arm: Arm,
    trial: Trial,
    seed: int,
    judged: Sequence[int],
    compute: Compute,
    on_epoch: Callable[[Epoch], None],
) -> Run:
    labels = arm.test.labels.numpy()
    if not np.isin(labels, judged).any():
        raise DataError(
            "No held-out image belongs to a protected class, so nothing can be measured.",
            "Give more photos, or --test.",
        )
    epochs = learn(trial.victim, arm.train, arm.test, seed, compute, trial.chain, on_epoch).epochs
    test = curve([epoch.correct.numpy() for epoch in epochs], labels, judged)
    train = tuple(epoch.train_accuracy for epoch in epochs)
    return Run(seed, train, test, epochs[test.best].correct.numpy(), labels)


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
        peak = interval(float(np.mean([run.test.peak for run in mine])), drawn[index])
        recall = np.mean([recalls(run.correct, run.labels, judged) for run in mine], axis=0)
        share: Interval | None = None
        verdict: Verdict | None = None
        if results:
            clean = results[0].peak
            share = interval(
                float(kept(peak.value, clean.value, chance)), kept(drawn[index], drawn[0], chance)
            )
            verdict = judge(clean, peak, share, chance, tested)
        last = float(np.mean([run.test.last for run in mine]))
        results.append(
            ArmResult(name, mine, peak, last, tuple(float(value) for value in recall), share, verdict)
        )
    return Comparison(trial, chance, tested, tuple(results))
