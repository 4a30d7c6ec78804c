"""Comparison of arms: the same victim trained on clean and on changed images, tested on the same images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol

import numpy as np
import torch

from unlearnable.errors import DataError
from unlearnable.evaluation.statistics import (
    Answers,
    BoolArray,
    Curve,
    IntArray,
    Interval,
    bootstrap,
    curve,
    interval,
    recalls,
    retained_share,
)
from unlearnable.evaluation.trial import Trial
from unlearnable.evaluation.verdict import Verdict, judge
from unlearnable.events import Event, OnProgress, silent
from unlearnable.training.compute import Compute
from unlearnable.training.victim import Epoch, Labelled, learn


@dataclass(frozen=True)
class Arm:
    """Training and test images of one victim.

    Args:
        train: Training images.
        test: Clean images that no arm trains on. All arms of a seed have the same labels in the same order.
    """

    train: Labelled
    test: Labelled


@dataclass(frozen=True, eq=False)
class Tested:
    """The epochs of a training, with the test images.

    Args:
        epochs: The epochs after which it was tested.
        labels: int64 (T,): true classes of the test images.
        images: int64 (T,): a number for the content of each test image, so that seeds recognise shared ones.
    """

    epochs: tuple[Epoch, ...]
    labels: torch.Tensor
    images: IntArray


class Saved(Protocol):
    """Trainings that are saved as they finish; see ``measured.Measured``."""

    def load(self, trial: Trial, name: str, seed: int) -> Tested | None:
        """Return a saved training, or None."""

    def save(self, trial: Trial, name: str, seed: int, tested: Tested) -> None:
        """Save a training."""


@dataclass(frozen=True, eq=False)
class Run:
    """One training of a victim.

    Args:
        seed: Seed of the split, the initialisation and the order.
        train: Accuracy on the training batches after each epoch, in [0, 1].
        test: Balanced accuracy on the test images after each epoch.
        correct: bool (T,): whether the network of the best epoch classified each test image correctly.
        labels: int64 (T,): true classes of the test images.
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
        name: Name of the arm: ``clean``, ``protected`` or another.
        runs: One run per seed.
        peak: Balanced accuracy at the best epoch, mean over seeds.
        last: Balanced accuracy at the last epoch, mean over seeds.
        recall: Recall of each judged class at the best epoch, mean over seeds; NaN for a class without test
            images.
        retained: Share of what clean images teach that these images still teach: (peak - chance) over the
            same difference of the first arm. None for the first arm.
        verdict: None for the first arm.
    """

    name: str
    runs: tuple[Run, ...]
    peak: Interval
    last: float
    recall: tuple[float, ...]
    retained: Interval | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Comparison:
    """The results of one trial.

    Args:
        trial: Victim and countermeasures.
        chance: Accuracy of guessing, in [0, 1].
        tested: Number of test images (the smallest over seeds).
        arms: One result per arm. The first arm is the clean one, with which the others are compared.
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
    saved: Saved | None = None,
) -> Comparison:
    """Train the trial's victim on every arm, once per seed, and return the results.

    Args:
        names: Names of the arms; the first is the clean one.
        data: Returns the images of an arm for a seed. It is called arm by arm, so that only one arm is in
            memory at a time.
        trial: Victim and countermeasures.
        classes: Number of classes, context included.
        seeds: Each changes initialisation and order, and the split if ``data`` makes one.
        judged: Labels of the classes whose recall counts; all by default.
        compute: Device and precision; chosen by default.
        on_progress: Called after every epoch.
        saved: Finished trainings, which do not run again; None to save none.

    Raises:
        DataError: If no test image belongs to a judged class.
    """
    compute = compute or Compute.choose()
    judged = tuple(range(classes)) if judged is None else tuple(judged)
    total, done = len(names) * len(seeds) * trial.victim.epochs, 0
    runs: dict[str, list[Run]] = {name: [] for name in names}
    for name in names:
        for seed in seeds:
            # the defaults bind the values of this turn, because the loop changes the variables
            def report(epoch: Epoch, before: int = done, name: str = name) -> None:
                text = f"{name}: {epoch.test_accuracy:.0%}"
                on_progress(Event(trial.name, before + epoch.number, total, text))

            runs[name].append(_run(data, name, trial, seed, judged, compute, report, saved))
            done += trial.victim.epochs
    return summarise(trial, {name: tuple(found) for name, found in runs.items()}, judged, 1 / classes)


def _run(
    data: Callable[[str, int], Arm],
    name: str,
    trial: Trial,
    seed: int,
    judged: Sequence[int],
    compute: Compute,
    on_epoch: Callable[[Epoch], None],
    saved: Saved | None,
) -> Run:
    tested = None if saved is None else saved.load(trial, name, seed)
    if tested is None:
        arm = data(name, seed)
        _refuse_unjudged(arm.test.labels, judged)
        learned = learn(trial.victim, arm.train, arm.test, seed, compute, trial.chain, on_epoch)
        tested = Tested(learned.epochs, arm.test.labels, _numbers(arm.test))
        if saved is not None:
            saved.save(trial, name, seed, tested)
    epochs, labels = tested.epochs, tested.labels.numpy()
    test = curve([epoch.correct.numpy() for epoch in epochs], labels, judged)
    train = tuple(epoch.train_accuracy for epoch in epochs)
    return Run(seed, train, test, epochs[test.best].correct.numpy(), labels)


def _numbers(images: Labelled) -> IntArray:
    rows = (blake2b(row.numpy().tobytes(), digest_size=8).digest() for row in images.pixels)
    return np.frombuffer(b"".join(rows), dtype=np.int64)


def _refuse_unjudged(labels: torch.Tensor, judged: Sequence[int]) -> None:
    if not np.isin(labels.numpy(), judged).any():
        raise DataError(
            "No held-out image belongs to a protected class, so nothing can be measured.",
            "Give more photos, or clean test images with --test FOLDER.",
        )


def summarise(
    trial: Trial, runs: dict[str, tuple[Run, ...]], judged: Sequence[int], chance: float
) -> Comparison:
    """Return figures, intervals and verdicts of finished runs.

    Args:
        trial: Victim and countermeasures.
        runs: One run per seed of every arm, by name; the clean arm first.
        judged: Labels of the classes whose recall counts.
        chance: Accuracy of guessing, in [0, 1].
    """
    by_seed = list(zip(*runs.values(), strict=True))
    draws = bootstrap(
        [Answers(arms[0].labels, np.stack([run.correct for run in arms])) for arms in by_seed], judged
    )
    tested = min(int(np.isin(arms[0].labels, judged).sum()) for arms in by_seed)
    results: list[ArmResult] = []
    for index, (name, own) in enumerate(runs.items()):
        peak = interval(float(np.mean([run.test.peak for run in own])), draws[index])
        recall = np.mean([recalls(run.correct, run.labels, judged) for run in own], axis=0)
        share: Interval | None = None
        verdict: Verdict | None = None
        if results:
            clean = results[0].peak
            share = interval(
                float(retained_share(peak.value, clean.value, chance)),
                retained_share(draws[index], draws[0], chance),
            )
            verdict = judge(clean, peak, share, chance, tested)
        last = float(np.mean([run.test.last for run in own]))
        results.append(
            ArmResult(name, own, peak, last, tuple(float(value) for value in recall), share, verdict)
        )
    return Comparison(trial, chance, tested, tuple(results))
