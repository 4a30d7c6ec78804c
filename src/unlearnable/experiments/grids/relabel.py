"""A trainer with other labels than the publisher's."""

from __future__ import annotations

from collections.abc import Iterator

from unlearnable.experiments.base import Entry, experiment
from unlearnable.experiments.profile import FORMS, WORDS, Profile

RULES = {
    "the same": "",
    "pairs of classes as one": "pairs",
    "two halves": "halves",
    "the first class or not": "first",
}


@experiment(
    order=15,
    title="A trainer with other labels than the publisher's",
    rows="labels of the trainer",
    columns="trained on",
)
def relabel(p: Profile) -> Iterator[Entry]:
    """Noise is found for certain labels.

    Does it protect against a trainer who sorts the images into other classes?
    With fewer classes, guessing is right more often.
    """
    for seed in p.seeds:
        for row, rule in RULES.items():
            yield Entry(row, "clean", p.cell("cifar10", seed, relabel=rule))
            for form in FORMS:
                yield Entry(
                    row,
                    WORDS[form],
                    p.cell("cifar10", seed, p.poison("cifar10", form, seed), relabel=rule),
                )
