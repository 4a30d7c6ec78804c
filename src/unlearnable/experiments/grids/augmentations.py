"""Augmentation against the noise."""

from __future__ import annotations

from collections.abc import Iterator

from unlearnable.countermeasures import unlisted
from unlearnable.experiments.base import Below, Entry, experiment
from unlearnable.experiments.profile import FORMS, WORDS, Profile

AUGMENTATIONS = (
    "none",
    "cutout",
    "mixup",
    "cutmix",
    "randaugment",
    "trivialaugment",
    "autoaugment",
    "fastautoaugment",
    "noise:8",
    "fixednoise:8",
)


@experiment(
    order=11,
    title="Augmentation against the noise",
    rows="augmentation, besides crops and flips",
    columns="trained on",
    claims=[
        Below((name, WORDS[form]), (name, "clean"), f"{name} does not undo {WORDS[form]} noise", by=0.1)
        for name in ("cutout", "mixup", "cutmix")
        for form in FORMS
    ],
)
def augmentations(p: Profile) -> Iterator[Entry]:
    """Does stronger augmentation help the network to learn despite the noise?

    Every countermeasure that acts on batches has a row, and so has the noise that the paper adds once.
    """
    for seed in p.seeds:
        for name in (*AUGMENTATIONS, *unlisted(AUGMENTATIONS, "batch")):
            yield Entry(name, "clean", p.cell("cifar10", seed, countermeasure=name))
            for form in FORMS:
                yield Entry(
                    name,
                    WORDS[form],
                    p.cell("cifar10", seed, p.poison("cifar10", form, seed), countermeasure=name),
                )
