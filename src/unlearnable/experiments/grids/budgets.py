"""Budgets of the noise."""

from __future__ import annotations

from collections.abc import Iterator

from unlearnable.experiments.base import Below, Entry, experiment
from unlearnable.experiments.profile import FORMS, WORDS, Profile

USUAL = 8


@experiment(
    order=6,
    title="Budgets",
    rows="epsilon, of 255",
    figure="lines",
    claims=[
        Below(("8", WORDS[form]), ("2", WORDS[form]), f"more noise protects more, {WORDS[form]}")
        for form in FORMS
    ],
)
def budgets(p: Profile) -> Iterator[Entry]:
    """How does the protection grow with the largest change of a pixel?

    The length of the search's steps grows with the budget, as in the paper.
    """
    for seed in p.seeds:
        for epsilon in sorted({*p.epsilons, USUAL}):
            for form in FORMS:
                poison = p.poison("cifar10", form, seed, **p.budget("cifar10", form, epsilon))
                yield Entry(str(epsilon), WORDS[form], p.cell("cifar10", seed, poison), epsilon)
