"""Noise against a surrogate that tells only groups of classes apart, as for very many classes."""

from __future__ import annotations

from collections.abc import Iterator

from unlearnable.experiments.base import Below, Entry, experiment
from unlearnable.experiments.profile import FORMS, WORDS, Profile

GROUPS = (0, 5, 3)
EACH = "each class"


def _row(groups: int) -> str:
    return f"{groups} groups" if groups else EACH


@experiment(
    order=30,
    title="A surrogate with fewer outputs than classes",
    rows="the surrogate tells apart",
    columns="trained on",
    claims=[
        Below((_row(5), WORDS[form]), (EACH, "clean"), f"five groups still protect, {WORDS[form]}", by=0.2)
        for form in FORMS
    ],
)
def groups(p: Profile) -> Iterator[Entry]:
    """What protection is lost if the surrogate has an output for each group of classes?

    With a class for each of a million users, an output for each would not fit (`class_groups`). Here, the
    classes are few, so that a victim can learn all of them.
    """
    for seed in p.seeds:
        for number in GROUPS:
            yield Entry(_row(number), "clean", p.cell("cifar10", seed))
            for form in FORMS:
                poison = p.poison("cifar10", form, seed, class_groups=number)
                yield Entry(_row(number), WORDS[form], p.cell("cifar10", seed, poison))
