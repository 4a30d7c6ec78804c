"""Comparison of arms: the same victim trained on clean and on changed images, tested on the same images."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol

import numpy as np
import torch
from torch import nn

from unlearnable.errors import DataError
from unlearnable.evaluation.intervals import Spread
from unlearnable.evaluation.statistics import (
    CONTEXT,
    Answers,
    BoolArray,
    Curve,
    IntArray,
    Interval,
    curve,
    merged,
    recalls,
    scored,
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
        seconds: Duration of the training, its images included.
    """

    epochs: tuple[Epoch, ...]
    labels: torch.Tensor
    images: IntArray
    seconds: float


# called with the trial, the name of the arm, the seed and the trained network, on the device
OnLearned = Callable[[Trial, str, int, nn.Module], None]


def ignored(trial: Trial, name: str, seed: int, model: nn.Module) -> None:
    """Do nothing with a trained network."""


# called with the comparison of the seeds that are finished
OnSeed = Callable[["Comparison"], None]


def ignored_seed(so_far: Comparison) -> None:
    """Do nothing with the comparison so far."""


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
            A context image is classified correctly if the answer is any context class.
        labels: int64 (T,): true classes of the test images; ``CONTEXT`` for every context class.
        images: int64 (T,): a number for the content of each test image; None if no other seed was tested on
            any of these images.
    """

    seed: int
    train: tuple[float, ...]
    test: Curve
    correct: BoolArray
    labels: IntArray
    images: IntArray | None = None


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
        false_positives: Share of the context images that are answered with a judged class at the best epoch,
            mean over seeds; None without context.
    """

    name: str
    runs: tuple[Run, ...]
    peak: Interval
    last: float
    recall: tuple[float, ...]
    retained: Interval | None = None
    verdict: Verdict | None = None
    false_positives: float | None = None


@dataclass(frozen=True)
class Comparison:
    """The results of one trial.

    Args:
        trial: Victim and countermeasures.
        chance: Accuracy of guessing, in [0, 1].
        tested: Number of test images of the judged classes (the smallest over seeds).
        arms: One result per arm. The first arm is the clean one, with which the others are compared.
        tested_context: Number of test images of the context (the smallest over seeds).
    """

    trial: Trial
    chance: float
    tested: int
    arms: tuple[ArmResult, ...]
    tested_context: int = 0

    @property
    def intervals(self) -> str:
        """Description of the intervals."""
        seeds = len(self.arms[0].runs)
        return (
            f"95% intervals over test images and {seeds} seeds"
            if seeds > 1
            else "95% intervals over test images; one seed, so no spread over seeds"
        )

    @property
    def words(self) -> str:
        """The verdict and each arm's balanced accuracy at its best epoch, mean over seeds.

        Such as ``protected (best epoch: clean 62%, protected 14%; guessing 10%)``.
        """
        verdicts = " and ".join(str(arm.verdict) for arm in self.arms[1:])
        accuracies = ", ".join(f"{arm.name} {arm.peak.value:.0%}" for arm in self.arms)
        return f"{verdicts} (best epoch: {accuracies}; guessing {self.chance:.0%})"

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
    on_learned: OnLearned = ignored,
    on_seed: OnSeed = ignored_seed,
) -> Comparison:
    """Train the trial's victim on every arm, once per seed, and return the results.

    All arms of a seed are trained before the next seed, so that the first seed has an answer early. Under
    countermeasures, an arm takes all its seeds first, because its changed photos are then made once.

    Args:
        names: Names of the arms; the first is the clean one.
        data: Returns the images of an arm for a seed. It is called just before each training, so that the
            images of only one are in memory at a time.
        trial: Victim and countermeasures.
        classes: Number of classes, context included.
        seeds: Each changes initialisation and order, and the split if ``data`` makes one.
        judged: Labels of the judged classes; all by default. The others are context, which counts as one
            class (see ``statistics``).
        compute: Device and precision; chosen by default.
        on_progress: Called after every epoch.
        saved: Finished trainings, which do not run again; None to save none.
        on_learned: Called with every trained network.
        on_seed: Called after the last arm of every seed, if one of its trainings ran now, with the
            comparison of the seeds so far.

    Raises:
        DataError: If no test image belongs to a judged class, or none to the context although there is one.
    """
    compute = compute or Compute.choose()
    judged = tuple(range(classes)) if judged is None else tuple(judged)
    total, done = len(names) * len(seeds) * trial.victim.epochs, 0
    chance = 1 / len(scored(judged, classes))
    runs: dict[str, tuple[Run, ...]] = dict.fromkeys(names, ())
    trained = set[int]()
    turns = [(name, seed) for seed in seeds for name in names]
    for name, seed in sorted(turns, key=lambda turn: names.index(turn[0])) if trial.chain else turns:
        # the defaults bind the values of this turn, because the loop changes the variables
        def report(epoch: Epoch, before: int = done, name: str = name, seed: int = seed) -> None:
            trained.add(seed)
            text = f"{name}: {epoch.test_accuracy:.0%}"
            on_progress(Event(trial.name, before + epoch.number, total, text))

        runs[name] += (_run(data, name, trial, seed, judged, compute, report, saved, on_learned),)
        done += trial.victim.epochs
        if name == names[-1]:
            finished = len(runs[name])
            first = {name: found[:finished] for name, found in runs.items()}
            so_far = summarise(trial, first, judged, chance)
            if seed in trained:
                on_seed(so_far)
    return so_far


def _run(
    data: Callable[[str, int], Arm],
    name: str,
    trial: Trial,
    seed: int,
    judged: Sequence[int],
    compute: Compute,
    on_epoch: Callable[[Epoch], None],
    saved: Saved | None,
    on_learned: OnLearned,
) -> Run:
    tested = None if saved is None else saved.load(trial, name, seed)
    if tested is None:
        start = time.perf_counter()
        arm = data(name, seed)
        _refuse_untested(arm, judged)
        learned = learn(trial.victim, arm.train, arm.test, seed, compute, trial.chain, on_epoch)
        on_learned(trial, name, seed, learned.model)
        tested = Tested(learned.epochs, arm.test.labels, _numbers(arm.test), time.perf_counter() - start)
        if saved is not None:
            saved.save(trial, name, seed, tested)
    labels = merged(tested.labels.numpy(), judged)
    correct = [merged(epoch.answers.numpy(), judged) == labels for epoch in tested.epochs]
    test = curve(correct, labels, np.unique(labels).tolist())
    train = tuple(epoch.train_accuracy for epoch in tested.epochs)
    return Run(seed, train, test, correct[test.best], labels, tested.images)


def _numbers(images: Labelled) -> IntArray:
    rows = (blake2b(row.numpy().tobytes(), digest_size=8).digest() for row in images.pixels)
    return np.frombuffer(b"".join(rows), dtype=np.int64)


def _refuse_untested(arm: Arm, judged: Sequence[int]) -> None:
    labels, classes = merged(arm.test.labels.numpy(), judged), scored(judged, arm.train.classes)
    if not (labels != CONTEXT).any():
        raise DataError(
            "No held-out image belongs to a protected class, so nothing can be measured.",
            "Give more photos, or clean test images with --test FOLDER.",
        )
    if CONTEXT in classes and not (labels == CONTEXT).any():
        raise DataError(
            "No context image can be held out, so false positives cannot be measured.",
            "Give more photos of other classes with --context FOLDER.",
        )


def summarise(
    trial: Trial, runs: dict[str, tuple[Run, ...]], judged: Sequence[int], chance: float
) -> Comparison:
    """Return figures, intervals and verdicts of finished runs.

    Args:
        trial: Victim and countermeasures.
        runs: One run per seed of every arm, by name; the clean arm first.
        judged: Labels of the judged classes. Test images of others have the label ``CONTEXT``.
        chance: Accuracy of guessing, in [0, 1].
    """
    by_seed = list(zip(*runs.values(), strict=True))
    answers = [
        Answers(arms[0].labels, np.stack([run.correct for run in arms]), arms[0].images) for arms in by_seed
    ]
    counts = [[int((one.labels == label).sum()) for label in (*judged, CONTEXT)] for one in answers]
    tested, context = min(sum(own) for *own, _ in counts), min(other for *_, other in counts)
    fewest = min(min([*own, other] if other else own) for *own, other in counts)
    spread = Spread.of(answers, (*judged, CONTEXT) if context else judged)
    results: list[ArmResult] = []
    for index, (name, own) in enumerate(runs.items()):
        recall = np.mean([recalls(run.correct, run.labels, (*judged, CONTEXT)) for run in own], axis=0)
        peak, share, verdict = spread.accuracy(index), None, None
        if results:
            share = spread.retained(index, chance)
            verdict = judge(results[0].peak, peak, share, chance, tested, fewest)
        results.append(
            ArmResult(
                name,
                own,
                peak,
                float(np.mean([run.test.last for run in own])),
                tuple(float(value) for value in recall[:-1]),
                share,
                verdict,
                false_positives=1 - float(recall[-1]) if context else None,
            )
        )
    return Comparison(trial, chance, tested, tuple(results), context)
