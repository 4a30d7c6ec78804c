"""More than one noise per class."""

from __future__ import annotations

from collections.abc import Iterator

from unlearnable.experiments.base import Below, Entry, experiment
from unlearnable.experiments.profile import Profile

COUNTS = (1, 2, 4)


@experiment(
    order=7,
    title="Several noises per class",
    rows="noises per class",
    columns="trained on",
    claims=[Below(("2", "protected"), ("2", "clean"), "two noises per class protect", by=0.2)],
)
def several(p: Profile) -> Iterator[Entry]:
    """A trainer who finds the noise of a class can subtract it from every image of that class.

    Do several noises per class protect, if each image gets one of them at random?
    """
    for seed in p.seeds:
        for count in COUNTS:
            settings = p.by_experiment.get("several", {}) if count > 1 else {}
            poison = p.poison("cifar10", "classwise", seed, patterns_per_class=count, **settings)
            yield Entry(str(count), "clean", p.cell("cifar10", seed))
            yield Entry(str(count), "protected", p.cell("cifar10", seed, poison))
