"""The arms of a trial: the images of ``Pairs`` under the trainer's labels, with part of them left clean."""

from __future__ import annotations

from dataclasses import replace

import torch

from unlearnable.evaluation.comparison import Arm
from unlearnable.evaluation.pairs import Pairs
from unlearnable.evaluation.trial import Trial
from unlearnable.training.randomness import generator
from unlearnable.training.victim import Labelled


def arm(pairs: Pairs, trial: Trial, name: str, seed: int) -> Arm:
    """Return the images of an arm after everything that a trial does before the training.

    Args:
        pairs: The images.
        trial: The trial.
        name: ``clean`` or ``protected``.
        seed: Seed of the split, and of the draw of the images that stay clean.
    """
    found = pairs.arm(name, seed, trial.chain)
    if trial.share < 1 and name != "clean":
        clean = pairs.arm("clean", seed, trial.chain).train
        found = replace(found, train=partly_protected(clean, found.train, trial.share, seed))
    if trial.labels:
        found = replace(
            found, train=_relabelled(found.train, trial.labels), test=_relabelled(found.test, trial.labels)
        )
    return found


def classes(pairs: Pairs, trial: Trial) -> int:
    """Return the number of classes that a trial's networks tell apart."""
    return max(trial.labels) + 1 if trial.labels else len(pairs.classes)


def judged(pairs: Pairs, trial: Trial) -> tuple[int, ...]:
    """Return the labels of the classes whose recall counts, under the trainer's labels."""
    return tuple(sorted({trial.labels[label] for label in pairs.judged})) if trial.labels else pairs.judged


def partly_protected(clean: Labelled, protected: Labelled, share: float, seed: int) -> Labelled:
    """Return the protected images, some of them in their clean version.

    In each class, ``share`` of the images with noise keep it. Images without noise are the same either way.

    Args:
        clean: The clean images.
        protected: The protected images, in the same order.
        share: Share that stays protected, in (0, 1].
        seed: Seed of the draw.
    """
    noisy = (clean.pixels != protected.pixels).flatten(1).any(1)
    pixels, rng = protected.pixels.clone(), generator(seed, "share")
    for label in range(protected.classes):
        rows = (noisy & (protected.labels == label)).nonzero()[:, 0]
        rows = rows[torch.randperm(len(rows), generator=rng)]
        rows = rows[: round((1 - share) * len(rows))]
        pixels[rows] = clean.pixels[rows]
    return protected._replace(pixels=pixels)


def _relabelled(images: Labelled, labels: tuple[int, ...]) -> Labelled:
    return Labelled(images.pixels, torch.tensor(labels)[images.labels], max(labels) + 1)
