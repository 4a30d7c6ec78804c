"""A trainer with other labels than ours."""

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
    title="Labels that differ from the protector's",
    rows="labels of the trainer",
    columns="trained on",
)
def relabel(p: Profile) -> Iterator[Entry]:
    """Noise is made for labels. Does it hold for a trainer who sorts the same images into other classes?

    Guessing gives more where there are fewer classes. Where one class stands against all others, the mean of
    both sides is given.
    """
    for seed in p.seeds:
        for row, rule in RULES.items():
            over = ("first", "rest") if rule == "first" else ()
            yield Entry(row, "clean", p.cell("cifar10", seed, relabel=rule), over=over)
            for form in FORMS:
                yield Entry(
                    row,
                    WORDS[form],
                    p.cell("cifar10", seed, p.poison("cifar10", form, seed), relabel=rule),
                    over=over,
                )
